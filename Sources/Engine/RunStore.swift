public import Model

/// The shared store of programs and runs, as everything above it sees it.
///
/// Every call is one transaction: it happens whole or not at all. Calls throw ``StoreError`` for what was asked
/// wrongly, and errors of the database for what could not be done.
public protocol RunStore: RunRegistry, FleetDriver, RunControl, FleetControl, RunInspection {}

/// Programs and submissions.
public protocol RunRegistry: Sendable {
  /// Stores a program version; content that is there already makes no new row.
  func register(_ program: Program, by user: String) async throws -> ProgramVersion
  /// Registered versions, newest first; all of them, or those of one name.
  func programs(named name: String?) async throws -> [ProgramVersion]
  /// The newest version of a program, or the one whose digest begins with `version`.
  func program(named name: String, version: String?) async throws -> (ProgramVersion, Program)
  /// Takes a program out of the registry; its runs stay. Throws if one of them is not over.
  func removeProgram(named name: String) async throws -> Int
  /// Starts a run and returns its id.
  func submit(_ submission: Submission) async throws -> String
}

/// What agents do.
public protocol RunDriver: Sendable {
  /// Makes an agent known and returns its number.
  func enlist(_ agent: AgentIdentity) async throws -> Int64
  /// An agent says goodbye.
  func dismiss(agent: Int64) async throws
  /// Makes an agent the one that works on a standalone run. Throws if another does: one for which `isGone`, asked
  /// on this host, is false, and which has been heard of lately.
  func tend(_ run: String, by agent: Int64, isGone: @escaping @Sendable (AgentIdentity) -> Bool) async throws
  /// Records ends, does what is due, and takes tasks for an agent, in one transaction.
  func advance(_ request: AdvanceRequest) async throws -> Advance
  /// Whether anything could be done for a run now, without locking it.
  func glance(at run: String) async throws -> Glance
  /// Keeps an agent's locks for `lockFor` more, and returns the tasks it still holds.
  func renew(agent: Int64, lockFor: TimeSpan) async throws -> [HeldTask]
  /// The agents that hold tasks of `run`, other than `agent`, with what they hold, by the keeper that started it.
  func holders(of run: String, otherThan agent: Int64) async throws -> [Holder]
  /// Moves tasks from an agent that is gone to one that goes on with them. Returns what was moved.
  func adopt(_ tasks: [HeldTask], of run: String, by agent: Int64, lockFor: TimeSpan) async throws -> [Claim]
  /// Keeps what running steps say of themselves, for those who look.
  func note(_ notes: [StepNote], of run: String) async throws
  /// Gives up tasks whose agent is known to be gone: they follow `on_lost`.
  func lose(_ tasks: [HeldTask], of run: String, because reason: String) async throws
}

/// What people ask for.
public protocol RunControl: Sendable {
  /// Triggers an event from outside. False if it had been triggered before.
  func trigger(_ event: String, in sequence: Sequence?, of run: String, by user: String) async throws -> Bool
  /// Nothing new starts, and what runs is stopped.
  func cancel(_ run: String, by user: String) async throws
  /// Nothing new starts until ``resume(_:by:)``.
  func pause(_ run: String, by user: String) async throws
  /// Undoes ``pause(_:by:)``.
  func resume(_ run: String, by user: String) async throws
  /// Begins a new recovery of a run that is over, and returns its number.
  func replay(_ request: ReplayRequest, of run: String, by user: String) async throws -> Int
  /// What ``replay(_:of:by:)`` would do, if what runs succeeds.
  func plan(_ request: ReplayRequest, of run: String, by user: String) async throws -> [PlannedTask]
  /// Ends a task of a run that goes on, by hand. For a run that is over, see ``replay(_:of:by:)``.
  func mark(_ mark: Replay.Mark, of run: String) async throws
  /// Takes over a run whose agent is gone, so that it ends as `failure` with what was running given up.
  func interrupt(_ run: String, because reason: String) async throws
}

/// What people look at.
public protocol RunInspection: Sendable {
  /// The id of the run whose id is, or begins with, `text`; the newest run for `latest`.
  func runID(matching text: String) async throws -> String
  /// Everything about a run, in its newest recovery or the one given.
  func report(on run: String, recovery: Int?, allAttempts: Bool) async throws -> RunReport
  /// How a run stands in its newest recovery, with its first `failures` failed tasks.
  func summary(of run: String, failures: Int) async throws -> RunSummary
  /// Runs, newest first.
  func runs(_ filter: RunFilter) async throws -> [RunRecord]
  /// The program version a run runs.
  func program(of run: String) async throws -> Program
  /// The kept output of attempts, in the order they started.
  func outputs(of run: String, _ filter: OutputFilter) async throws -> [OutputRecord]
  /// Why each task that isn't running is not, one true reason each.
  func reasons(for run: String, step: String?) async throws -> [WaitReason]
  /// The transitions of a run, oldest first.
  func history(of run: String) async throws -> [HistoryRecord]
}

/// Something asked for that can't be done as asked.
public struct StoreError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What kind of refusal.
  public enum Kind: Sendable, Hashable {
    /// There is no such thing.
    case notFound
    /// The thing's state does not allow it.
    case conflict
    /// The request itself is wrong.
    case invalid
  }
  /// What kind of refusal.
  public let kind: Kind
  /// What is wrong, and why.
  public let message: String
  /// How to mend it.
  public let hint: String

  /// A refusal.
  public init(_ kind: Kind, _ message: String, hint: String = "") {
    self.kind = kind
    self.message = message
    self.hint = hint
  }

  /// The message, and the hint if there is one.
  public var description: String { hint.isEmpty ? message : "\(message); \(hint)" }
}
