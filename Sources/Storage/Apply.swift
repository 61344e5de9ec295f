import Database
import Engine
import Model

/// Writes what a transition decided. Everything is in the caller's transaction, under the run's lock.
extension SQLStore {
  /// Returns what the history is to be told.
  func apply(
    _ changes: Changes, of run: LockedRun, by agent: Int64? = nil, taking: Taking? = nil,
    _ session: any Session
  ) throws -> [Changes.HistoryEntry] {
    let key = changes.run.key
    let now = changes.run.now.microseconds
    try fault(.applyBefore, session)
    let cancelled = try changes.cancelsUnstarted.map { try cancelUnstarted(changes, $0, session) } ?? []
    try apply(changes.taskChanges, of: run, by: agent, now, session)
    try fault(.applyAfterEnds, session)
    try insert(changes.events, changes.run, session)
    try insert(changes.tasks, of: run, changes.run, by: agent, taking, session)
    try fault(.applyAfterTasks, session)
    try insert(changes.delays, changes.run, session)
    for chunk in changes.overDelays.chunks(of: 64) {
      try session.enqueue("DELETE FROM ev_delay WHERE run_key = \(key) AND no IN \(list: Array(chunk))")
    }
    try write(loopsOf: changes, run.plan, session)
    try write(iterationsOf: changes, session)
    try write(runOf: changes, run, session)
    try fault(.applyAfterRun, session)
    return changes.history + cancelled
  }

  private func write(runOf changes: Changes, _ former: LockedRun, _ session: any Session) throws {
    let run = changes.run
    let now = run.now.microseconds
    let hasEnded = run.status.isOver && !changes.formerStatus.isOver
    guard run != former.state || hasEnded else { return }
    try session.enqueue(
      """
      UPDATE ev_run SET status = \(run.status.rawValue), active = \(run.active), failures = \(run.failures),
        stopped = \(run.isStopped), verdict = \(run.verdict?.rawValue), message = \(run.message),
        next_no = \(run.nextNumber), ended_at = \(hasEnded ? now : nil as Int64?)
      WHERE run_key = \(run.key)
      """)
    guard hasEnded else { return }
    try session.enqueue(
      """
      UPDATE ev_recovery SET status = \(run.status.rawValue), message = \(run.message), ended_at = \(now)
      WHERE run_key = \(run.key) AND recovery = \(run.recovery)
      """)
    try Holds(session: session, run: run.key).releaseEverything(of: run.id)
  }

  /// Returns what the history is told of it: after everything else, as a task may have become ready in the very
  /// transition that stopped the run. One that ended in it, by hand, is not among them.
  private func cancelUnstarted(
    _ changes: Changes, _ reason: String, _ session: any Session
  ) throws -> [Changes.HistoryEntry] {
    let run = changes.run
    let ended = Set(changes.taskChanges.map(\.task.number))
    let rows = try session.query(
      """
      SELECT \(raw: TaskFact.columns) FROM ev_task
      WHERE run_key = \(run.key) AND open = 1 AND status IN ('ready', 'waiting')
      """)
    let entries = try rows.map { try TaskFact($0) }.filter { !ended.contains($0.number) }.map { task in
      Changes.HistoryEntry(
        subject: .task, name: task.step, sequence: task.sequence.text, attempt: task.attempt,
        from: task.status.rawValue, to: TaskStatus.cancelled.rawValue, actor: "engine", token: task.fence)
    }
    try session.enqueue(
      """
      UPDATE ev_task SET status = 'cancelled', open = NULL, due_at = NULL, wait_code = NULL, message = \(reason),
        ended_at = \(run.now.microseconds)
      WHERE run_key = \(run.key) AND open = 1 AND status IN ('ready', 'waiting')
      """)
    try session.enqueue("DELETE FROM ev_ticket WHERE run_key = \(run.key)")
    try session.enqueue("DELETE FROM ev_delay WHERE run_key = \(run.key)")
    try session.enqueue("UPDATE ev_loop SET growing = NULL WHERE run_key = \(run.key) AND growing = 1")
    return entries
  }

  // MARK: New rows

  private func insert(_ events: [Changes.NewEvent], _ run: RunState, _ session: any Session) throws {
    try session.enqueueInsert(
      into: "ev_event",
      columns: [
        "run_key", "event", "sequence", "recovery", "no", "scope", "hosts", "triggered_at", "first_at",
        "outside",
      ],
      rows: events.map { event in
        [
          .integer(run.key), .text(event.event), .text(event.sequence.text), .integer(Int64(run.recovery)),
          .integer(event.number), .integer(event.scope), .text(event.hosts.hostColumn),
          .integer(run.now.microseconds), .integer(event.firstAt.microseconds),
          event.isFromOutside.databaseValue,
        ]
      })
  }

  private static let taskColumns = [
    "run_key", "no", "recovery", "step", "sequence", "scope", "status", "open", "attempt", "losses",
    "ordering", "host", "host_group", "queue", "demands", "wait_code", "due_at", "ready_at", "ended_at",
    "fence", "message", "skipped", "marked_by", "holder", "agent", "lock_until", "kept", "started_at",
  ]

  private func insert(
    _ tasks: [Changes.NewTask], of locked: LockedRun, _ run: RunState, by agent: Int64?, _ taking: Taking?,
    _ session: any Session
  ) throws {
    let now = run.now.microseconds
    let rows = try tasks.map { task -> [Value] in
      let taker = taking.flatMap { $0.numbers.contains(task.number) ? $0 : nil }
      let status = taker == nil ? task.form.status : .running
      var (host, group) = (Value.null, Value.null)
      switch task.placement {
      case .host(let name): host = .text(name)
      case .group(let name): group = .text(name)
      }
      var (wait, due, ended, message, marked) = (Value.null, Value.null, Value.null, Value.null, Value.null)
      var (skipped, ready) = (false, Value.integer(now))
      // Who has taken it, when, and how often that was done.
      var (taken, started, fence) = (Value.null, Value.null, Value.integer(0))
      if let taker { (taken, started, fence) = (.integer(taker.agent), .integer(now), .integer(1)) }
      switch task.form {
      case .ready: break
      case .waiting(let moment):
        (wait, due, ready) = (.text("delay"), .integer(moment.microseconds), .integer(moment.microseconds))
      case .cancelled: (ended, message) = (.integer(now), .text("not started: the run had stopped"))
      case .impossible(let why): (ended, message) = (.integer(now), .text(why))
      case .repeated: (ended, skipped) = (.integer(now), true)
      case .marked(let mark):
        (ended, marked) = (.integer(now), .text(mark.by))
        message = .text("marked as \(mark.status.rawValue) by \(mark.by)")
      case .passed(let name):
        (host, ended) = (.text(name), .integer(now))
        (taken, started, fence) = (agent.databaseValue, .integer(now), .integer(1))
      }
      if let taker, case .null = host { host = .text(taker.localHost) }
      return [
        .integer(run.key), .integer(task.number), .integer(Int64(run.recovery)), .text(task.step),
        .text(task.sequence.text), .integer(task.scope), .text(status.rawValue),
        status.isOver ? .null : .integer(1), .integer(1), .integer(0), .integer(Int64(-task.priority)), host,
        group, status.isOver ? .null : try queue(of: task.placement, in: locked, session).databaseValue,
        task.hasDemands.databaseValue, wait, due, ready, ended, fence, message, skipped.databaseValue, marked,
        (taker?.agent).databaseValue, taken, (taker?.lockUntil).databaseValue,
        (taker?.isKept(task.step)).databaseValue, started,
      ]
    }
    try session.enqueueInsert(into: "ev_task", columns: Self.taskColumns, rows: rows)
    for task in tasks {
      if case .repeated(let earlier) = task.form { try copy(earlier, to: task.number, run, session) }
    }
  }

  /// A repeated task shows the end it repeats, and points at its result and output.
  private func copy(_ earlier: EarlierEnd, to number: Int64, _ run: RunState, _ session: any Session) throws {
    let columns =
      "attempt, exit_code, signal_name, message, started_at, ended_at, result_no, file_triggers, marked_by, max_rss, cpu, log_path, agent"
    let rows = try session.query(
      "SELECT \(raw: columns) FROM ev_task WHERE run_key = \(run.key) AND no = \(earlier.number)")
    guard let row = rows.first else { return }
    var update: SQL = "UPDATE ev_task SET "
    for (position, column) in columns.split(separator: ",").enumerated() {
      if position > 0 { update.append(", ") }
      update.append("\(raw: column.trimmingPrefix(" ").description) = \(row[position])")
    }
    update.append(" WHERE run_key = \(run.key) AND no = \(number)")
    try session.enqueue(update)
  }

  private func insert(_ delays: [Changes.NewDelay], _ run: RunState, _ session: any Session) throws {
    try session.enqueueInsert(
      into: "ev_delay",
      columns: ["run_key", "no", "recovery", "kind", "target", "sequence", "scope", "hosts", "due_at"],
      rows: delays.map { delay in
        [
          .integer(run.key), .integer(delay.number), .integer(Int64(run.recovery)), .text(delay.target.kind),
          .text(delay.target.name), .text(delay.sequence.text), .integer(delay.scope),
          .text(delay.hosts.hostColumn), .integer(delay.dueAt.microseconds),
        ]
      })
  }

  func record(_ entries: [Changes.HistoryEntry], _ run: RunState, _ session: any Session) throws {
    let columns = [
      "run_key", "happened_at", "recovery", "subject", "name", "sequence", "attempt", "from_status",
      "to_status", "actor", "token",
    ]
    // There are more of these than of all other rows together.
    try session.enqueueInsert(into: "ev_history", columns: columns, count: entries.count) { index, values in
      let entry = entries[index]
      values.append(.integer(run.key))
      values.append(.integer(run.now.microseconds))
      values.append(.integer(Int64(run.recovery)))
      values.append(.text(entry.subject.rawValue))
      values.append(.text(entry.name))
      values.append(.text(entry.sequence))
      values.append(.integer(Int64(entry.attempt)))
      values.append(.text(entry.from))
      values.append(.text(entry.to))
      values.append(.text(entry.actor.utf8.count <= 255 ? entry.actor : String(entry.actor.prefix(255))))
      values.append(.integer(entry.token))
    }
  }

  // MARK: Loops

  private func write(loopsOf changes: Changes, _ plan: Plan, _ session: any Session) throws {
    let run = changes.run
    let now = run.now.microseconds
    for (number, loop) in changes.loops.sorted(by: { $0.key < $1.key }) {
      let growing: Int64? = loop.isGrowing(plan) && !run.isStopped ? 1 : nil
      let ended: Int64? = loop.status.isOver ? now : nil
      if changes.newLoops.contains(number) {
        let items = try loop.items.map { try JSONText.encode($0) }
        try session.enqueue(
          """
          INSERT INTO ev_loop (run_key, no, recovery, name, sequence, scope, hosts, status, total, items, range_start,
            next_index, in_progress, ended, failed, growing, message, started_at, ended_at)
          VALUES (\(run.key), \(number), \(run.recovery), \(loop.name), \(loop.sequence.text), \(loop.scope),
            \(loop.hosts.hostColumn), \(loop.status.rawValue), \(loop.total), \(items), \(loop.rangeStart),
            \(loop.next), \(loop.open), \(loop.ended), \(loop.failed), \(growing),
            \(changes.loopMessages[number]), \(now), \(ended))
          """)
      } else {
        try session.enqueue(
          """
          UPDATE ev_loop SET status = \(loop.status.rawValue), next_index = \(loop.next),
            in_progress = \(loop.open), ended = \(loop.ended), failed = \(loop.failed), growing = \(growing),
            ended_at = \(ended)
          WHERE run_key = \(run.key) AND no = \(number)
          """)
      }
    }
  }

  private func write(iterationsOf changes: Changes, _ session: any Session) throws {
    let key = changes.run.key
    let sorted = changes.iterations.values.sorted { $0.number < $1.number }
    let new = sorted.filter { changes.newIterations.contains($0.number) }
    try session.enqueueInsert(
      into: "ev_iteration",
      columns: [
        "run_key", "no", "recovery", "loop_no", "loop_name", "position", "sequence", "status", "active",
        "failed",
        "repeated",
      ],
      rows: new.map { iteration in
        [
          .integer(key), .integer(iteration.number), .integer(Int64(changes.run.recovery)),
          .integer(iteration.loop),
          .text(changes.loops[iteration.loop]?.name ?? ""), .integer(Int64(iteration.index)),
          .text(iteration.sequence.text), .text(iteration.status.rawValue), .integer(Int64(iteration.active)),
          iteration.hasFailed.databaseValue, iteration.isRepeated.databaseValue,
        ]
      })
    // Of many that end at once most say the same.
    var groups: [IterationStanding: [Int64]] = [:]
    for iteration in sorted where !changes.newIterations.contains(iteration.number) {
      let standing = IterationStanding(
        status: iteration.status, active: iteration.active, hasFailed: iteration.hasFailed)
      groups[standing, default: []].append(iteration.number)
    }
    for (standing, numbers) in groups.sorted(by: { ($0.value.first ?? 0) < ($1.value.first ?? 0) }) {
      for chunk in numbers.chunks(of: 64) {
        try session.enqueue(
          """
          UPDATE ev_iteration SET status = \(standing.status.rawValue), active = \(standing.active),
            failed = \(standing.hasFailed)
          WHERE run_key = \(key) AND no IN \(list: chunk)
          """)
      }
    }
  }

  /// What changes of an iteration.
  private struct IterationStanding: Hashable {
    let status: LoopStatus
    let active: Int
    let hasFailed: Bool
  }
}

extension Plan.Target {
  /// The word for the kind in a column.
  var kind: String {
    switch self {
    case .event: "event"
    case .step: "step"
    case .loop: "loop"
    }
  }

  init(kind: String, name: String) {
    switch kind {
    case "loop": self = .loop(name)
    case "step": self = .step(name)
    default: self = .event(name)
    }
  }
}
