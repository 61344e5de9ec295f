import Database
public import Engine
public import Model

/// What is done about agents that are gone.
extension SQLStore {
  /// The locks that have expired. What is kept (`on_cut_off: keep`) is in nobody's way and is left out, unless its run was
  /// stopped: of that nothing is kept for anybody. Index: ev_task_expiring.
  public func expiredLocks() async throws -> ExpiredLocks {
    try await read { session in
      // Before the look: what is told to have been seen then was seen no earlier.
      let now = try session.clock()
      let locks =
        try session.query(
          """
          SELECT r.id, t.no, t.fence, a.host, a.pid, a.lock_for FROM ev_task t JOIN ev_run r ON r.run_key = t.run_key
          JOIN ev_agent a ON a.agent_key = t.holder
          WHERE t.holder IS NOT NULL AND t.kept = 0 AND t.lock_until < \(raw: session.dialect.now)
          ORDER BY t.lock_until LIMIT 200
          """
        ).map(Self.expired)
        + session.query(
          """
          SELECT r.id, t.no, t.fence, a.host, a.pid, a.lock_for FROM ev_run r JOIN ev_task t ON t.run_key = r.run_key
          JOIN ev_agent a ON a.agent_key = t.holder
          WHERE \(raw: Fleet.isStopping("r")) AND r.standalone = 0 AND t.open = 1
            AND t.status = 'running' AND t.kept = 1 AND t.lock_until < \(raw: session.dialect.now)
          ORDER BY t.run_key, t.no LIMIT 200
          """
        ).map(Self.expired)
      return ExpiredLocks(seen: Timestamp(microseconds: now), locks: locks)
    }
  }

  private static func expired(_ row: Row) throws -> ExpiredLock {
    ExpiredLock(
      task: HeldTask(run: try row.text(0), number: try row.integer(1), fence: try row.integer(2)),
      length: TimeSpan(microseconds: try row.optionalInteger(5) ?? Self.usualLock),
      reason: "the agent on \(try row.text(3)) (process \(try row.integer(4))) was lost")
  }

  /// For how long an agent locks that does not say, in microseconds.
  private static let usualLock: Int64 = 30_000_000

  /// Gives up tasks whose locks have expired: they follow `on_lost` and are first in line.
  ///
  /// The store's own absence expires nothing (rule 7): whoever asks has been in touch with the store for as long as the
  /// lock lasts, for then its holder, too, could have reported. That was so at `seen`; a transaction that is carried out
  /// much later, because its sender, the network or the server stood still, is void.
  public func reap(_ locks: [(lock: ExpiredLock, within: TimeSpan)], seen: Timestamp) async throws -> Int {
    var given = 0
    for (run, some) in Dictionary(grouping: locks, by: \.lock.task.run) {
      for (reason, these) in Dictionary(grouping: some, by: \.lock.reason) {
        let tasks = these.map { (task: $0.lock.task, until: seen.microseconds + $0.within.microseconds) }
        given += try await giveUp(tasks, of: run, because: reason)
      }
    }
    return given
  }

  /// Gives up tasks whose agent is gone: they follow `on_lost`.
  public func lose(_ tasks: [HeldTask], of run: String, because reason: String) async throws {
    _ = try await giveUp(tasks.map { ($0, nil) }, of: run, because: reason)
  }

  /// - Parameter tasks: Each with the time until which it may be given up as one whose lock has expired; nil: it need
  ///   not have.
  private func giveUp(
    _ tasks: [(task: HeldTask, until: Int64?)], of run: String, because reason: String
  ) async throws -> Int {
    try await write { session in
      let locked = try self.lock(run, session)
      var given = 0
      let changes = try self.transition(locked, by: nil, session) { transition in
        for (held, until) in tasks {
          guard let task = try self.task(held.number, locked, session), task.status == .running,
            task.fence == held.fence
          else { continue }
          // It may have been renewed since it was looked at, and the look may be too long ago.
          if let until, try !self.isExpired(held.number, before: until, locked, session) { continue }
          try transition.lose(task, reason)
          given += 1
        }
      }
      try self.keepWake(of: locked.after(changes), session)
      return given
    }
  }

  private func isExpired(
    _ number: Int64, before moment: Int64, _ run: LockedRun, _ session: any Session
  ) throws -> Bool {
    try !session.query(
      """
      SELECT no FROM ev_task WHERE run_key = \(run.state.key) AND no = \(number)
        AND (kept = 0 OR \(run.state.verdict != nil) = 1) AND lock_until < \(raw: session.dialect.now)
        AND \(raw: session.dialect.now) <= \(moment)
      """
    ).isEmpty
  }

  /// Of these runs, the tasks that somebody holds.
  public func heldTasks(of runs: [String]) async throws -> [HeldTask] {
    var held: [HeldTask] = []
    for first in stride(from: 0, to: runs.count, by: 100) {
      let some = Array(runs[first..<min(first + 100, runs.count)])
      held += try await read { session in
        try session.query(
          """
          SELECT r.id, t.no, t.fence FROM ev_run r JOIN ev_task t ON t.run_key = r.run_key
          WHERE r.id IN \(list: some) AND t.open = 1 AND t.holder IS NOT NULL
          """
        ).map { HeldTask(run: try $0.text(0), number: try $0.integer(1), fence: try $0.integer(2)) }
      }
    }
    return held
  }

  /// Gives back tasks of a draining host: they are ready again, which is no loss of theirs.
  ///
  /// - Parameter unstarted: Whether they were not started at all: then they are ready again whatever their `on_lost` is.
  public func yield(_ tasks: [HeldTask], because reason: String, unstarted: Bool) async throws {
    for (run, some) in Dictionary(grouping: tasks, by: \.run) {
      try await write { session in
        let locked = try self.lock(run, session)
        let changes = try self.transition(locked, session) { transition in
          for held in some {
            guard let task = try self.task(held.number, locked, session), task.status == .running,
              task.fence == held.fence
            else { continue }
            try transition.giveBack(task, reason, unstarted: unstarted)
          }
        }
        try self.keepWake(of: locked.after(changes), session)
      }
    }
  }

  /// What agents of `host` other than `agent` hold of runs that are left to agents, by the keeper that started it; and
  /// what `agent` itself has taken over from one of them, in case it never heard that it had.
  public func orphans(on host: String, otherThan agent: Int64) async throws -> [Holder] {
    try await read { session in
      let rows = try session.query(
        """
        SELECT t.holder, \(raw: AgentIdentity.columns("a")), t.no, t.fence, t.lock_until, t.agent, s.journal,
          a.stopped_at, r.id
        FROM ev_agent a JOIN ev_task t ON t.holder = a.agent_key JOIN ev_run r ON r.run_key = t.run_key
          JOIN ev_agent s ON s.agent_key = t.agent
        WHERE a.host = \(host) AND (a.agent_key <> \(agent) OR t.agent <> \(agent)) AND r.standalone = 0 ORDER BY r.run_key, t.no
        """)
      return try Holder.gather(rows, now: session.clock()) { try $0.text(16) }
    }
  }

  /// The plan and values of a run.
  public func context(of run: String) async throws -> RunContext {
    try await read { session in
      let rows = try session.query("SELECT program_key, recovery, parameters FROM ev_run WHERE id = \(run)")
      guard let row = rows.first else { throw StoreError.noRun(run) }
      return RunContext(
        run: run, plan: try self.plan(row.integer(0), session), recovery: try row.int(1),
        parameters: try JSONText.decode([String: JSONValue].self, row.text(2)) ?? [:])
    }
  }
}
