import Database
import Engine
import Model

/// What becomes of tasks that exist: their ends, retries, and the moments at which they may start.
extension SQLStore {
  /// Ends that follow each other and say the same are written together.
  func apply(
    _ changes: [Changes.TaskChange], of run: LockedRun, by agent: Int64?, _ now: Int64, _ session: any Session
  ) throws {
    var rest = changes[...]
    while let next = rest.first {
      let ends = rest.prefix { if case .ended = $0.kind { true } else { false } }
      let passed = rest.prefix { if case .passed = $0.kind { true } else { false } }
      if !ends.isEmpty {
        try write(ends: ends, run.state.key, now, session)
        for change in ends { try release(change, of: run, session) }
      } else if !passed.isEmpty {
        try write(passed: passed, by: agent, run.state.key, now, session)
      } else {
        try apply(next, of: run, now, session)
      }
      rest = rest.dropFirst(max(1, ends.count + passed.count))
    }
  }

  /// Taken and ended at once.
  private func write(
    passed: some Collection<Changes.TaskChange>, by agent: Int64?, _ key: Int64, _ now: Int64,
    _ session: any Session
  ) throws {
    var numbers: [String: [Int64]] = [:]
    for change in passed {
      if case .passed(let host) = change.kind { numbers[host, default: []].append(change.task.number) }
    }
    for (host, numbers) in numbers.sorted(by: { $0.key < $1.key }) {
      for chunk in numbers.chunks(of: 64) {
        try session.enqueue(
          """
          UPDATE ev_task SET status = 'success', open = NULL, wait_code = NULL, due_at = NULL, message = NULL,
            started_at = \(now), ended_at = \(now), agent = \(agent), host = COALESCE(host, \(host)), fence = fence + 1
          WHERE run_key = \(key) AND no IN \(list: chunk)
          """)
      }
    }
  }

  private func apply(_ change: Changes.TaskChange, of run: LockedRun, _ now: Int64, _ session: any Session)
    throws
  {
    let (key, number) = (run.state.key, change.task.number)
    switch change.kind {
    case .ready:
      try session.enqueue(
        """
        UPDATE ev_task SET status = 'ready', wait_code = NULL, due_at = NULL, ready_at = \(now)
        WHERE run_key = \(key) AND no = \(number) AND status = 'waiting'
        """)
    case .broughtForward(let moment):
      try session.enqueue(
        """
        UPDATE ev_task SET due_at = \(moment.microseconds), ready_at = \(moment.microseconds)
        WHERE run_key = \(key) AND no = \(number) AND status = 'waiting'
        """)
    case .ended, .passed: break
    case .retried(let outcome, let moment):
      try archive(change.task, key, now, outcome, superseded: false, session)
      // A member of a group is free to go to any of its hosts again, or to any other.
      let isElsewhere = run.plan.steps[change.task.step]?.definition.retry?.elsewhere == true
      let avoided = isElsewhere ? change.task.host : nil
      try session.enqueue(
        """
        UPDATE ev_task SET status = 'waiting', wait_code = 'retry', attempt = attempt + 1,
          due_at = \(moment.microseconds), ready_at = \(moment.microseconds), started_at = NULL, holder = NULL,
          lock_until = NULL, kept = NULL, message = \(outcome.message), exit_code = NULL, signal_name = NULL,
          log_path = NULL, \(avoiding(avoided, session.dialect))
          host = CASE WHEN host_group IS NULL THEN host ELSE NULL END
        WHERE run_key = \(key) AND no = \(number)
        """)
      try release(change, of: run, session)
    case .lost(let reason), .returned(let reason):
      var losses: SQL = "losses + 1"
      if case .returned = change.kind { losses = "losses" }
      try archive(change.task, key, now, Outcome(.cancelled, message: reason), superseded: true, session)
      // What was lost is first in line (rule 7), before every priority.
      try session.enqueue(
        """
        UPDATE ev_task SET status = 'ready', attempt = attempt + 1, losses = \(losses), started_at = NULL,
          holder = NULL, lock_until = NULL, kept = NULL, message = \(reason), log_path = NULL, fence = fence + 1,
          ordering = \(TaskFact.firstInLine), host = CASE WHEN host_group IS NULL THEN host ELSE NULL END
        WHERE run_key = \(key) AND no = \(number)
        """)
      try release(change, of: run, session)
    }
  }

  /// Adds a host to those that the next attempt avoids.
  private func avoiding(_ host: String?, _ dialect: Dialect) -> SQL {
    guard let host else { return "" }
    let added = host + " "
    return dialect.kind == .mysql
      ? "avoid = CONCAT(COALESCE(avoid, ' '), \(added))," : "avoid = COALESCE(avoid, ' ') || \(added),"
  }

  private func write(
    ends: some Collection<Changes.TaskChange>, _ key: Int64, _ now: Int64, _ session: any Session
  ) throws {
    // Most say what the one before says.
    var groups: [(end: End, numbers: [Int64])] = []
    var places: [End: Int] = [:]
    var last = 0
    for change in ends {
      guard case .ended(let outcome) = change.kind else { continue }
      let end = try End(outcome, of: change.task)
      if groups.indices.contains(last), groups[last].end == end {
        groups[last].numbers.append(change.task.number)
      } else if let place = places[end] {
        last = place
        groups[last].numbers.append(change.task.number)
      } else {
        last = groups.count
        places[end] = last
        groups.append((end, [change.task.number]))
      }
    }
    for (end, numbers) in groups {
      for chunk in numbers.chunks(of: 64) {
        try session.enqueue(
          """
          UPDATE ev_task SET status = \(end.status.rawValue), open = NULL, wait_code = NULL, due_at = NULL,
            ended_at = \(now), holder = NULL, lock_until = NULL, kept = NULL, exit_code = \(end.exitCode),
            signal_name = \(end.signal), message = \(end.message), skipped = \(end.skipped),
            result_no = \(end.resultNumber), file_triggers = \(end.triggers), marked_by = \(end.markedBy),
            max_rss = \(end.maxResidentKiB), cpu = \(end.cpuMicroseconds), log_path = \(end.logPath)
          WHERE run_key = \(key) AND no IN \(list: Array(chunk))
          """)
      }
    }
    for change in ends {
      guard case .ended(let outcome) = change.kind else { continue }
      let task = change.task
      if let result = outcome.result {
        try session.enqueue(
          "INSERT INTO ev_result (run_key, no, result) VALUES (\(key), \(task.number), \(result.json))")
      }
      try keep(outcome.tail, of: task, key, session)
      if task.status == .waiting {
        try session.enqueue("DELETE FROM ev_ticket WHERE run_key = \(key) AND task_no = \(task.number)")
      }
    }
  }

  /// What the row of a task says of its end: of many that did nothing, the same.
  private struct End: Hashable {
    let status: TaskStatus
    let exitCode: Int?
    let signal: String?
    let message: String?
    let skipped: Bool
    let resultNumber: Int64?
    let triggers: String?
    let markedBy: String?
    let maxResidentKiB: Int?
    let cpuMicroseconds: Int64?
    let logPath: String?

    init(_ outcome: Outcome, of task: TaskFact) throws {
      status = outcome.status
      exitCode = outcome.exitCode
      signal = outcome.signal
      message = outcome.message
      skipped = outcome.skipped
      resultNumber = outcome.result == nil ? nil : task.number
      triggers = outcome.fileTriggers.isEmpty ? nil : try JSONText.encode(outcome.fileTriggers)
      markedBy = outcome.markedBy
      maxResidentKiB = outcome.maxResidentKiB
      cpuMicroseconds = outcome.cpuMicroseconds
      logPath = outcome.logPath
    }
  }

  /// Moves what is known of an attempt out of the task's row, which the next attempt will use.
  private func archive(
    _ task: TaskFact, _ key: Int64, _ now: Int64, _ outcome: Outcome, superseded: Bool, _ session: any Session
  ) throws {
    try session.enqueue(
      """
      INSERT INTO ev_attempt (run_key, no, attempt, status, superseded, host, agent, fence, started_at, ended_at,
        exit_code, signal_name, message, max_rss, cpu, log_path)
      SELECT run_key, no, attempt, \(outcome.status.rawValue), \(superseded), host, agent, fence, started_at, \(now),
        \(outcome.exitCode), \(outcome.signal), \(outcome.message), \(outcome.maxResidentKiB),
        \(outcome.cpuMicroseconds), \(outcome.logPath)
      FROM ev_task WHERE run_key = \(key) AND no = \(task.number)
      """)
    try keep(outcome.tail, of: task, key, session)
  }

  private func keep(_ tail: Outcome.Tail?, of task: TaskFact, _ key: Int64, _ session: any Session) throws {
    guard let tail, tail.totalBytes > 0 else { return }
    // There may be some already, put there while it ran for somebody who follows it.
    try session.enqueue(
      """
      INSERT INTO ev_output (run_key, no, attempt, tail, total_bytes)
      VALUES (\(key), \(task.number), \(task.attempt), \(tail.text), \(tail.totalBytes))\
      \(raw: session.dialect.upsert(keys: ["run_key", "no", "attempt"], update: ["tail", "total_bytes"]))
      """)
  }

  private func release(_ change: Changes.TaskChange, of run: LockedRun, _ session: any Session) throws {
    guard run.plan.hasDemands || change.releases?.isEmpty == false,
      let step = run.plan.steps[change.task.step],
      run.plan.hasDemands(step) || change.releases?.isEmpty == false
    else { return }
    try Holds(session: session, run: run.state.key).release(task: change.task.number, change.releases)
  }
}

extension TaskFact {
  /// Before the highest priority that a program may give.
  static let firstInLine: Int64 = -1_000_000_000

  /// The place of a task among ready ones, as `ev_task.ordering` has it: lower is first. What was lost is first in line
  /// (rule 7), then comes what has a higher priority.
  func ordering(in plan: Plan) -> Int64 {
    losses > 0 ? Self.firstInLine : -Int64(plan.steps[step]?.definition.priority ?? 0)
  }
}
