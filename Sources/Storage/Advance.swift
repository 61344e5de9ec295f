import Database
public import Engine
import Model

extension SQLStore {
  /// Records ends, does what is due, and takes tasks: one transaction under the run's lock.
  public func advance(_ request: AdvanceRequest) async throws -> Advance {
    let (advance, written) = try await write { session in
      let done = try self.advance(request, session)
      try fault(.endBeforeCommit, session)
      return done
    }
    try fault(.endAfterCommit, nil)
    if written >= Self.manyRows { await refreshStatistics() }
    return advance
  }

  /// What the transitions of one advance have brought about so far.
  private struct Progress {
    var run: LockedRun
    var history: [Changes.HistoryEntry] = []
    /// How many tasks were made.
    var written = 0
    /// How many were passed, and which, where that is to be told.
    var passedCount = 0
    var passed: [Claim]?
    var movesDue = false

    mutating func add(_ changes: Changes) {
      history += changes.history
      written += changes.tasks.count
      movesDue = movesDue || changes.movesDue
      run = run.after(changes)
      passedCount += changes.passedCount
      passed?.append(contentsOf: changes.passed(in: run.state.recovery))
    }

    /// Whether anything of the run may be started.
    var goesOn: Bool { run.state.status == .running && !run.state.isStopped }
  }

  /// So many tasks without an action are left to the next advance, that others may have their turn.
  private static let mostPassed = Transition.passesAtOnce

  /// - Returns: The answer, and how many tasks were written.
  private func advance(_ request: AdvanceRequest, _ session: any Session) throws -> (Advance, Int) {
    let facts = try advanceFacts(request, session)
    let chronicle = Chronicle()
    var superseded: [Int64] = []
    try fault(.endBeforeTransition, session)
    let due = facts.nextDue
    // A draining host takes nothing, whether its agent knows of it already or not.
    let mayTake = request.slots > 0 && !facts.run.isDrained
    let mayPass =
      mayTake && request.passesEmptySteps && facts.ready != nil && facts.run.plan.hasEmptySteps
      && facts.run.state.status == .running
    func claimer(_ run: LockedRun) -> Claimer {
      Claimer(store: self, session: session, run: run, request: request, chronicle: chronicle)
    }
    let first = claimer(facts.run)
    func prepare(_ transition: inout Transition) {
      if mayPass { transition.passEmptySteps { try first.ownHost($0) } }
    }

    var progress = Progress(run: facts.run, passed: request.namesPassed ? [] : nil)
    var passed: [TaskFact] = []
    var inLine: (known: [TaskFact], new: [Changes.NewTask])?
    progress.add(
      try transition(
        facts.run, by: request.agent, told: chronicle, session,
        taking: { changes in
          inLine = mayTake ? try first.first(of: facts.ready, without: passed, and: changes) : nil
          return inLine.map { first.taking($0.new) }
        }
      ) { transition in
        if let foreseen = facts.foreseen {
          transition.learn(foreseen.names, events: foreseen.events, tasks: foreseen.tasks)
        }
        transition.learn(iterations: facts.iterations, loops: facts.loops)
        prepare(&transition)
        superseded = try record(request.ends, of: facts.run, facts.ended, in: &transition)
        if due == 0, !facts.run.state.status.isOver { try mature(facts.run, in: &transition, session) }
        if mayPass, let ready = facts.ready { passed = try first.pass(ready, in: &transition) }
      })

    // Those behind the ones that were passed are seen now.
    var mayBeMore = !passed.isEmpty && facts.ready?.count == request.slots
    let limit = max(request.slots, Transition.passesAtOnce / 2)
    while mayBeMore, progress.goesOn, progress.passedCount < Self.mostPassed {
      let claimer = claimer(progress.run)
      let ready = try claimer.ready(limit)
      progress.add(
        try transition(progress.run, by: request.agent, told: chronicle, session) { transition in
          prepare(&transition)
          passed = try claimer.pass(ready, in: &transition)
        })
      mayBeMore = !passed.isEmpty && ready.count == limit
    }

    var claims: [Claim] = []
    if mayTake, progress.goesOn {
      claims = try inLine.map { try first.claim($0) } ?? claimer(progress.run).claim(request.slots)
      // A loop opens its iterations as there is room for what they start; what others are to start is no reason to
      // write all of it out. One of which nothing is open has nothing in line, however much else there is.
      while claims.count < request.slots, !progress.run.plan.loops.isEmpty, progress.goesOn,
        progress.passedCount < Self.mostPassed
      {
        var growing = try SQLLedger(session: session, run: progress.run.state).growingLoops()
        if !growing.isEmpty, try hasBacklog(progress.run.state.key, session) {
          growing = growing.filter { $0.open == 0 }
        }
        guard !growing.isEmpty else { break }
        progress.add(
          try transition(progress.run, by: request.agent, told: chronicle, session) { transition in
            prepare(&transition)
            for loop in growing { try transition.grow(loop) }
          })
        claims += try claimer(progress.run).claim(request.slots - claims.count)
      }
    }
    let run = progress.run
    if !claims.isEmpty || progress.passedCount > 0, run.startedAt == nil {
      try session.enqueue(
        """
        UPDATE ev_run SET started_at = \(run.state.now.microseconds), queue_deadline_at = NULL
        WHERE run_key = \(run.state.key) AND started_at IS NULL
        """)
    }
    try record(chronicle.entries, run.state, session)
    let movesDue = due == 0 || progress.movesDue || run.plan.hasDemands || run.startedAt == nil
    let nextDue = movesDue ? try nextDue(run.state.key, now: run.state.now.microseconds, session) : due
    try keepWake(of: run, nextDue: nextDue, isSeen: request.queues != nil, session)
    let answer = Advance(
      context: RunContext(
        run: run.state.id, plan: run.plan, recovery: run.state.recovery, parameters: run.state.parameters),
      status: run.state.status, stopsRunning: run.state.verdict == nil ? nil : run.state.message ?? "stopped",
      claims: claims, passed: progress.passed ?? [], passedCount: progress.passedCount,
      isUnfinished: progress.passedCount >= Self.mostPassed && progress.goesOn, superseded: superseded,
      history: progress.history, nextDue: nextDue, active: run.state.active)
    return (answer, progress.written)
  }

  /// Whether so many tasks are ready already that no loop needs to be opened further for now.
  private func hasBacklog(_ key: Int64, _ session: any Session) throws -> Bool {
    try session.query(
      """
      SELECT COUNT(*) FROM (SELECT no FROM ev_task
        WHERE run_key = \(key) AND open = 1 AND status = 'ready' LIMIT \(Transition.iterationsAtOnce)) backlog
      """
    ).first?.int(0) == Transition.iterationsAtOnce
  }

  /// Writes down when a run that is left to agents next needs one of them, whichever that will be.
  ///
  /// - Parameters:
  ///   - nextDue: Microseconds until its next delay or deadline, if that is known already.
  ///   - isSeen: Whether an agent asks, which then knows that moment itself; else some agent is told.
  func keepWake(
    of run: LockedRun, nextDue known: Int64?? = nil, isSeen: Bool = false, _ session: any Session
  ) throws {
    guard !run.isStandalone else { return }
    let now = run.state.now.microseconds
    var wake: Int64?
    if !run.state.status.isOver {
      let due = try known ?? self.nextDue(run.state.key, now: now, session)
      wake = due.map { now + $0 }
      // A loop with room for more, and nothing of it or of the run in line: whoever has a free slot opens it further.
      if run.state.status == .running, !run.state.isStopped, !run.plan.loops.isEmpty {
        let growing = try SQLLedger(session: session, run: run.state).growingLoops()
        let isStranded =
          try growing.contains { $0.open == 0 }
          || !growing.isEmpty
            && session.query(
              "SELECT no FROM ev_task WHERE run_key = \(run.state.key) AND open = 1 AND status = 'ready' LIMIT 1"
            ).isEmpty
        if isStranded { wake = now }
      }
    }
    if wake != run.wakeAt {
      try session.enqueue("UPDATE ev_run SET wake_at = \(wake) WHERE run_key = \(run.state.key)")
      if !isSeen, let wake, wake < run.wakeAt ?? .max { try noteAny(session) }
    }
  }

  /// Ends that still hold their fence go into the transition; the numbers of the others are returned.
  private func record(
    _ ends: [TaskEnd], of run: LockedRun, _ tasks: [Int64: TaskFact], in transition: inout Transition
  ) throws -> [Int64] {
    var superseded: [Int64] = []
    for end in ends {
      guard let task = tasks[end.number], task.status == .running, task.fence == end.fence else {
        superseded.append(end.number)
        continue
      }
      let isRetried = run.plan.steps[task.step]?.definition.retry != nil
      try transition.end(task, end.outcome, chance: isRetried ? Double.random(in: 0...1) : 0)
    }
    return superseded
  }

  /// Delays that are over, tasks whose time has come, and limits on the whole run's time.
  private func mature(_ run: LockedRun, in transition: inout Transition, _ session: any Session) throws {
    let (key, now) = (run.state.key, run.state.now.microseconds)
    if let deadline = run.deadlineAt, deadline <= now, run.state.verdict == nil {
      let limit = run.plan.program.config.timeout.map { " of \($0)" } ?? ""
      return try transition.stop(as: .failure, "the run exceeded its timeout\(limit)")
    }
    if let deadline = run.queueDeadlineAt, deadline <= now, run.startedAt == nil, run.state.verdict == nil {
      return try transition.stop(as: .failure, "no task of the run could start within its queue_timeout")
    }
    let tasks = try session.query(
      """
      SELECT \(raw: TaskFact.columns) FROM ev_task
      WHERE run_key = \(key) AND due_at IS NOT NULL AND due_at <= \(now) ORDER BY due_at, no LIMIT 500
      """)
    for row in tasks { transition.mature(try TaskFact(row)) }
    let delays = try session.query(
      """
      SELECT no, kind, target, sequence, scope, hosts FROM ev_delay
      WHERE run_key = \(key) AND due_at <= \(now) ORDER BY due_at, no LIMIT 500
      """)
    for row in delays {
      try transition.mature(
        DelayFact(
          number: try row.integer(0), target: Plan.Target(kind: try row.text(1), name: try row.text(2)),
          sequence: Sequence(try row.text(3)), scope: try row.integer(4), hosts: try row.text(5).hostList))
    }
  }

  /// Microseconds until the run's next delay, retry or deadline; nil if there is none.
  func nextDue(_ key: Int64, now: Int64, _ session: any Session) throws -> Int64? {
    try Self.nextDue(try session.query(Self.nextDueStatement(key)), now: now)
  }

  static func nextDueStatement(_ key: Int64) -> SQL {
    """
    SELECT (SELECT MIN(due_at) FROM ev_task WHERE run_key = \(key) AND due_at IS NOT NULL),
      (SELECT MIN(due_at) FROM ev_delay WHERE run_key = \(key)),
      CASE WHEN verdict IS NULL THEN deadline_at END, CASE WHEN verdict IS NULL THEN queue_deadline_at END
    FROM ev_run WHERE run_key = \(key)
    """
  }

  static func nextDue(_ rows: [Row], now: Int64) throws -> Int64? {
    guard let row = rows.first else { return nil }
    let moments = try (0..<4).compactMap { try row.optionalInteger($0) }
    return moments.min().map { max(0, $0 - now) }
  }

  /// Whether an advance would find something to do.
  public func glance(at run: String) async throws -> Glance {
    try await read { session in
      let rows = try session.query(
        """
        SELECT run_key, status, verdict, message, stopped, \(raw: session.dialect.now) FROM ev_run WHERE id = \(run)
        """)
      guard let row = rows.first else { throw StoreError.noRun(run) }
      let key = try row.integer(0)
      let status = try RunStatus(stored: row.text(1))
      let due = try self.nextDue(key, now: row.integer(5), session)
      var hasWork = due.map { $0 <= 0 } ?? false
      if !hasWork, status == .running, try !row.bool(4) { hasWork = try self.hasClaimable(key, session) }
      return Glance(
        status: status,
        stopsRunning: try row.optionalText(2) == nil ? nil : try row.optionalText(3) ?? "stopped",
        hasWork: hasWork, nextDue: due)
    }
  }

  private func hasClaimable(_ key: Int64, _ session: any Session) throws -> Bool {
    try !session.query(
      "SELECT no FROM ev_task WHERE run_key = \(key) AND open = 1 AND status = 'ready' LIMIT 1"
    ).isEmpty
      || !session.query("SELECT no FROM ev_loop WHERE run_key = \(key) AND growing = 1 LIMIT 1").isEmpty
      || !session.query(
        """
        SELECT r.resource_key FROM ev_resource r WHERE r.used < r.capacity AND EXISTS
          (SELECT 1 FROM ev_ticket k WHERE k.run_key = \(key) AND k.resource_key = r.resource_key)
        LIMIT 1
        """
      ).isEmpty
  }
}

extension Changes {
  /// Whether something of the run may now be due at another moment than before.
  fileprivate var movesDue: Bool {
    !delays.isEmpty || !overDelays.isEmpty || cancelsUnstarted != nil || run.verdict != nil
      || run.status != formerStatus
      || tasks.contains { if case .waiting = $0.form { true } else { false } }
      || taskChanges.contains {
        switch $0.kind {
        case .passed: false
        case .ended: $0.task.status != .running
        default: true
        }
      }
  }

  fileprivate var passedCount: Int {
    taskChanges.count { if case .passed = $0.kind { true } else { false } }
      + tasks.count { if case .passed = $0.form { true } else { false } }
  }

  /// The tasks that were passed, as an agent is told of them.
  fileprivate func passed(in recovery: Int) -> [Claim] {
    func claim(_ task: TaskFact, _ host: String) -> Claim {
      let ended = TaskFact(
        number: task.number, step: task.step, sequence: task.sequence, scope: task.scope, status: .success,
        dueAt: nil, attempt: task.attempt, losses: task.losses, host: host, fence: task.fence + 1)
      return Claim(task: ended, recovery: recovery, fence: ended.fence, loop: nil, results: [:])
    }
    var claims: [Claim] = []
    for change in taskChanges {
      if case .passed(let host) = change.kind { claims.append(claim(change.task, host)) }
    }
    for task in tasks {
      guard case .passed(let host) = task.form else { continue }
      let fact = TaskFact(
        number: task.number, step: task.step, sequence: task.sequence, scope: task.scope, status: .success,
        dueAt: nil, attempt: 1, losses: 0, host: host, fence: 0)
      claims.append(claim(fact, host))
    }
    return claims
  }
}
