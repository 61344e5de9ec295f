public import Model

/// What a transition decided: applied by the store in the transaction that asked, all of it or nothing.
public struct Changes: Sendable {
  /// The run's row as it becomes.
  public var run: RunState
  /// The run's status before, to tell whether it changed.
  public let formerStatus: RunStatus
  /// Events triggered, in order.
  public var events: [NewEvent] = []
  /// Tasks made, in order.
  public var tasks: [NewTask] = []
  /// Tasks that change.
  public var taskChanges: [TaskChange] = []
  /// Delays begun.
  public var delays: [NewDelay] = []
  /// Numbers of delays that are over.
  public var overDelays: [Int64] = []
  /// Loops made or changed, by number.
  public var loops: [Int64: LoopState] = [:]
  /// Which of ``loops`` are new.
  public var newLoops: Set<Int64> = []
  /// Why a loop failed before it had iterations, by number.
  public var loopMessages: [Int64: String] = [:]
  /// Iterations made or changed, by number.
  public var iterations: [Int64: IterationState] = [:]
  /// Which of ``iterations`` are new.
  public var newIterations: Set<Int64> = []
  /// Cancels every ready and waiting task and drops every delay, for this reason.
  public var cancelsUnstarted: String?
  /// Transitions, for the history.
  public var history: [HistoryEntry] = []

  init(_ run: RunState) {
    self.run = run
    formerStatus = run.status
  }

  /// An event triggered.
  public struct NewEvent: Sendable, Hashable {
    /// Its number within the run.
    public let number: Int64
    /// The event.
    public let event: String
    /// The sequence.
    public let sequence: Sequence
    /// The iteration it belongs to; 0 is the run itself.
    public let scope: Int64
    /// The hosts of the steps that caused it, sorted.
    public let hosts: [String]
    /// From when its delays count: when it was first triggered, over all recoveries.
    public let firstAt: Timestamp
    /// Whether somebody outside the program triggered it, so that a replay must do so again.
    public let isFromOutside: Bool
  }

  /// A task made.
  public struct NewTask: Sendable, Hashable {
    /// What it is made as.
    public enum Form: Sendable, Hashable {
      /// To be started.
      case ready
      /// To be started at that moment.
      case waiting(until: Timestamp)
      /// Not to be started: the run is stopped.
      case cancelled
      /// It can't be started: why.
      case impossible(String)
      /// Ended as before, without running.
      case repeated(EarlierEnd)
      /// Ended by hand.
      case marked(Replay.Mark)
      /// Ended as a success by an agent of this host: there was nothing to carry out.
      case passed(at: String)
    }
    /// Its number within the run.
    public let number: Int64
    /// The step.
    public let step: String
    /// The sequence.
    public let sequence: Sequence
    /// The iteration it belongs to; 0 is the run itself.
    public let scope: Int64
    /// What it is made as.
    public let form: Form
    /// Where it runs.
    public let placement: Placement
    /// Higher is taken first.
    public let priority: Int
    /// Whether it needs resources, or counts against a limit.
    public let hasDemands: Bool
  }

  /// What becomes of a task that exists.
  public struct TaskChange: Sendable, Hashable {
    /// The kinds of change.
    public enum Kind: Sendable, Hashable {
      /// It may start now.
      case ready
      /// It may start at that moment, earlier than it was said.
      case broughtForward(to: Timestamp)
      /// It has ended.
      case ended(Outcome)
      /// It was ready, and has ended as a success on this host: there was nothing to carry out.
      case passed(at: String)
      /// This attempt has failed; the next may start at that moment.
      case retried(Outcome, at: Timestamp)
      /// Its agent is gone; it is ready again.
      case lost(String)
      /// Its agent has given it back; it is ready again, and that does not count as a loss.
      case returned(String)

      /// Whether it is over for good.
      public var isEnd: Bool {
        switch self {
        case .ended, .passed: true
        case .ready, .broughtForward, .retried, .lost, .returned: false
        }
      }
    }
    /// The task.
    public let task: TaskFact
    /// The change.
    public let kind: Kind
    /// What it gives back of what it holds; nil is everything.
    public let releases: [String: Int]?
  }

  /// A delay begun.
  public struct NewDelay: Sendable, Hashable {
    /// Its number within the run.
    public let number: Int64
    /// What is started.
    public let target: Plan.Target
    /// The sequence.
    public let sequence: Sequence
    /// The iteration it belongs to; 0 is the run itself.
    public let scope: Int64
    /// The hosts of the steps that caused it.
    public let hosts: [String]
    /// When it matures.
    public let dueAt: Timestamp
  }

  /// One transition, for the history.
  public struct HistoryEntry: Sendable, Hashable {
    /// What changed.
    public enum Subject: String, Sendable {
      case run, task, event, loop
    }
    /// What changed.
    public let subject: Subject
    /// Its name.
    public let name: String
    /// Its sequence; empty for the run.
    public let sequence: String
    /// The attempt; 0 where there is none.
    public let attempt: Int
    /// From which state; empty for what is new.
    public let from: String
    /// To which state.
    public let to: String
    /// By which task, user or part of the program.
    public let actor: String
    /// The fencing token of the taking that it concerns; 0 where there is none.
    public let token: Int64

    /// A transition of these values.
    public init(
      subject: Subject, name: String, sequence: String, attempt: Int, from: String, to: String, actor: String,
      token: Int64 = 0
    ) {
      self.subject = subject
      self.name = name
      self.sequence = sequence
      self.attempt = attempt
      self.from = from
      self.to = to
      self.actor = actor
      self.token = token
    }
  }
}

/// Where a task may run.
public enum Placement: Sendable, Hashable {
  /// On this host.
  case host(String)
  /// On any host of this group.
  case group(String)
}
