/// A run as the store shows it, in one of its recoveries.
public struct RunRecord: Sendable, Hashable {
  /// The run's identifier.
  public var id: String
  /// The program's name.
  public var program: String
  /// The digest of the program's content.
  public var version: String
  /// The state.
  public var status: RunStatus
  /// Which recovery is shown, from 0.
  public var recovery: Int
  /// Whether the run belongs to the command that began it rather than to the agents.
  public var isStandalone: Bool
  /// The values of the parameters; secret ones are `***`.
  public var parameters: [String: JSONValue]
  /// When it was submitted.
  public var createdAt: Timestamp
  /// When its first task started.
  public var startedAt: Timestamp?
  /// When it ended.
  public var endedAt: Timestamp?
  /// Who submitted it: `user@host`.
  public var createdBy: String
  /// Why it stands as it does, where that needs saying: who cancelled it, which limit ended it.
  public var message: String?
  /// What keeps a run that goes on from going on, in words.
  public var waitingFor: [String]

  /// A record of these values.
  public init(
    id: String, program: String, version: String, status: RunStatus, recovery: Int, isStandalone: Bool,
    parameters: [String: JSONValue], createdAt: Timestamp, startedAt: Timestamp?, endedAt: Timestamp?,
    createdBy: String, message: String?, waitingFor: [String]
  ) {
    self.id = id
    self.program = program
    self.version = version
    self.status = status
    self.recovery = recovery
    self.isStandalone = isStandalone
    self.parameters = parameters
    self.createdAt = createdAt
    self.startedAt = startedAt
    self.endedAt = endedAt
    self.createdBy = createdBy
    self.message = message
    self.waitingFor = waitingFor
  }
}

/// One attempt of one task as the store shows it.
public struct TaskRecord: Sendable, Hashable {
  /// The step.
  public var step: String
  /// The sequence.
  public var sequence: Sequence
  /// The recovery in which it stands.
  public var recovery: Int
  /// The attempt, from 1.
  public var attempt: Int
  /// Where it runs or ran; nil while any host may take it.
  public var host: String?
  /// The state.
  public var status: TaskStatus
  /// How its process ended, if by itself.
  public var exitCode: Int?
  /// The name of the signal that ended it, such as `SIGKILL`.
  public var signal: String?
  /// What it wrote to its result file.
  public var result: JSONValue?
  /// What went wrong, in a sentence, or by whom and why it was marked.
  public var message: String?
  /// Whether a recovery repeated its earlier end, or its precondition was false.
  public var skipped: Bool
  /// Whether a later taker recorded the end instead of this attempt.
  public var superseded: Bool
  /// When it may start, while it waits for a delay.
  public var dueAt: Timestamp?
  /// When it could first have started.
  public var readyAt: Timestamp?
  /// When its process was started.
  public var startedAt: Timestamp?
  /// When its end was recorded.
  public var endedAt: Timestamp?
  /// Peak resident memory of its process, in KiB.
  public var maxResidentKiB: Int?
  /// Processor time of its process, in microseconds.
  public var cpuMicroseconds: Int64?
  /// The file that holds its output on the host where it ran.
  public var logPath: String?
  /// What it has last said of itself; nil if nothing.
  public var note: TaskNote?

  /// A record of these values.
  public init(
    step: String, sequence: Sequence, recovery: Int, attempt: Int, host: String?, status: TaskStatus,
    exitCode: Int? = nil, signal: String? = nil, result: JSONValue? = nil, message: String? = nil,
    skipped: Bool = false, superseded: Bool = false, dueAt: Timestamp? = nil, readyAt: Timestamp? = nil,
    startedAt: Timestamp? = nil, endedAt: Timestamp? = nil, maxResidentKiB: Int? = nil,
    cpuMicroseconds: Int64? = nil, logPath: String? = nil
  ) {
    self.step = step
    self.sequence = sequence
    self.recovery = recovery
    self.attempt = attempt
    self.host = host
    self.status = status
    self.exitCode = exitCode
    self.signal = signal
    self.result = result
    self.message = message
    self.skipped = skipped
    self.superseded = superseded
    self.dueAt = dueAt
    self.readyAt = readyAt
    self.startedAt = startedAt
    self.endedAt = endedAt
    self.maxResidentKiB = maxResidentKiB
    self.cpuMicroseconds = cpuMicroseconds
    self.logPath = logPath
  }
}

/// What an attempt has last said of itself while it ran.
public struct TaskNote: Sendable, Hashable {
  /// How much of its work was done, from 0 to 1; nil if it did not say.
  public var fraction: Double?
  /// What it was at, in words.
  public var message: String?
  /// When it said so, by the database.
  public var at: Timestamp

  /// A note of these values.
  public init(fraction: Double?, message: String?, at: Timestamp) {
    self.fraction = fraction
    self.message = message
    self.at = at
  }

  /// As people read it: `40 %: copying`, either part alone, or nothing.
  public var text: String {
    let share = fraction.map { "\(Int(($0 * 100).rounded(.down))) %" }
    return [share, message].compactMap { $0 }.joined(separator: ": ")
  }
}

/// A loop as the store shows it.
public struct LoopRecord: Sendable, Hashable {
  /// The loop.
  public var loop: String
  /// The sequence in which it runs; its iterations run in `S/1`, `S/2`, ….
  public var sequence: Sequence
  /// The recovery in which it stands.
  public var recovery: Int
  /// The state.
  public var status: LoopStatus
  /// How many iterations it has in all.
  public var iterations: Int
  /// How many are over.
  public var ended: Int

  /// A record of these values.
  public init(
    loop: String, sequence: Sequence, recovery: Int, status: LoopStatus, iterations: Int, ended: Int
  ) {
    self.loop = loop
    self.sequence = sequence
    self.recovery = recovery
    self.status = status
    self.iterations = iterations
    self.ended = ended
  }
}

/// A triggered event as the store shows it.
public struct EventRecord: Sendable, Hashable {
  /// The event.
  public var event: String
  /// The sequence.
  public var sequence: Sequence
  /// The recovery in which it was triggered.
  public var recovery: Int
  /// When.
  public var triggeredAt: Timestamp

  /// A record of these values.
  public init(event: String, sequence: Sequence, recovery: Int, triggeredAt: Timestamp) {
    self.event = event
    self.sequence = sequence
    self.recovery = recovery
    self.triggeredAt = triggeredAt
  }
}

/// Everything `status` shows of a run.
public struct RunReport: Sendable, Hashable {
  /// The run.
  public var run: RunRecord
  /// Its tasks, in the order they became ready.
  public var tasks: [TaskRecord]
  /// Its loops.
  public var loops: [LoopRecord]
  /// Its events, in the order they were triggered.
  public var events: [EventRecord]

  /// A report of these records.
  public init(run: RunRecord, tasks: [TaskRecord], loops: [LoopRecord], events: [EventRecord]) {
    self.run = run
    self.tasks = tasks
    self.loops = loops
    self.events = events
  }
}

/// How a run stands, in a size that does not grow with it.
public struct RunSummary: Sendable, Hashable {
  /// The run.
  public var run: RunRecord
  /// Its tasks in the recovery shown, counted by status.
  public var counts: [TaskStatus: Int]
  /// Of the successes, those that a recovery repeated or whose precondition was false.
  public var skipped: Int
  /// The first failed tasks; ``counts`` tells how many there are.
  public var failures: [TaskRecord]

  /// A summary of these values.
  public init(run: RunRecord, counts: [TaskStatus: Int], skipped: Int, failures: [TaskRecord]) {
    self.run = run
    self.counts = counts
    self.skipped = skipped
    self.failures = failures
  }
}
