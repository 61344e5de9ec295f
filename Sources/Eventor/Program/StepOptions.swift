import Model

/// What may be said of a step beside what starts it and what it does. Everything has a default.
public struct StepOptions: Sendable {
  /// Where a function is carried out when its program drives the run itself. Agents always use a process of its own.
  public enum Isolation: Sendable, Hashable {
    /// In the process of the program, as a task: cheap, for work that waits more than it computes. It can only be asked to
    /// end, and a trap in it ends the program.
    case inProcess
    /// In a process of its own: for work that computes, may crash, or must be killed in the end.
    case child
  }

  /// What happens to a step whose agent can't reach the store.
  public enum CutOff: Sendable, Hashable {
    /// It goes on, and its end is delivered when the store is back.
    case keep
    /// It is ended before anybody else could start it.
    case stop
  }

  /// What becomes of an earlier end in a recovery.
  public enum Recovery: Sendable, Hashable {
    /// It runs again.
    case rerun
    /// The end is repeated, and the step is not run.
    case skip

    fileprivate var model: Program.RecoveryPolicy.Choice { self == .rerun ? .rerun : .skip }
  }

  /// Where a function runs. With `environment`, `workingDirectory`, `user`, `limits` or `precondition` it is always a
  /// process of its own.
  public var isolation = Isolation.inProcess
  /// The group whose members may take it, instead of a host.
  public var group: GroupHandle?
  /// Added to the environment of its process.
  public var environment: [String: String] = [:]
  /// The working directory of its process.
  public var workingDirectory: String?
  /// The user it runs as; the agent must be root.
  public var user: String?
  /// After this long it is ended and has failed.
  public var timeout: Duration?
  /// The longest silence: a function that neither reports nor beats for so long is ended and has failed.
  public var heartbeat: Duration?
  /// Between SIGTERM and SIGKILL; nil is 10 s.
  public var killAfter: Duration?
  /// How a failed attempt is tried again; nil: it is not.
  public var retry: Retry?
  /// What it holds from its start to its end.
  public var acquires: [ResourceHandle: Int] = [:]
  /// What its end gives back; nil: all it acquired.
  public var releases: [ResourceHandle: Int]?
  /// What a recovery does after a failure.
  public var afterFailure = Recovery.rerun
  /// What a recovery does after a success.
  public var afterSuccess = Recovery.skip
  /// Whether it is started again when its agent is gone for good; else it has failed.
  public var rerunsWhenLost = true
  /// How many times it may be lost before that is a failure.
  public var maxLost = 3
  /// What happens when its agent can't reach the store; nil: it is kept if it is bound to a host, stopped if in a group.
  public var onCutOff: CutOff?
  /// A command; when it fails, the step ends as a skipped success.
  public var precondition: [String]?
  /// The most memory its processes may use, in bytes.
  public var memoryLimit: Int64?
  /// How many cores its processes may use.
  public var coreLimit: Double?
  /// Higher is taken first.
  public var priority = 0

  /// The defaults.
  public init() {}

  /// The defaults, but for what `change` sets.
  public init(_ change: (inout StepOptions) -> Void) { change(&self) }

  /// The defaults with a timeout.
  public static func timeout(_ time: Duration) -> StepOptions { StepOptions { $0.timeout = time } }

  /// The defaults with retries.
  public static func retry(_ retry: Retry) -> StepOptions { StepOptions { $0.retry = retry } }

  /// The defaults in a process of its own.
  public static var child: StepOptions { StepOptions { $0.isolation = .child } }

  /// Whether a function with these options can share the program's process.
  var fitsInProcess: Bool {
    isolation == .inProcess && environment.isEmpty && workingDirectory == nil && user == nil
      && precondition == nil && memoryLimit == nil && coreLimit == nil
  }

  func apply(to step: inout Program.Step) {
    step.group = group?.name
    step.environment = environment
    step.workingDirectory = workingDirectory
    step.user = user
    step.timeout = timeout.map(TimeSpan.init)
    step.killAfter = killAfter.map(TimeSpan.init)
    step.retry = retry?.model
    step.acquires = Self.amounts(acquires)
    step.releases = releases.map(Self.amounts)
    step.recovery.failure = afterFailure.model
    step.recovery.success = afterSuccess.model
    step.onLost = rerunsWhenLost ? .rerun : .fail
    step.maxLost = maxLost
    step.onCutOff = onCutOff.map { $0 == .keep ? .keep : .stop }
    step.precondition = precondition
    if memoryLimit != nil || coreLimit != nil {
      var limits = Program.Limits()
      limits.memory = memoryLimit
      limits.cpu = coreLimit
      step.limits = limits
    }
    step.priority = priority
  }

  private static func amounts(_ amounts: [ResourceHandle: Int]) -> [String: Int] {
    Dictionary(uniqueKeysWithValues: amounts.map { ($0.key.name, $0.value) })
  }
}

/// How failed attempts of a step are tried again.
public struct Retry: Sendable, Hashable {
  /// An end that is, or is not, worth another attempt.
  public enum Condition: Sendable, Hashable {
    /// This exit code: see ``StepFailure/exitCode``.
    case exit(Int)
    /// Ended by a signal.
    case signal
    /// Ended by its timeout.
    case timeout

    fileprivate var model: Program.Retry.Condition {
      switch self {
      case .exit(let code): .exit(code)
      case .signal: .signal
      case .timeout: .timeout
      }
    }
  }

  /// Attempts in all, the first one counted.
  public var attempts: Int
  /// Before the second attempt.
  public var delay: Duration
  /// What each further delay is multiplied by.
  public var backoff: Double
  /// The longest delay; nil: there is none.
  public var maxDelay: Duration?
  /// Share of the delay added or taken off at random, 0 to 1.
  public var jitter: Double
  /// Only these ends are tried again; empty: all.
  public var onExit: [Condition] = []
  /// These ends are not tried again.
  public var notOnExit: [Condition] = []
  /// Whether the next attempt goes to another host of the group, if there is one.
  public var elsewhere: Bool

  /// `attempts` attempts in all.
  public init(
    attempts: Int, delay: Duration = .zero, backoff: Double = 1, maxDelay: Duration? = nil,
    jitter: Double = 0,
    onExit: [Condition] = [], notOnExit: [Condition] = [], elsewhere: Bool = false
  ) {
    self.onExit = onExit
    self.notOnExit = notOnExit
    self.attempts = attempts
    self.delay = delay
    self.backoff = backoff
    self.maxDelay = maxDelay
    self.jitter = jitter
    self.elsewhere = elsewhere
  }

  fileprivate var model: Program.Retry {
    var retry = Program.Retry(attempts: attempts)
    retry.delay = TimeSpan(delay)
    retry.backoff = backoff
    retry.maxDelay = maxDelay.map(TimeSpan.init)
    retry.jitter = jitter
    retry.onExit = onExit.map(\.model)
    retry.notOnExit = notOnExit.map(\.model)
    retry.elsewhere = elsewhere ? true : nil
    return retry
  }
}

extension TimeSpan {
  /// The same time, cut to whole microseconds.
  init(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    let (microseconds, overflows) = seconds.multipliedReportingOverflow(by: 1_000_000)
    self.init(microseconds: overflows ? .max : microseconds + attoseconds / 1_000_000_000_000)
  }
}
