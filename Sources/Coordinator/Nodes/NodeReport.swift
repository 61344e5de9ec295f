/// What came of one host of an `agent` command.
public struct NodeReport: Sendable {
  /// How its agent stands.
  public enum State: String, Sendable, Hashable {
    /// It runs, and its store has heard of it lately.
    case live
    /// As before, and it takes nothing new.
    case draining
    /// It runs, and its store has not heard of it.
    case silent
    /// It does not run.
    case stopped
  }

  /// How its agent stands.
  public var state: State
  /// What was changed there, in the order it was done.
  public var changes: [String] = []
  /// What whoever looks after the host should know.
  public var notes: [String] = []
  /// What the agent calls its host.
  public var name: String
  /// The account it runs as.
  public var account: String
  /// Its process, while it runs.
  public var pid: Int?
  /// For how many seconds it has run, where that was asked.
  public var age: Int?
  /// The version of the program.
  public var version: String?
  /// Its log on the host, or the command that shows it.
  public var log: String
  /// Why its store can't be asked from there.
  public var complaint: String?

  init(_ facts: NodeFacts, _ state: State) {
    self.state = state
    name = facts.name
    account = facts.account
    pid = facts.pid
    age = facts.age
    version = facts["version"]
    log = facts.log
  }

  init(_ facts: NodeFacts, _ beat: NodeHost.Beat) {
    let state: State =
      switch (beat.state, beat.pid) {
      case ("live"?, _): .live
      case ("draining"?, _): .draining
      case (_, nil): .stopped
      default: .silent
      }
    self.init(facts, state)
    pid = beat.pid
    version = beat.version ?? version
    complaint = beat.complaint?.text
  }
}
