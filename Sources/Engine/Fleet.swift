public import Model

/// What an agent offers, beside who it is.
public struct AgentProfile: Sendable, Hashable {
  /// Labels by which groups with `match` find it.
  public var labels: [String: String]
  /// Tasks at once.
  public var capacity: Int
  /// For how long it locks tasks.
  public var lockFor: TimeSpan

  /// A profile of these values.
  public init(labels: [String: String] = [:], capacity: Int, lockFor: TimeSpan) {
    self.labels = labels
    self.capacity = capacity
    self.lockFor = lockFor
  }
}

/// An agent of the fleet as people see it.
public struct AgentRecord: Sendable, Hashable {
  /// What can be said of whether it works.
  public enum State: String, Sendable, CaseIterable {
    /// It reports in time.
    case live
    /// It finishes what runs and takes nothing new.
    case draining
    /// It has missed two of its reports, and may still come back to its locks.
    case silent
    /// It has not reported for longer than its locks last.
    case gone
    /// It said goodbye.
    case stopped
  }
  /// Its number.
  public let key: Int64
  /// Who it is.
  public let identity: AgentIdentity
  /// What it offers.
  public let profile: AgentProfile
  /// Whether it works.
  public let state: State
  /// Tasks it holds.
  public let running: Int
  /// When it began.
  public let startedAt: Timestamp
  /// When it last reported.
  public let seenAt: Timestamp
  /// How long ago that was, by the database.
  public let silentFor: TimeSpan
  /// The drain of its host, if there is one.
  public let drain: Drain?

  /// A record of these values.
  public init(
    key: Int64, identity: AgentIdentity, profile: AgentProfile, state: State, running: Int,
    startedAt: Timestamp, seenAt: Timestamp, silentFor: TimeSpan, drain: Drain?
  ) {
    self.key = key
    self.identity = identity
    self.profile = profile
    self.state = state
    self.running = running
    self.startedAt = startedAt
    self.seenAt = seenAt
    self.silentFor = silentFor
    self.drain = drain
  }
}

/// A host that takes nothing new.
public struct Drain: Sendable, Hashable {
  /// The host.
  public let host: String
  /// Why.
  public let reason: String
  /// Who asked for it.
  public let by: String
  /// Since when.
  public let at: Timestamp
  /// When what still runs is stopped and given back; nil is never.
  public let deadline: Timestamp?

  /// A drain of these values.
  public init(host: String, reason: String, by: String, at: Timestamp, deadline: Timestamp?) {
    self.host = host
    self.reason = reason
    self.by = by
    self.at = at
    self.deadline = deadline
  }
}

/// What one look at the store showed an agent: all that could be done, in one statement.
public struct Look: Sendable {
  /// Tasks of one run that follow each other in line.
  public struct Candidate: Sendable, Hashable {
    /// The run.
    public var run: String
    /// How many.
    public var tasks: Int
    /// The place in line by priority of the first of them; lower is first.
    public var first: Int64
    /// The same of the last.
    public var last: Int64

    /// So many tasks of a run.
    public init(run: String, tasks: Int, first: Int64 = 0, last: Int64 = 0) {
      self.run = run
      self.tasks = tasks
      self.first = first
      self.last = last
    }
  }

  /// Tasks the agent may take, most urgent first: how many follow each other of which run. A run may come again.
  public var candidates: [Candidate] = []
  /// The most tasks it was to show.
  public var limit = 0
  /// Where the next look may begin.
  public var horizon = LookHorizon()
  /// Runs in which something is due: a delay, a retry, a limit on time, a loop to open further.
  public var due: [String] = []
  /// Microseconds until the next such moment; nil if none is known.
  public var nextDue: Int64?
  /// Runs that were stopped while the agent holds tasks of theirs.
  public var stopped: [String] = []
  /// Runs whose output somebody follows while the agent holds tasks of theirs.
  public var followed: [String] = []
  /// Whether locks of others have expired.
  public var hasExpired = false
  /// Microseconds until a schedule fires; nil if there is none.
  public var nextFiring: Int64?
  /// Microseconds until a sensor is to be asked; nil if there is none.
  public var nextSensor: Int64?
  /// Whether there are queues the agent has not looked at yet.
  public var hasNewQueues = false
  /// Whether the agent's host is draining.
  public var isDraining = false

  /// Nothing to do.
  public init() {}
}

/// What earlier looks have seen to be settled, so that the next need not go over it again.
///
/// Of rows that were changed while some transaction stays open the indexes keep the former entries, at the very end at which
/// a look begins to read. It is a bet on what may still come from before: nothing does, as long as nobody's clock goes back
/// and no transaction takes longer than the margin that is kept to what was seen. Most looks of a busy agent keep a short
/// one, one in some seconds a long one, and a look without a horizon is due now and then.
public struct LookHorizon: Sendable, Hashable {
  /// No task of the default priority that became ready before this was seen to be still there to be taken; in microseconds.
  public var ready: Int64?
  /// No lock that expired before this was seen to be still held; in microseconds.
  public var expired: Int64?
  /// When the long margin was last kept; nil: the next look keeps it.
  public var widenedAt: ContinuousClock.Instant?

  /// Nothing is known.
  public init() {}
}

/// The queues from which an agent takes tasks: that of its host, and those of the groups it is a member of.
public struct AgentQueues: Sendable, Hashable {
  /// Their names.
  public var names: [String]
  /// How many queues were looked at, member or not; -1 before any was.
  public var count: Int64

  /// These queues.
  public init(names: [String], count: Int64) {
    self.names = names
    self.count = count
  }
}

/// What an agent's heartbeat brought back.
public struct Pulse: Sendable {
  /// When it was, by the store's clock.
  public var at: Timestamp
  /// What it still holds.
  public var held: [HeldTask]
  /// Whether another incarnation has its seat: it must stop.
  public var isReplaced: Bool
  /// The drain of its host, if there is one.
  public var drain: Drain?
  /// Microseconds until that drain's deadline; nil without one.
  public var deadlineIn: Int64?

  /// A pulse of these values.
  public init(at: Timestamp, held: [HeldTask], isReplaced: Bool, drain: Drain?, deadlineIn: Int64?) {
    self.at = at
    self.held = held
    self.isReplaced = isReplaced
    self.drain = drain
    self.deadlineIn = deadlineIn
  }
}

/// A sensor of a resource whose turn an agent has taken.
public struct SensorTurn: Sendable, Hashable {
  /// The resource's number.
  public let resource: Int64
  /// Its name.
  public let name: String
  /// The command that prints how many are free.
  public let command: [String]
  /// How often it is asked.
  public let every: TimeSpan

  /// A turn.
  public init(resource: Int64, name: String, command: [String], every: TimeSpan) {
    self.resource = resource
    self.name = name
    self.command = command
    self.every = every
  }
}

/// The last of what a running step has written, for those who follow it.
public struct LiveOutput: Sendable {
  /// The task's number in its run.
  public let number: Int64
  /// The attempt.
  public let attempt: Int
  /// The last of its output.
  public let tail: Outcome.Tail

  /// Output of a running attempt.
  public init(number: Int64, attempt: Int, tail: Outcome.Tail) {
    self.number = number
    self.attempt = attempt
    self.tail = tail
  }
}

/// What agents that serve all runs of a store do, beside ``RunDriver``.
public protocol FleetDriver: RunDriver, ScheduleDriver {
  /// Whether transactions that write follow each other, however many connections there are: a look beside one of them then
  /// takes nothing from it that the next one could use.
  var hasOneWriter: Bool { get }
  /// Takes the seat of `agent`'s host and instance and returns its number.
  ///
  /// - Parameter isGone: Whether the process of an agent of this host is certainly gone.
  /// - Throws: ``StoreError`` of kind `conflict` if a living agent has the seat.
  func enlist(
    _ agent: AgentIdentity, as profile: AgentProfile, isGone: @escaping @Sendable (AgentIdentity) -> Bool
  ) async throws -> Int64
  /// Says where wake-ups reach the agent; nil where none do.
  func announce(agent: Int64, address: String?) async throws
  /// Keeps the agent's locks for `lockFor` more, and learns what it still holds and whether its host drains.
  ///
  /// - Parameter since: When the last beat was, by the store's clock: whatever had expired by then is not looked for again.
  func beat(agent: Int64, lockFor: TimeSpan, since: Timestamp?) async throws -> Pulse
  /// Looks at everything that could be done by the agent, in one statement.
  ///
  /// - Parameters:
  ///   - limit: The most tasks that it shows; with 0 it looks for none.
  ///   - horizon: What an earlier look of this agent has brought, to go no further back.
  func look(agent: Int64, queues: AgentQueues, limit: Int, horizon: LookHorizon) async throws -> Look
  /// Learns of queues made since it last did, and becomes a member of those it fits.
  func joinQueues(agent: Int64) async throws -> AgentQueues
  /// What agents of `host` other than `agent` hold of runs that are left to agents, by the keeper that started it.
  func orphans(on host: String, otherThan agent: Int64) async throws -> [Holder]
  /// The plan and values of a run.
  func context(of run: String) async throws -> RunContext
  /// The locks that have expired, of what is not kept for its host.
  func expiredLocks() async throws -> ExpiredLocks
  /// Gives up tasks whose locks have expired: they follow `on_lost`. The caller has made sure that their holders had the
  /// time to report, and does so again by the time it sends along: what is carried out later than that is void.
  ///
  /// - Parameter locks: Each with how long after `seen` it may be given up at the latest.
  /// - Returns: How many were given up.
  func reap(_ locks: [(lock: ExpiredLock, within: TimeSpan)], seen: Timestamp) async throws -> Int
  /// Of these runs, the tasks that somebody holds.
  func heldTasks(of runs: [String]) async throws -> [HeldTask]
  /// Gives back tasks of a draining host whose deadline is over: they are ready again.
  func yield(_ tasks: [HeldTask], because reason: String, unstarted: Bool) async throws
  /// Takes the turn of sensors that are to be asked now.
  func takeSensorTurns(host: String) async throws -> [SensorTurn]
  /// Records what a sensor said; nil if it failed.
  func record(sensor: Int64, free: Int?, message: String?) async throws
  /// Keeps the last of what running steps have written.
  func publish(_ outputs: [LiveOutput], of run: String) async throws
  /// Removes runs that ended longer ago than `age`, at most `limit`. Returns how many.
  func purgeSome(olderThan age: TimeSpan, limit: Int) async throws -> Int
}

/// A lock that nobody has renewed in time.
public struct ExpiredLock: Sendable, Hashable {
  /// The task, under the fence of whoever had it.
  public var task: HeldTask
  /// For how long its holder locks tasks.
  public var length: TimeSpan
  /// Who that was, in a sentence.
  public var reason: String

  /// The lock of `task`, whose holder locks for `length`.
  public init(task: HeldTask, length: TimeSpan, reason: String) {
    self.task = task
    self.length = length
    self.reason = reason
  }
}

/// Locks that have expired, and when that was seen.
public struct ExpiredLocks: Sendable {
  /// The time of the store.
  public var seen: Timestamp
  /// The locks, those that expired first before the others.
  public var locks: [ExpiredLock]

  /// The locks that have expired at `seen`.
  public init(seen: Timestamp, locks: [ExpiredLock]) {
    self.seen = seen
    self.locks = locks
  }
}

/// What people ask of the fleet.
public protocol FleetControl: Sendable {
  /// The agents, by host and instance; of each seat the newest.
  func agents() async throws -> [AgentRecord]
  /// `host` takes nothing new until ``undrain(_:)``.
  func drain(_ host: String, reason: String, within deadline: TimeSpan?, by user: String) async throws
  /// Undoes a drain; false if there was none.
  func undrain(_ host: String) async throws -> Bool
  /// Somebody follows the output of `run` for a while.
  func follow(_ run: String) async throws
}

extension Program.Step {
  /// Whether nobody but an agent of its own host may give it up: an expired lock alone says nothing about it.
  ///
  /// Pinned steps are kept unless they say otherwise: nobody else could run them anyway.
  public var isKept: Bool { (onCutOff ?? (group == nil ? .keep : .stop)) == .keep }
}
