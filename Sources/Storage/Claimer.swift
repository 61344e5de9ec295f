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
    let first = try ready(slots)
    var isFull = first.count == slots
    var candidates = (queued + first).enumerated()
      .sorted { ($0.element.ordering, $0.offset) < ($1.element.ordering, $1.offset) }.map(\.element.task)
    while true {
      var admitted: [TaskFact] = []
      for task in candidates where taken.count + admitted.count < slots {
        if try !hasDemands(task) || admission.admit(task, at: host(of: task)) { admitted.append(task) }
      }
      // Rows leave the ready index here, admitted or queued, so that the next round sees others.
      try lock(admitted)
      taken += admitted
      guard taken.count < slots, isFull else { break }
      candidates = try ready(slots - taken.count).map { $0.task }
      isFull = candidates.count == slots - taken.count
    }
    try fault(.claimAfterUpdate, session)
    return try claims(of: taken)
  }

  /// Tasks that wait for resources of which some is free now.
  private func queued(_ limit: Int, _ admission: Admission) throws -> [Ready] {
    let numbers = try admission.queue(limit)
    guard !numbers.isEmpty else { return [] }
    var sql: SQL = """
      SELECT \(raw: Ready.columns) FROM ev_task
      WHERE run_key = \(key) AND no IN \(list: numbers) AND status = 'waiting' AND wait_code = 'resource'
      """
    sql.append(Self.pinned(run.plan, request, session.dialect))
    sql.append("\(raw: session.dialect.forUpdateSkipLocked)")
    // In the order of their tickets: another order would have one take what an older ticket keeps from it.
    let tasks = try session.query(sql).map { try Ready($0) }
    let rank = Dictionary(uniqueKeysWithValues: numbers.enumerated().map { ($1, $0) })
    return tasks.sorted { rank[$0.task.number, default: 0] < rank[$1.task.number, default: 0] }
  }

  /// A task that may be taken.
  struct Ready {
    let task: TaskFact
    /// Its place in line: lower is first.
    let ordering: Int64

    static let columns = TaskFact.columns + ", ordering"

    init(_ row: Row) throws {
      task = try TaskFact(row)
      ordering = try row.integer(10)
    }
  }

  func ready(_ limit: Int) throws -> [Ready] {
    try session.query(Self.readyStatement(key, run.plan, request, limit, session.dialect)).map {
      try Ready($0)
    }
  }

  /// The first tasks in line. Index: ev_task_to_claim. The run's lock keeps other claimers away from them.
  static func readyStatement(
    _ key: Int64, _ plan: Plan, _ request: AdvanceRequest, _ limit: Int, _ dialect: Dialect
  ) -> SQL {
    """
    SELECT \(raw: Ready.columns) FROM ev_task
    WHERE run_key = \(key) AND open = 1 AND status = 'ready'\(pinned(plan, request, dialect))
    ORDER BY ordering, ready_at, no LIMIT \(limit)
    """
  }

  /// An agent of one host takes its own tasks and those of the groups it is a member of (rule 6).
  private static func pinned(_ plan: Plan, _ request: AdvanceRequest, _ dialect: Dialect) -> SQL {
    if let queues = request.queues {
      // Where an attempt has failed already the next one goes only if no other member could take it.
      let (position, here) = (dialect.positionFunction, " \(request.localHost) ")
      // The column is hidden from the planner: by the queue it would go over what all runs have, or had, in it.
      return """
         AND COALESCE(queue, '') IN \(list: queues) AND (avoid IS NULL OR \(raw: position)(avoid, \(here)) = 0
          OR NOT EXISTS (\(raw: Fleet.livingMember(of: "ev_task.queue", dialect))
            AND \(raw: position)(ev_task.avoid, \(raw: dialect.spaced("a.host"))) = 0))
        """
    }
    guard let host = request.host else { return "" }
    let groups = groups(of: host, plan)
    if groups.isEmpty { return " AND host = \(host)" }
    return " AND (host = \(host) OR (host IS NULL AND host_group IN \(list: groups)))"
  }

  /// The groups of which a command that runs its own run takes tasks.
  private static func groups(of host: String, _ plan: Plan) -> [String] {
    plan.program.groups.filter { Queue($0).fits(host: host, labels: [:]) }.map(\.name)
  }

  // MARK: Tasks taken as they are made

  /// The first in line of tasks that are there and of those that a transition makes; nil where the one can't be told from
  /// the other, as when a task waits for a resource, or becomes ready in the transition.
  ///
  /// - Parameter known: The first that were in line before it, as many as there are places.
  /// - Parameter passed: Those of them that have ended.
  func first(of known: [Ready]?, without passed: [TaskFact], and changes: Changes) throws -> (
    known: [TaskFact], new: [Changes.NewTask]
  )? {
    // Where some were passed of as many as were asked for, there may be others that were there before what is new.
    guard let known, passed.isEmpty || known.count < request.slots, !run.plan.hasDemands,
      changes.run.status == .running, !changes.run.isStopped,
      changes.taskChanges.allSatisfy({ $0.kind.isEnd })
    else { return nil }
    var new = try changes.tasks.filter { try $0.form == .ready && isOwn($0.placement) }
    // What was there before is older.
    new.sort { ($0.priority, $1.number) > ($1.priority, $0.number) }
    let passed = Set(passed.map(\.number))
    var line = known.filter { !passed.contains($0.task.number) }[...]
    var taken: (known: [TaskFact], new: [Changes.NewTask]) = ([], [])
    var rest = new[...]
    while taken.known.count + taken.new.count < request.slots {
      if let next = line.first, rest.first.map({ next.ordering <= -Int64($0.priority) }) ?? true {
        taken.known.append(next.task)
        line.removeFirst()
      } else if let task = rest.first {
        taken.new.append(task)
        rest.removeFirst()
      } else {
        break
      }
    }
    return taken
  }

  private func isOwn(_ placement: Placement) throws -> Bool {
    if let queues = request.queues {
      return try store.queue(of: placement, in: run, session).map(queues.contains) ?? false
    }
    guard let host = request.host else { return true }
    switch placement {
    case .host(let name): return name == host
    case .group(let name): return Self.groups(of: host, run.plan).contains(name)
    }
  }

  /// The host at which a task placed there is this agent's; nil if it is not.
  func ownHost(_ placement: Placement) throws -> String? {
    guard try isOwn(placement) else { return nil }
    if case .host(let name) = placement { return name }
    return request.localHost
  }

  /// Ends those of `line` that have nothing to carry out, and returns them.
  func pass(_ line: [Ready], in transition: inout Transition) throws -> [TaskFact] {
    try line.map(\.task).filter { try transition.pass($0, at: host(of: $0)) }
  }

  /// How new tasks are taken as they are made.
  func taking(_ tasks: [Changes.NewTask]) -> Taking {
    Taking(
      numbers: Set(tasks.map(\.number)), agent: request.agent, lockUntil: now + request.lockFor.microseconds,
      localHost: request.localHost, isKept: isKept)
  }

  /// Takes those in line before a transition; those that it made are taken already.
  func claim(_ first: (known: [TaskFact], new: [Changes.NewTask])) throws -> [Claim] {
    try fault(.claimBeforeUpdate, session)
    try lock(first.known)
    let new = first.new.map { task in
      var host: String?
      if case .host(let name) = task.placement { host = name }
      return TaskFact(
        number: task.number, step: task.step, sequence: task.sequence, scope: task.scope, status: .ready,
        dueAt: nil, attempt: 1, losses: 0, host: host, fence: 0)
    }
    note(new)
    try fault(.claimAfterUpdate, session)
    return try claims(of: first.known + new)
  }

  private func host(of task: TaskFact) -> String { task.host ?? request.localHost }

  /// A standalone run is resolved by its own command alone.
  private func isKept(_ step: String) -> Bool {
    guard !run.isStandalone, let step = run.plan.steps[step]?.definition else { return true }
    return step.isKept && step.onLost != .fail
  }

  private func hasDemands(_ task: TaskFact) -> Bool {
    run.plan.steps[task.step].map(run.plan.hasDemands) ?? false
  }

  private func lock(_ tasks: [TaskFact]) throws {
    for (isKept, some) in Dictionary(grouping: tasks, by: { isKept($0.step) }) {
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
    note(tasks)
  }

  private func note(_ tasks: [TaskFact]) {
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
    return try builder.claims(tasks.map { ($0, host(of: $0), $0.fence + 1) })
  }
}

/// How an agent takes tasks in the very statement that makes them.
struct Taking {
  /// Which.
  let numbers: Set<Int64>
  let agent: Int64
  let lockUntil: Int64
  /// Where tasks of groups are carried out.
  let localHost: String
  /// Whether an expired lock of a task of the step is nobody else's to give up.
  let isKept: (String) -> Bool
}

/// Puts together what an agent needs to know of a task it has taken.
struct ClaimBuilder {
  let store: SQLStore
  let session: any Session
  let run: RunState
  let plan: Plan

  /// A task that was taken: where it is carried out, and under which token.
  typealias Taken = (task: TaskFact, host: String, fence: Int64)

  func claims(_ taken: [Taken]) throws -> [Claim] {
    let places = try places(of: Set(taken.map { $0.task.scope }))
    var lists: [Int64: [JSONValue]] = [:]
    let (results, referred) = try results(for: taken.map(\.task))
    return try taken.map { task, host, fence in
      let running = TaskFact(
        number: task.number, step: task.step, sequence: task.sequence, scope: task.scope, status: .running,
        dueAt: nil, attempt: task.attempt, losses: task.losses, host: host, fence: fence)
      return Claim(
        task: running, recovery: run.recovery, fence: fence,
        loop: try places[task.scope].map { (try item(at: $0, &lists), $0.index) },
        results: try referred[task.step].map { try results.results(of: $0, in: task.sequence) } ?? [:])
    }
  }

  /// An iteration's place in its loop.
  private struct Place {
    let index: Int
    let loop: Int64
    let rangeStart: Int64
    let hasItems: Bool
    /// When the loop was opened.
    let openedAt: Int64
  }

  private func places(of scopes: Set<Int64>) throws -> [Int64: Place] {
    var places: [Int64: Place] = [:]
    for some in scopes.subtracting([0]).sorted().chunks(of: 64) {
      let rows = try session.query(
        """
        SELECT i.no, i.position, i.loop_no, l.range_start, CASE WHEN l.items IS NULL THEN 0 ELSE 1 END,
          l.started_at
        FROM ev_iteration i JOIN ev_loop l ON l.run_key = i.run_key AND l.no = i.loop_no
        WHERE i.run_key = \(run.key) AND i.no IN \(list: some)
        """)
      for row in rows {
        places[try row.integer(0)] = Place(
          index: try row.int(1), loop: try row.integer(2), rangeStart: try row.integer(3),
          hasItems: try row.bool(4), openedAt: try row.integer(5))
      }
    }
    return places
  }

  private func item(at place: Place, _ lists: inout [Int64: [JSONValue]]) throws -> JSONValue {
    guard place.hasItems else { return .integer(place.rangeStart + Int64(place.index) - 1) }
    func read() throws -> [JSONValue] {
      let found = try session.query(
        "SELECT items FROM ev_loop WHERE run_key = \(run.key) AND no = \(place.loop)")
      return try JSONText.decode([JSONValue].self, found.first?.optionalText(0)) ?? []
    }
    let items: [JSONValue]
    if let known = lists[place.loop] {
      items = known
    } else {
      items  // One that was opened in this very transaction, which may come to nothing, is not kept.
      =
        place.openedAt >= run.now.microseconds
        ? try read()
        : try store.items.value(
          of: RunRow(run: run.key, number: place.loop, at: place.openedAt), else: read)
      lists[place.loop] = items
    }
    return items.indices.contains(place.index - 1) ? items[place.index - 1] : .null
  }

  /// The results that the tasks are told, read at once, and which those are for each step.
  private func results(for tasks: [TaskFact]) throws -> (Results, [String: [String]]) {
    let results = Results(
      session: session, run: run.key, recovery: run.recovery, cache: store.results, now: run.now.microseconds)
    var referred: [String: [String]] = [:]
    for task in tasks where referred[task.step] == nil {
      if let names = plan.steps[task.step]?.definition.referredResults, !names.isEmpty {
        referred[task.step] = names
      }
    }
    if referred.isEmpty { return (results, [:]) }
    try results.foresee(
      Set(referred.values.joined()).sorted(),
      in: tasks.filter { referred[$0.step]?.isEmpty == false }.map(\.sequence))
    return (results, referred)
  }
}
