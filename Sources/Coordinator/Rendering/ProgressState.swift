public import Model

/// What live progress shows of a run at one moment.
public struct ProgressState: Sendable, Hashable {
  /// A task that runs.
  public struct Running: Sendable, Hashable {
    /// The step.
    public var step: String
    /// The sequence.
    public var sequence: Sequence
    /// Where it runs.
    public var host: String?
    /// For how long.
    public var seconds: Double

    /// A running task.
    public init(step: String, sequence: Sequence, host: String?, seconds: Double) {
      self.step = step
      self.sequence = sequence
      self.host = host
      self.seconds = seconds
    }
  }

  /// Why some tasks do not run yet.
  public struct Waiting: Sendable, Hashable {
    /// The reason in words, as `why` gives it.
    public var reason: String
    /// How many tasks wait for it.
    public var count: Int

    /// `count` tasks wait for `reason`.
    public init(reason: String, count: Int) {
      self.reason = reason
      self.count = count
    }
  }

  /// The program's name.
  public var program: String
  /// The run.
  public var runID: String
  /// Its state.
  public var status: RunStatus
  /// Seconds since it began.
  public var elapsed: Double
  /// Tasks by state.
  public var counts: [TaskStatus: Int]
  /// Those of the successes that were skipped.
  public var skipped: Int
  /// Tasks that run, the longest first.
  public var running: [Running]
  /// Why others do not.
  public var waiting: [Waiting]
  /// How many tasks there will be, where that can be known; never fewer than there are.
  public var expected: Int?

  /// A state of these values.
  public init(
    program: String, runID: String, status: RunStatus, elapsed: Double, counts: [TaskStatus: Int],
    skipped: Int = 0, running: [Running] = [], waiting: [Waiting] = [], expected: Int? = nil
  ) {
    self.program = program
    self.runID = runID
    self.status = status
    self.elapsed = elapsed
    self.counts = counts
    self.skipped = skipped
    self.running = running
    self.waiting = waiting
    self.expected = expected
  }

  /// The state that `report` shows at `now`. `expected` is a guess from outside, such as the number of steps of a
  /// program without loops.
  public init(report: RunReport, now: Timestamp, expected: Int? = nil) {
    let tasks = report.currentTasks
    let running = tasks.filter { $0.status == .running }
      .map { task in
        let seconds = task.startedAt.map { max(0, now - $0) } ?? 0
        return Running(step: task.step, sequence: task.sequence, host: task.host, seconds: seconds)
      }
      .sorted { ($1.seconds, $0.step, $0.sequence) < ($0.seconds, $1.step, $1.sequence) }
    let begin = report.run.startedAt ?? report.run.createdAt
    self.init(
      program: report.run.program, runID: report.run.id, status: report.run.status,
      elapsed: max(0, (report.run.endedAt ?? now) - begin),
      counts: Dictionary(grouping: tasks, by: \.status).mapValues(\.count),
      skipped: tasks.filter { $0.skipped && $0.status == .success }.count, running: running,
      waiting: report.run.waitingFor.map { Waiting(reason: $0, count: 0) }, expected: expected)
  }

  /// The state that `summary` shows at `now`, without the tasks that run.
  public init(summary: RunSummary, now: Timestamp) {
    let run = summary.run
    self.init(
      program: run.program, runID: run.id, status: run.status,
      elapsed: max(0, (run.endedAt ?? now) - (run.startedAt ?? run.createdAt)), counts: summary.counts,
      skipped: summary.skipped, waiting: run.waitingFor.map { Waiting(reason: $0, count: 0) })
  }

  /// Tasks known so far.
  public var known: Int { counts.values.reduce(0, +) }
  /// Tasks that have ended.
  public var ended: Int { counts.filter { $0.key.isOver }.values.reduce(0, +) }
}

extension RunReport {
  /// The newest attempt of each task in its newest recovery, in the report's order; superseded attempts count only
  /// where there is no other.
  var currentTasks: [TaskRecord] {
    struct Key: Hashable {
      let step: String
      let sequence: Sequence
    }
    var newest: [Key: Int] = [:]
    for (place, task) in tasks.enumerated() {
      let key = Key(step: task.step, sequence: task.sequence)
      guard let other = newest[key] else {
        newest[key] = place
        continue
      }
      let rank = { (task: TaskRecord) in (task.recovery, task.superseded ? 0 : 1, task.attempt) }
      if rank(task) > rank(tasks[other]) { newest[key] = place }
    }
    return newest.values.sorted().map { tasks[$0] }
  }
}
