import Database
import Engine
import Model

/// Takes ready tasks of one run for an agent (rule 7): each row is locked, gets the agent's lock for a time by the
/// database's clock, and the next fencing token. Tasks that need more than is free become waiting and queue.
struct Claimer {
  let store: SQLStore
  let session: any Session
  let run: LockedRun
  let request: AdvanceRequest
  let chronicle: Chronicle

  private var key: Int64 { run.state.key }
  private var now: Int64 { run.state.now.microseconds }

  /// Takes at most `slots` tasks by priority and age.
  func claim(_ slots: Int) throws -> [Claim] {
    let admission = Admission(session: session, run: run)
    var taken: [TaskFact] = []
    try fault(.claimBeforeUpdate, session)
    // Those that queue have waited longer than those that became ready since; only a priority goes before that.
    let queued = run.plan.hasDemands ? try queued(slots * 2, admission) : []
    var candidates = try ready(slots)
    var isFull = candidates.count == slots
    candidates = (queued + candidates).enumerated()
      .sorted {
        ($0.element.ordering(in: run.plan), $0.offset) < ($1.element.ordering(in: run.plan), $1.offset)
      }.map(\.element)
    while true {
      var admitted: [TaskFact] = []
      for task in candidates where taken.count + admitted.count < slots {
        if try !hasDemands(task) || admission.admit(task, at: host(of: task)) { admitted.append(task) }
      }
      // Rows leave the ready index here, admitted or queued, so that the next round sees others.
      try lock(admitted)
      taken += admitted
      guard taken.count < slots, isFull else { break }
      candidates = try ready(slots - taken.count)
      isFull = candidates.count == slots - taken.count
    }
    try fault(.claimAfterUpdate, session)
    return try claims(of: taken)
  }

  /// Tasks that wait for resources of which some is free now.
  private func queued(_ limit: Int, _ admission: Admission) throws -> [TaskFact] {
    let numbers = try admission.queue(limit)
    guard !numbers.isEmpty else { return [] }
    var sql: SQL = """
      SELECT \(raw: TaskFact.columns) FROM ev_task
      WHERE run_key = \(key) AND no IN \(list: numbers) AND status = 'waiting' AND wait_code = 'resource'
      """
    sql.append(pinned)
    sql.append("\(raw: session.dialect.forUpdateSkipLocked)")
    // In the order of their tickets: another order would have one take what an older ticket keeps from it.
    let tasks = try session.query(sql).map { try TaskFact($0) }
    let rank = Dictionary(uniqueKeysWithValues: numbers.enumerated().map { ($1, $0) })
    return tasks.sorted { rank[$0.number, default: 0] < rank[$1.number, default: 0] }
  }

  /// Index: ev_task_to_claim. The row locks keep two claimers of one run apart where its lock does not.
  private func ready(_ limit: Int) throws -> [TaskFact] {
    var sql: SQL = """
      SELECT \(raw: TaskFact.columns) FROM ev_task
      WHERE run_key = \(key) AND open = 1 AND status = 'ready'
      """
    sql.append(pinned)
    sql.append(" ORDER BY ordering, ready_at, no LIMIT \(limit)\(raw: session.dialect.forUpdateSkipLocked)")
    return try session.query(sql).map { try TaskFact($0) }
  }

  /// An agent of one host takes its own tasks and those of the groups it is a member of (rule 6).
  private var pinned: SQL {
    if let queues = request.queues {
      // Where an attempt has failed already the next one goes only if no other member could take it.
      let (position, here) = (session.dialect.positionFunction, " \(request.localHost) ")
      return """
         AND queue IN \(list: queues) AND (avoid IS NULL OR \(raw: position)(avoid, \(here)) = 0
          OR NOT EXISTS (\(raw: Fleet.livingMember(of: "ev_task.queue", session.dialect))
            AND \(raw: position)(ev_task.avoid, \(raw: session.dialect.spaced("a.host"))) = 0))
        """
    }
    guard let host = request.host else { return "" }
    let groups = run.plan.program.groups.filter { Queue($0).fits(host: host, labels: [:]) }.map(\.name)
    if groups.isEmpty { return " AND host = \(host)" }
    return " AND (host = \(host) OR (host IS NULL AND host_group IN \(list: groups)))"
  }

  private func host(of task: TaskFact) -> String { task.host ?? request.localHost }

  /// A standalone run is resolved by its own command alone.
  private func isKept(_ task: TaskFact) -> Bool {
    guard !run.isStandalone, let step = run.plan.steps[task.step]?.definition else { return true }
    return step.isKept && step.onLost != .fail
  }

  private func hasDemands(_ task: TaskFact) -> Bool {
    run.plan.steps[task.step].map(run.plan.hasDemands) ?? false
  }

  private func lock(_ tasks: [TaskFact]) throws {
    for (isKept, some) in Dictionary(grouping: tasks, by: isKept) {
      for chunk in some.chunks(of: 64) {
        try session.enqueue(
          """
          UPDATE ev_task SET status = 'running', wait_code = NULL, holder = \(request.agent),
            agent = \(request.agent), fence = fence + 1, lock_until = \(now + request.lockFor.microseconds),
            kept = \(isKept), started_at = \(now), host = COALESCE(host, \(request.localHost)), message = NULL
          WHERE run_key = \(key) AND no IN \(list: chunk.map(\.number))
          """)
      }
    }
    chronicle.add(
      tasks.map { task in
        Changes.HistoryEntry(
          subject: .task, name: task.step, sequence: task.sequence.text, attempt: task.attempt,
          from: task.status.rawValue, to: TaskStatus.running.rawValue, actor: host(of: task),
          token: task.fence + 1)
      })
  }

  private func claims(of tasks: [TaskFact]) throws -> [Claim] {
    guard !tasks.isEmpty else { return [] }
    let builder = ClaimBuilder(store: store, session: session, run: run.state, plan: run.plan)
    return try tasks.map { try builder.claim($0, host: host(of: $0), fence: $0.fence + 1) }
  }
}

/// Puts together what an agent needs to know of a task it has taken.
struct ClaimBuilder {
  let store: SQLStore
  let session: any Session
  let run: RunState
  let plan: Plan

  func claim(_ task: TaskFact, host: String, fence: Int64) throws -> Claim {
    let running = TaskFact(
      number: task.number, step: task.step, sequence: task.sequence, scope: task.scope, status: .running,
      dueAt: nil, attempt: task.attempt, losses: task.losses, host: host, fence: fence)
    return Claim(
      task: running, recovery: run.recovery, fence: fence, loop: try loop(of: task),
      results: try results(for: task))
  }

  private func loop(of task: TaskFact) throws -> (item: JSONValue, index: Int)? {
    guard task.scope != 0 else { return nil }
    let rows = try session.query(
      """
      SELECT i.position, i.loop_no, l.range_start, CASE WHEN l.items IS NULL THEN 0 ELSE 1 END
      FROM ev_iteration i JOIN ev_loop l ON l.run_key = i.run_key AND l.no = i.loop_no
      WHERE i.run_key = \(run.key) AND i.no = \(task.scope)
      """)
    guard let row = rows.first else { return nil }
    let (index, loop) = (try row.int(0), try row.integer(1))
    guard try row.bool(3) else { return (.integer(try row.integer(2) + Int64(index) - 1), index) }
    let items = try store.items.items(.init(run: run.key, loop: loop)) {
      let found = try session.query("SELECT items FROM ev_loop WHERE run_key = \(run.key) AND no = \(loop)")
      return try JSONText.decode([JSONValue].self, found.first?.optionalText(0)) ?? []
    }
    return (items.indices.contains(index - 1) ? items[index - 1] : .null, index)
  }

  private func results(for task: TaskFact) throws -> [String: JSONValue] {
    guard let step = plan.steps[task.step] else { return [:] }
    var found: [String: JSONValue] = [:]
    for name in step.definition.referredResults where found[name] == nil {
      found[name] = try Results(session: session, run: run.key, recovery: run.recovery)
        .result(of: name, in: task.sequence)
    }
    return found
  }
}
