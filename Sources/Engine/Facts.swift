public import Model

/// The row of a run as one transition sees it: locked, and with the database's clock read after the lock.
public struct RunState: Sendable, Hashable {
  /// The run's key in the store.
  public let key: Int64
  /// The run's public identifier.
  public let id: String
  /// The state.
  public var status: RunStatus
  /// The recovery that goes on, from 0.
  public var recovery: Int
  /// Tasks that have not ended, delays not matured and loops still open, in this recovery.
  public var active: Int
  /// Unhandled failures in this recovery.
  public var failures: Int
  /// Whether no new task may start, because of a failure, a limit or a cancellation.
  public var isStopped: Bool
  /// What the run becomes when its last task has ended, where that is settled before: `cancelled` after a
  /// cancellation, `failure` after a timeout.
  public var verdict: RunStatus?
  /// Why, in a sentence.
  public var message: String?
  /// The next number for a row of this run.
  public var nextNumber: Int64
  /// What a recovery or rerun does with tasks that ended before; nil in recovery 0.
  public let replay: Replay?
  /// The host of whoever started the run, for steps that name no place.
  public let localHost: String
  /// Whether every host is taken as the local one.
  public let isUnpinned: Bool
  /// The values of the parameters; secret ones are absent.
  public let parameters: [String: JSONValue]
  /// The database's clock.
  public let now: Timestamp

  /// A state of these values.
  public init(
    key: Int64, id: String, status: RunStatus, recovery: Int, active: Int, failures: Int, isStopped: Bool,
    verdict: RunStatus?, message: String?, nextNumber: Int64, replay: Replay?, localHost: String,
    isUnpinned: Bool, parameters: [String: JSONValue], now: Timestamp
  ) {
    self.key = key
    self.id = id
    self.status = status
    self.recovery = recovery
    self.active = active
    self.failures = failures
    self.isStopped = isStopped
    self.verdict = verdict
    self.message = message
    self.nextNumber = nextNumber
    self.replay = replay
    self.localHost = localHost
    self.isUnpinned = isUnpinned
    self.parameters = parameters
    self.now = now
  }
}

/// A triggered event.
public struct EventFact: Sendable, Hashable {
  /// The hosts of the steps that caused it, sorted; empty if it came from outside.
  public let hosts: [String]

  /// An event caused on `hosts`.
  public init(hosts: [String]) { self.hosts = hosts }
}

/// A task as a transition needs it.
public struct TaskFact: Sendable, Hashable {
  /// Its number within the run.
  public let number: Int64
  /// The step.
  public let step: String
  /// The sequence.
  public let sequence: Sequence
  /// The iteration it belongs to; 0 is the run itself.
  public let scope: Int64
  /// The state.
  public let status: TaskStatus
  /// When it may start, if it waits for that.
  public let dueAt: Timestamp?
  /// The attempt, from 1.
  public let attempt: Int
  /// How many times its agent was lost.
  public let losses: Int
  /// The host it runs on.
  public let host: String?
  /// The fencing token of its last taking.
  public let fence: Int64

  /// A task of these values.
  public init(
    number: Int64, step: String, sequence: Sequence, scope: Int64, status: TaskStatus, dueAt: Timestamp?,
    attempt: Int, losses: Int, host: String?, fence: Int64
  ) {
    self.fence = fence
    self.number = number
    self.step = step
    self.sequence = sequence
    self.scope = scope
    self.status = status
    self.dueAt = dueAt
    self.attempt = attempt
    self.losses = losses
    self.host = host
  }
}

/// A delayed association that has not matured.
public struct DelayFact: Sendable, Hashable {
  /// Its number within the run.
  public let number: Int64
  /// What is started.
  public let target: Plan.Target
  /// The sequence.
  public let sequence: Sequence
  /// The iteration it belongs to; 0 is the run itself.
  public let scope: Int64
  /// The hosts of the steps that caused the event.
  public let hosts: [String]

  /// A delay of these values.
  public init(number: Int64, target: Plan.Target, sequence: Sequence, scope: Int64, hosts: [String]) {
    self.number = number
    self.target = target
    self.sequence = sequence
    self.scope = scope
    self.hosts = hosts
  }
}

/// A loop in one sequence.
public struct LoopState: Sendable, Hashable {
  /// Its number within the run.
  public let number: Int64
  /// The loop.
  public let name: String
  /// The sequence it runs in.
  public let sequence: Sequence
  /// The iteration it belongs to; 0 is the run itself.
  public let scope: Int64
  /// The hosts of the steps that caused it.
  public let hosts: [String]
  /// The state.
  public var status: LoopStatus
  /// Iterations in all.
  public let total: Int
  /// The items, unless they are a range.
  public let items: [JSONValue]?
  /// The first number of a range.
  public let rangeStart: Int
  /// The next iteration to open, from 1.
  public var next: Int
  /// Iterations open now.
  public var open: Int
  /// Iterations that are over.
  public var ended: Int
  /// Those of them that failed.
  public var failed: Int

  /// A loop of these values.
  public init(
    number: Int64, name: String, sequence: Sequence, scope: Int64, hosts: [String], status: LoopStatus,
    total: Int, items: [JSONValue]?, rangeStart: Int, next: Int, open: Int, ended: Int, failed: Int
  ) {
    self.number = number
    self.name = name
    self.sequence = sequence
    self.scope = scope
    self.hosts = hosts
    self.status = status
    self.total = total
    self.items = items
    self.rangeStart = rangeStart
    self.next = next
    self.open = open
    self.ended = ended
    self.failed = failed
  }

  /// The item of iteration `index`, from 1.
  public func item(_ index: Int) -> JSONValue {
    if let items { return items.indices.contains(index - 1) ? items[index - 1] : .null }
    return .integer(Int64(rangeStart + index - 1))
  }
}

/// One iteration of a loop.
public struct IterationState: Sendable, Hashable {
  /// Its number within the run: the scope of what it causes.
  public let number: Int64
  /// The number of its loop.
  public let loop: Int64
  /// Which iteration, from 1.
  public let index: Int
  /// The sequence it runs in.
  public let sequence: Sequence
  /// The state.
  public var status: LoopStatus
  /// Its tasks, delays and inner loops that have not ended.
  public var active: Int
  /// Whether a failure in it was unhandled.
  public var hasFailed: Bool
  /// Whether an earlier recovery had seen it succeed, so that nothing in it runs again.
  public let isRepeated: Bool

  /// An iteration of these values.
  public init(
    number: Int64, loop: Int64, index: Int, sequence: Sequence, status: LoopStatus, active: Int,
    hasFailed: Bool, isRepeated: Bool
  ) {
    self.number = number
    self.loop = loop
    self.index = index
    self.sequence = sequence
    self.status = status
    self.active = active
    self.hasFailed = hasFailed
    self.isRepeated = isRepeated
  }
}

/// How a task ended in the newest earlier recovery in which it did.
public struct EarlierEnd: Sendable, Hashable {
  /// The number of that task's row, whose record is repeated.
  public let number: Int64
  /// `success` or `failure`.
  public let status: TaskStatus
  /// Where it ran.
  public let host: String?
  /// The events its trigger file named, repeated with it.
  public let fileTriggers: [FileTrigger]

  /// An end of these values.
  public init(number: Int64, status: TaskStatus, host: String?, fileTriggers: [FileTrigger]) {
    self.number = number
    self.status = status
    self.host = host
    self.fileTriggers = fileTriggers
  }
}

/// A line of a step's trigger file.
public struct FileTrigger: Sendable, Hashable, Codable {
  /// The event.
  public let event: String
  /// The sequence; nil is the step's own.
  public let sequence: Sequence?

  /// Triggers `event` in `sequence`.
  public init(event: String, sequence: Sequence?) {
    self.event = event
    self.sequence = sequence
  }
}
