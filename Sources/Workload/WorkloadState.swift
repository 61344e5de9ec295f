/// All that is recorded of a workload but its documents and its history.
public struct WorkloadState: Sendable, Hashable {
  /// A run that is over.
  public struct Ended: Sendable, Hashable {
    /// Its number, from 1.
    public let number: Int
    /// When it began, in microseconds since 1970 of the database's clock.
    public let startedAt: Int64
    /// How long it was worked on, in microseconds.
    public let spent: Int64
    /// The first document it updated.
    public let start: Int
    /// How many documents it updated.
    public let updates: Int
    /// How many of them were there before.
    public let revisions: Int
    /// How many it failed to update; 0, as a run that can't update a document does not end.
    public let errors: Int
  }

  /// A run that is under way, or was interrupted.
  public struct Open: Sendable, Hashable {
    /// Its number, from 1.
    public let number: Int
    /// When it began, in microseconds since 1970 of the database's clock.
    public let startedAt: Int64
    /// How long it was worked on up to its last batch, in microseconds.
    public let spent: Int64
    /// How many documents it is to update.
    public let updates: Int
    /// How many it has updated.
    public let done: Int
    /// How many of these were there before.
    public let revisions: Int
  }

  /// Who works on the documents, as far as is known.
  public struct Holder: Sendable, Hashable {
    /// User, host and process.
    public let name: String
    /// Since when, in microseconds since 1970 of the database's clock.
    public let since: Int64
  }

  /// The version that is written.
  public static let currentVersion = 1

  /// What was asked for.
  public let parameters: WorkloadParameters
  /// What the content of the documents is made from.
  public let seed: Int64
  /// The version of this record.
  public let version: Int
  /// When it was set up, in microseconds since 1970 of the database's clock.
  public let created: Int64
  /// The first document of the open run, or else of the next.
  public let start: Int
  /// How many runs are over.
  public let runs: Int
  /// How many documents the set-up has made at once; nil if that was not asked for.
  public let filled: Int?
  /// The run that ended last.
  public let last: Ended?
  /// The run that has begun and not ended.
  public let open: Open?
  /// Who works on the documents; may be gone.
  public let holder: Holder?
  /// How many runs the history holds.
  public let historyCount: Int
}

/// What follows from the numbers alone.
extension WorkloadState {
  /// Whether the set-up was to make all documents and has not.
  public var isFilling: Bool { filled.map { $0 < parameters.total } ?? false }

  /// How often documents were updated since the set-up: all runs update as many, and the open one some.
  private var turns: Int { runs * parameters.updatesPerRun + (open?.done ?? 0) }

  /// How many documents there are.
  public var documents: Int { filled ?? min(turns, parameters.total) }

  /// The number of the newest revision of `document`; 0 if it is still to be made.
  ///
  /// Turns are taken in order, so each document has had its share of full rounds, and the first ones one more.
  public func revision(of document: Int) -> Int {
    let (rounds, begun) = turns.quotientAndRemainder(dividingBy: parameters.total)
    let made = filled.map { document < $0 ? 1 : 0 } ?? 0
    return made + rounds + (document < begun ? 1 : 0)
  }
}
