/// Why a workload can't be set up, executed or looked at; the text holds no password.
public struct WorkloadError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What the caller can act on.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// A parameter that can't be, or that this database can't do.
    case invalid
    /// The database has a workload already.
    case exists
    /// The database has no workload.
    case notSetUp
    /// Another program works on the documents.
    case busy
    /// Another program still did when patience ran out.
    case timedOut
    /// Another program took over, or set the workload up anew, while this one worked.
    case takenOver
  }

  /// What the caller can act on.
  public let kind: Kind
  /// A lower-case sentence: what, why, and how to mend it.
  public let description: String

  /// An error of these values.
  public init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}
