public import Model

/// A registered version of a program.
public struct ProgramVersion: Sendable, Hashable {
  /// Its key in the store.
  public let key: Int64
  /// The program's name.
  public let name: String
  /// The digest of its content.
  public let version: String
  /// When it was first registered.
  public let registeredAt: Timestamp
  /// By whom.
  public let registeredBy: String
  /// Whether this registration made it, rather than finding it there.
  public let isNew: Bool

  /// A version of these values.
  public init(
    key: Int64, name: String, version: String, registeredAt: Timestamp, registeredBy: String, isNew: Bool
  ) {
    self.key = key
    self.name = name
    self.version = version
    self.registeredAt = registeredAt
    self.registeredBy = registeredBy
    self.isNew = isNew
  }
}

/// A run to be started.
public struct Submission: Sendable {
  /// The version to run.
  public var program: ProgramVersion
  /// The run's id; nil makes one.
  public var id: String?
  /// Values of parameters, defaults filled in, secret ones left out.
  public var parameters: [String: JSONValue]
  /// Whether the command that submits it also runs it.
  public var isStandalone: Bool
  /// Whether every host is taken as the local one.
  public var isUnpinned: Bool
  /// The host of whoever submits it.
  public var localHost: String
  /// Who submits it: `user@host`.
  public var user: String
  /// The sequence to start in; nil: where the program says.
  public var sequence: Sequence?

  /// A run of `program`.
  public init(
    program: ProgramVersion, id: String? = nil, parameters: [String: JSONValue], isStandalone: Bool,
    isUnpinned: Bool, localHost: String, user: String, sequence: Sequence? = nil
  ) {
    self.program = program
    self.id = id
    self.parameters = parameters
    self.isStandalone = isStandalone
    self.isUnpinned = isUnpinned
    self.localHost = localHost
    self.user = user
    self.sequence = sequence
  }
}

/// Who an agent is.
public struct AgentIdentity: Sendable, Hashable {
  /// Its host.
  public var host: String
  /// Tells apart agents of one host.
  public var instance: String
  /// New with every start of the agent.
  public var incarnation: String
  /// Its process.
  public var pid: Int32
  /// When that process started, in clock ticks since boot.
  public var processStart: UInt64
  /// The boot in which that holds.
  public var bootID: String
  /// The journal of its keeper, on its host.
  public var journal: String
  /// The version of the program.
  public var version: String
  /// Whether it lives inside a command rather than as a daemon.
  public var isEmbedded: Bool

  /// An identity of these values.
  public init(
    host: String, instance: String, incarnation: String, pid: Int32, processStart: UInt64, bootID: String,
    journal: String, version: String, isEmbedded: Bool
  ) {
    self.host = host
    self.instance = instance
    self.incarnation = incarnation
    self.pid = pid
    self.processStart = processStart
    self.bootID = bootID
    self.journal = journal
    self.version = version
    self.isEmbedded = isEmbedded
  }
}

/// What an agent reports and asks for in one transaction.
public struct AdvanceRequest: Sendable {
  /// The run's id.
  public var run: String
  /// The agent.
  public var agent: Int64
  /// Attempts that ended.
  public var ends: [TaskEnd]
  /// The most tasks to take.
  public var slots: Int
  /// For how long to lock them.
  public var lockFor: TimeSpan
  /// Take only tasks of this host; nil takes all hosts for the local one.
  public var host: String?
  /// Take only tasks of these queues, as an agent of the fleet does; nil for a command that runs its own run.
  public var queues: [String]?
  /// The local host, recorded for tasks of groups.
  public var localHost: String
  /// Whether another's transaction in the run is waited for; else ``RunIsBusy`` is thrown.
  public var waits: Bool
  /// Whether tasks without an action end where they are found ready, or made, instead of being taken.
  public var passesEmptySteps: Bool
  /// Whether the answer names those, rather than count them.
  public var namesPassed: Bool

  /// A request of these values.
  public init(
    run: String, agent: Int64, ends: [TaskEnd], slots: Int, lockFor: TimeSpan, host: String?,
    queues: [String]? = nil, localHost: String, waits: Bool = true, passesEmptySteps: Bool = false,
    namesPassed: Bool = true
  ) {
    self.namesPassed = namesPassed
    self.waits = waits
    self.passesEmptySteps = passesEmptySteps
    self.queues = queues
    self.run = run
    self.agent = agent
    self.ends = ends
    self.slots = slots
    self.lockFor = lockFor
    self.host = host
    self.localHost = localHost
  }
}

/// Another transaction is under way in the run, and was not to be waited for. Nothing happened.
public struct RunIsBusy: Error {
  /// An error of this kind.
  public init() {}
}

/// An attempt that ended.
public struct TaskEnd: Sendable {
  /// The task's number in its run.
  public let number: Int64
  /// The fencing token of the taking.
  public let fence: Int64
  /// How it ended.
  public let outcome: Outcome
  /// What its agent knows of the task: what its end will lead to is read ahead by that. Nil: it is read when it is needed.
  public let task: TaskFact?

  /// The end of a task.
  public init(number: Int64, fence: Int64, outcome: Outcome, task: TaskFact? = nil) {
    self.number = number
    self.fence = fence
    self.outcome = outcome
    self.task = task
  }

  /// The end of what was taken as `claim`.
  public init(of claim: Claim, _ outcome: Outcome) {
    self.init(number: claim.task.number, fence: claim.fence, outcome: outcome, task: claim.task)
  }
}

/// A task an agent holds.
public struct HeldTask: Sendable, Hashable {
  /// The run's id.
  public let run: String
  /// The task's number in its run.
  public let number: Int64
  /// The fencing token.
  public let fence: Int64
  /// Whether its holder also took it first: else an earlier agent's keeper may have its process.
  public let isOwn: Bool

  /// A held task.
  public init(run: String, number: Int64, fence: Int64, isOwn: Bool = true) {
    self.run = run
    self.number = number
    self.fence = fence
    self.isOwn = isOwn
  }
}

/// An agent that holds tasks of a run.
public struct Holder: Sendable, Hashable {
  /// Its number.
  public let agent: Int64
  /// Who it is.
  public let identity: AgentIdentity
  /// The journal of the keeper that started these: its own, or that of an agent whose tasks it goes on with.
  public let journal: String
  /// What it holds of what that keeper started.
  public let tasks: [HeldTask]
  /// Whether the first of its locks has expired.
  public let isExpired: Bool
  /// Whether it has said goodbye, and left these to the next agent of its host.
  public let hasLeft: Bool

  /// A holder.
  public init(
    agent: Int64, identity: AgentIdentity, journal: String, tasks: [HeldTask], isExpired: Bool,
    hasLeft: Bool = false
  ) {
    self.hasLeft = hasLeft
    self.agent = agent
    self.identity = identity
    self.journal = journal
    self.tasks = tasks
    self.isExpired = isExpired
  }
}

/// What an advance brought about.
public struct Advance: Sendable {
  /// The run's plan and values.
  public let context: RunContext
  /// The run's status after it.
  public let status: RunStatus
  /// Set when what runs is to be stopped: the run was cancelled, or took too long.
  public let stopsRunning: String?
  /// Tasks taken.
  public let claims: [Claim]
  /// Tasks without an action that were ended, where the request wants them named.
  public let passed: [Claim]
  /// How many those are.
  public let passedCount: Int
  /// Whether there is more that could be done at once: it was left to the next advance.
  public let isUnfinished: Bool
  /// Numbers of reported ends that were not recorded because another agent has taken the task.
  public let superseded: [Int64]
  /// Tasks that ended, became waiting or were retried in it, for the log.
  public let history: [Changes.HistoryEntry]
  /// Microseconds until the next delay is due; nil if none.
  public let nextDue: Int64?
  /// Tasks, delays and loops not over.
  public let active: Int

  /// What an advance brought about.
  public init(
    context: RunContext, status: RunStatus, stopsRunning: String?, claims: [Claim], passed: [Claim] = [],
    passedCount: Int = 0, isUnfinished: Bool = false, superseded: [Int64], history: [Changes.HistoryEntry],
    nextDue: Int64?,
    active: Int
  ) {
    self.context = context
    self.status = status
    self.stopsRunning = stopsRunning
    self.claims = claims
    self.passed = passed
    self.passedCount = passedCount
    self.isUnfinished = isUnfinished
    self.superseded = superseded
    self.history = history
    self.nextDue = nextDue
    self.active = active
  }
}

/// What a look at a run without locking it showed.
public struct Glance: Sendable, Hashable {
  /// The status.
  public let status: RunStatus
  /// Set when what runs is to be stopped.
  public let stopsRunning: String?
  /// Whether an advance would find something to do.
  public let hasWork: Bool
  /// Microseconds until the next delay is due; nil if none.
  public let nextDue: Int64?

  /// A glance.
  public init(status: RunStatus, stopsRunning: String?, hasWork: Bool, nextDue: Int64?) {
    self.status = status
    self.stopsRunning = stopsRunning
    self.hasWork = hasWork
    self.nextDue = nextDue
  }
}

/// What is the same for all tasks of a run.
public struct RunContext: Sendable {
  /// The run's id.
  public let run: String
  /// Its program.
  public let plan: Plan
  /// The recovery.
  public let recovery: Int
  /// The values of the parameters, secret ones left out.
  public let parameters: [String: JSONValue]

  /// A context of these values.
  public init(run: String, plan: Plan, recovery: Int, parameters: [String: JSONValue]) {
    self.run = run
    self.plan = plan
    self.recovery = recovery
    self.parameters = parameters
  }
}

/// A task an agent has taken.
public struct Claim: Sendable {
  /// The task.
  public let task: TaskFact
  /// The recovery in which it stands.
  public let recovery: Int
  /// The fencing token: the number of this taking.
  public let fence: Int64
  /// The item and number of the innermost loop.
  public let loop: (item: JSONValue, index: Int)?
  /// Results of earlier steps that it refers to, by step.
  public let results: [String: JSONValue]

  /// A claim of these values.
  public init(
    task: TaskFact, recovery: Int, fence: Int64, loop: (item: JSONValue, index: Int)?,
    results: [String: JSONValue]
  ) {
    self.task = task
    self.recovery = recovery
    self.fence = fence
    self.loop = loop
    self.results = results
  }
}

/// What a recovery, a rerun or a mark asks for.
public struct ReplayRequest: Sendable, Hashable {
  /// What was asked for.
  public var kind: Replay.Kind
  /// Steps to run again, with the sequence, or all sequences they ran in.
  public var steps: [String] = []
  /// The only sequence in which they run again.
  public var sequence: Sequence?
  /// Whether what follows from them is left out.
  public var only = false
  /// Tasks ended by hand.
  public var marks: [Replay.Mark] = []
  /// Changed values of parameters.
  public var parameters: [String: JSONValue] = [:]
  /// Whether a command carries the new recovery out itself, rather than the agents; nil: as before.
  public var isStandalone: Bool?
  /// Whether every host is then taken as the local one; nil: as before.
  public var isUnpinned: Bool?

  /// A request of this kind.
  public init(kind: Replay.Kind) { self.kind = kind }
}

/// What a replay would do with one task.
public struct PlannedTask: Sendable, Hashable {
  /// What would be done.
  public enum Action: String, Sendable {
    /// It would run.
    case run
    /// Its recorded end would be repeated by its step's policy.
    case skip
    /// Its recorded end would stand, for nothing touches it.
    case reuse
    /// It would end as marked.
    case mark
  }
  /// The step.
  public let step: String
  /// The sequence.
  public let sequence: Sequence
  /// What would be done.
  public let action: Action
  /// Why, in words.
  public let reason: String

  /// A planned task.
  public init(step: String, sequence: Sequence, action: Action, reason: String) {
    self.step = step
    self.sequence = sequence
    self.action = action
    self.reason = reason
  }
}

/// Which runs to list.
public struct RunFilter: Sendable, Hashable {
  /// Only of this program.
  public var program: String?
  /// Only in this status.
  public var status: RunStatus?
  /// Only submitted at most this long ago.
  public var since: TimeSpan?
  /// At most so many.
  public var limit = 50

  /// All runs, at most 50.
  public init() {}
}

/// Which outputs to show.
public struct OutputFilter: Sendable, Hashable {
  /// Only of this step.
  public var step: String?
  /// Only in this sequence.
  public var sequence: Sequence?
  /// Only of this attempt.
  public var attempt: Int?

  /// All outputs of the newest attempts.
  public init() {}
}

/// The kept output of one attempt.
public struct OutputRecord: Sendable, Hashable {
  /// The task, without output.
  public let task: TaskRecord
  /// The last of its output; nil if there is none in the store.
  public let tail: Outcome.Tail?

  /// An output.
  public init(task: TaskRecord, tail: Outcome.Tail?) {
    self.task = task
    self.tail = tail
  }
}

/// One row of a run's history.
public struct HistoryRecord: Sendable, Hashable {
  /// When, by the database.
  public let at: Timestamp
  /// What changed.
  public let entry: Changes.HistoryEntry
  /// The recovery.
  public let recovery: Int
  /// The fencing token of who recorded it; 0 where none was needed.
  public let token: Int64

  /// A row.
  public init(at: Timestamp, entry: Changes.HistoryEntry, recovery: Int, token: Int64) {
    self.at = at
    self.entry = entry
    self.recovery = recovery
    self.token = token
  }
}

/// Why a task, or something that could start one, is not running.
public struct WaitReason: Sendable, Hashable {
  /// The closed list of reasons.
  public enum Code: String, Sendable, CaseIterable {
    case noAgent = "no_agent"
    case draining
    case slotsFull = "slots_full"
    case resourceShort = "resource_short"
    case limitReached = "limit_reached"
    case delayed
    case eventNotRaised = "event_not_raised"
    case paused
    case retry
    case runStopped = "run_stopped"
    case runOver = "run_over"
    case noDriver = "no_driver"
    case ready
    case ended
    case running
  }
  /// The step or other node.
  public let step: String
  /// The sequence; nil if it has no task in any.
  public let sequence: Sequence?
  /// Which reason.
  public let code: Code
  /// The reason in words, with the names involved.
  public let message: String
  /// What to do about it.
  public let mend: String

  /// A reason.
  public init(step: String, sequence: Sequence?, code: Code, message: String, mend: String) {
    self.step = step
    self.sequence = sequence
    self.code = code
    self.message = message
    self.mend = mend
  }
}
