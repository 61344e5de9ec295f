public import Model

/// Something that happened to a task, told in one line where progress can't be redrawn.
public struct ProgressTransition: Sendable, Hashable {
  /// What happened.
  public enum Change: Sendable, Hashable {
    /// Its process was started.
    case started(host: String?)
    /// It ended after this long; `detail` is its exit code, signal or message.
    case ended(TaskStatus, seconds: Double?, detail: String?)
    /// A recovery repeated its earlier end, or its precondition was false.
    case skipped
    /// Another attempt follows.
    case retrying(attempt: Int)
    /// It waits for this.
    case waiting(String)
  }

  /// When.
  public var at: Timestamp
  /// The step.
  public var step: String
  /// The sequence.
  public var sequence: Sequence
  /// What happened.
  public var change: Change

  /// A transition of these values.
  public init(at: Timestamp, step: String, sequence: Sequence, change: Change) {
    self.at = at
    self.step = step
    self.sequence = sequence
    self.change = change
  }

  /// What happened between two reports of one run, in the order it happened. With nil before, all that is known of
  /// the run so far; `now` is when the later report was made.
  public static func between(_ before: RunReport?, _ after: RunReport, now: Timestamp) -> [ProgressTransition]
  {
    var known: [TaskKey: TaskRecord] = [:]
    for task in before?.currentTasks ?? [] { known[TaskKey(task)] = task }
    var found: [ProgressTransition] = []
    for task in after.currentTasks {
      let old = known[TaskKey(task)]
      func add(_ at: Timestamp?, _ change: Change) {
        found.append(
          ProgressTransition(at: at ?? now, step: task.step, sequence: task.sequence, change: change))
      }
      if old?.status == task.status, old?.attempt == task.attempt, old?.recovery == task.recovery { continue }
      if let old, old.attempt < task.attempt, old.recovery == task.recovery {
        add(task.readyAt.flatMap { $0 > now ? nil : $0 }, .retrying(attempt: task.attempt))
      }
      if task.skipped, task.status == .success {
        add(task.endedAt, .skipped)
        continue
      }
      let isNewStart = old.map { $0.startedAt != task.startedAt || $0.status.isOver } ?? true
      if let start = task.startedAt, isNewStart { add(start, .started(host: task.host)) }
      if task.status.isOver {
        let seconds = task.startedAt.flatMap { start in task.endedAt.map { $0 - start } }
        add(task.endedAt, .ended(task.status, seconds: seconds, detail: task.endDetail))
      }
    }
    return found.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }.map(
      \.element)
  }

  private struct TaskKey: Hashable {
    let step: String
    let sequence: Sequence
    init(_ task: TaskRecord) {
      step = task.step
      sequence = task.sequence
    }
  }
}

extension ProgressView {
  /// One line, without its newline, such as `12:00:01 s1/1 started on s1` or `12:00:02 s1/1 success in 1.2s`. Times
  /// are UTC, or `offset` seconds east of it.
  public static func plainLine(
    for transition: ProgressTransition, offset: Int = 0, on profile: TerminalProfile = .plain
  ) -> String {
    let what: String
    let style: TextStyle
    switch transition.change {
    case .started(let host):
      what = "started" + (host.map { " on " + $0 } ?? "")
      style = .busy
    case .ended(let status, let seconds, let detail):
      what =
        status.rawValue + (seconds.map { " in " + Elapsed.text($0) } ?? "") + (detail.map { ": " + $0 } ?? "")
      style = TextStyle(status)
    case .skipped:
      what = "skipped"
      style = .notable
    case .retrying(let attempt):
      what = "attempt \(attempt) follows"
      style = .notable
    case .waiting(let reason):
      what = "waiting: " + reason
      style = .faint
    }
    let clock = TextStyle.faint.applied(to: Elapsed.clock(transition.at, offset: offset), on: profile)
    let name = neutralised("\(transition.step)/\(transition.sequence)", onOneLine: true)
    return clock + " " + name + " " + style.applied(to: neutralised(what, onOneLine: true), on: profile)
  }
}

extension TaskRecord {
  /// What an end that is no success has to say: `exit 3`, `SIGKILL`, and its message; nil for a success.
  var endDetail: String? {
    guard status == .failure || status == .cancelled else { return nil }
    let parts = [signal, signal == nil ? exitCode.map { "exit \($0)" } : nil, message].compactMap { $0 }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }
}
