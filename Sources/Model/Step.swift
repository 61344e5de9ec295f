extension Program {
  /// What is done when it is started by an event: a command, a shell line, a function, or nothing.
  public struct Step: Sendable, Hashable, Codable {
    /// The name.
    public var name: String
    /// Events that start it.
    public var on: [String] = []
    /// Steps and loops all of which must have succeeded to start it.
    public var after: [String] = []
    /// Where it runs; may hold `${param.x}`.
    public var host: String?
    /// The group it is a member of.
    public var group: String?
    /// What it does.
    public var action: Action = .empty
    /// Added to the environment.
    public var environment: [String: String] = [:]
    /// Working directory.
    public var workingDirectory: String?
    /// The user it runs as; the agent must be root.
    public var user: String?
    /// After this long it is stopped and has failed.
    public var timeout: TimeSpan?
    /// Between SIGTERM and SIGKILL; nil is 10 s.
    public var killAfter: TimeSpan?
    /// Whether and how a failed attempt is tried again.
    public var retry: Retry?
    /// What it holds while it runs.
    public var acquires: [String: Int] = [:]
    /// What its end gives back; nil: all it acquired. Empty: all is kept for a later step that releases it.
    public var releases: [String: Int]?
    /// What its end raises.
    public var triggers = Triggers()
    /// What a recovery does with an earlier end.
    public var recovery = RecoveryPolicy()
    /// What happens when the agent that holds it is gone for good.
    public var onLost: OnLost = .rerun
    /// How many times it may be lost before that is a failure.
    public var maxLost = 3
    /// What happens to it when its agent can't reach the store; nil: see ``cutOffPolicy``.
    public var onCutOff: OnCutOff?
    /// A command; when it fails, the step ends as a skipped success.
    public var precondition: [String]?
    /// Turns the step into a loop over itself.
    public var forEach: ForEach?
    /// Bounds on what the process may use.
    public var limits: Limits?
    /// Higher is taken first.
    public var priority = 0

    /// A step called `name` that does nothing.
    public init(name: String) { self.name = name }

    /// The seconds between SIGTERM and SIGKILL when a step does not say.
    public static let defaultKillAfter = TimeSpan(seconds: 10)

    /// What happens when its agent can't reach the store. Unless it says so itself, a step that others of its group may
    /// take over is stopped, so that it does not run twice at once; one that is bound to its host goes on, since nobody
    /// else can start it.
    public var cutOffPolicy: OnCutOff { onCutOff ?? (group == nil ? .keep : .stop) }
  }

  /// What a step does.
  public enum Action: Sendable, Hashable, Codable {
    /// Nothing; it succeeds.
    case empty
    /// A program and its arguments, without a shell.
    case run([String])
    /// A line for `/bin/sh -c`.
    case shell(String)
    /// A function of the executable that defined the program.
    case function(FunctionCall)
  }

  /// Events raised by the end of a step or loop.
  public struct Triggers: Sendable, Hashable, Codable {
    /// Raised by success.
    public var success: [String] = []
    /// Raised by failure.
    public var failure: [String] = []
    /// Raised by either.
    public var complete: [String] = []
    /// Raised when a precondition was false.
    public var skipped: [String] = []

    /// No events.
    public init() {}

    /// Every event named.
    public var all: [String] { success + failure + complete + skipped }
  }

  /// What a recovery does with a task that ended before.
  public struct RecoveryPolicy: Sendable, Hashable, Codable {
    /// The two possibilities.
    public enum Choice: String, Sendable, Codable, CaseIterable {
      /// Run it again.
      case rerun
      /// Repeat its recorded end without running it.
      case skip
    }
    /// After a failure.
    public var failure: Choice = .rerun
    /// After a success.
    public var success: Choice = .skip

    /// The defaults: failures run again, successes are repeated.
    public init() {}
  }

  /// What becomes of a task whose agent is gone.
  public enum OnLost: String, Sendable, Codable, CaseIterable {
    /// It is started again, at most `max_lost` times.
    case rerun
    /// It has failed.
    case fail
  }

  /// What becomes of a running task whose agent can't reach the store.
  public enum OnCutOff: String, Sendable, Codable, CaseIterable {
    /// It goes on, and its end is delivered when the store is back.
    case keep
    /// It is ended before anyone else could start it.
    case stop
  }

  /// How failed attempts are tried again.
  public struct Retry: Sendable, Hashable, Codable {
    /// An end that is, or is not, worth another attempt.
    public enum Condition: Sendable, Hashable, Codable {
      /// This exit code.
      case exit(Int)
      /// Ended by a signal.
      case signal
      /// Ended by its timeout.
      case timeout
    }
    /// Attempts in all, the first one counted.
    public var attempts: Int
    /// Before the second attempt.
    public var delay: TimeSpan = .zero
    /// What each further delay is multiplied by.
    public var backoff = 1.0
    /// The longest delay.
    public var maxDelay: TimeSpan?
    /// Share of the delay added or taken off at random, 0 to 1.
    public var jitter = 0.0
    /// Only these ends are tried again; empty: all.
    public var onExit: [Condition] = []
    /// These ends are not tried again.
    public var notOnExit: [Condition] = []
    /// Whether the next attempt goes to another host of the group, if there is one; nil is no.
    public var elsewhere: Bool?

    /// `attempts` attempts without delay.
    public init(attempts: Int) { self.attempts = attempts }
  }

  /// Bounds on a step's process.
  public struct Limits: Sendable, Hashable, Codable {
    /// Bytes of memory: of all its processes together in a cgroup, of the address space of each elsewhere.
    public var memory: Int64?
    /// Cores: how much processor time its processes may use together, in seconds a second.
    public var cpu: Double?

    /// No bounds.
    public init() {}
  }

  /// A loop over one step.
  public struct ForEach: Sendable, Hashable, Codable {
    /// When the loop is over.
    public enum Wait: String, Sendable, Codable, CaseIterable {
      /// When every iteration is over.
      case all
      /// When one iteration has succeeded, or all are over.
      case any
      /// When one iteration has failed, or all are over.
      case firstFailure = "first_failure"
    }
    /// The items.
    public var over: Items
    /// Iterations at once; 0 is all.
    public var atOnce = 1
    /// When the loop is over.
    public var wait: Wait = .all

    /// One iteration per item of `over`.
    public init(over: Items) { self.over = over }
  }
}
