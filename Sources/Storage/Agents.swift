import Database
public import Engine
public import Model

/// Agents, and the locks they hold.
extension SQLStore {
  /// Makes an agent known and returns its number.
  public func enlist(_ agent: AgentIdentity) async throws -> Int64 {
    try await write { session in
      let now = try session.clock()
      try session.execute(
        """
        INSERT INTO ev_agent (host, instance, incarnation, pid, process_start, boot_id, journal, version, embedded,
          started_at, heartbeat_at)
        VALUES (\(agent.host), \(agent.instance), \(agent.incarnation), \(Int(agent.pid)),
          \(Int64(agent.processStart)), \(agent.bootID), \(agent.journal), \(agent.version), \(agent.isEmbedded),
          \(now), \(now))
        """)
      let rows = try session.query(
        """
        SELECT agent_key FROM ev_agent
        WHERE host = \(agent.host) AND instance = \(agent.instance) AND incarnation = \(agent.incarnation)
        """)
      guard let row = rows.first else { throw StoreError(.conflict, "the agent's row has gone") }
      return try row.integer(0)
    }
  }

  /// An agent says goodbye.
  public func dismiss(agent: Int64) async throws {
    try await write { session in
      try session.execute(
        "UPDATE ev_agent SET stopped_at = \(try session.clock()) WHERE agent_key = \(agent)")
      return
    }
  }

  /// Keeps all locks of an agent, in one statement, and says which those are. Indexes: ev_task_held, ev_run_tended.
  public func renew(agent: Int64, lockFor: TimeSpan) async throws -> [HeldTask] {
    try await write { session in
      try fault(.renewBefore, session)
      let now = try session.clock()
      // The run before its tasks, as everybody locks them: else this and an advance end each other's waiting.
      try session.execute(
        "UPDATE ev_run SET tended_at = \(now) WHERE tended_by = \(agent) AND status IN ('running', 'paused')")
      try session.execute(
        "UPDATE ev_task SET lock_until = \(now + lockFor.microseconds) WHERE holder = \(agent)")
      try session.execute("UPDATE ev_agent SET heartbeat_at = \(now) WHERE agent_key = \(agent)")
      return try session.query(
        """
        SELECT r.id, t.no, t.fence FROM ev_task t JOIN ev_run r ON r.run_key = t.run_key
        WHERE t.holder = \(agent)
        """
      ).map { HeldTask(run: try $0.text(0), number: try $0.integer(1), fence: try $0.integer(2)) }
    }
  }

  /// Makes `agent` the one that works on a standalone run, unless another that lives does.
  ///
  /// - Throws: ``StoreError`` naming the other agent.
  public func tend(_ run: String, by agent: Int64, isGone: @escaping @Sendable (AgentIdentity) -> Bool)
    async throws
  {
    try await write { session in
      let locked = try self.lock(run, session)
      let rows = try session.query(
        """
        SELECT a.agent_key, \(raw: AgentIdentity.columns("a")), r.tended_at, a.stopped_at,
          (SELECT own.host FROM ev_agent own WHERE own.agent_key = \(agent))
        FROM ev_run r JOIN ev_agent a ON a.agent_key = r.tended_by WHERE r.run_key = \(locked.state.key)
        """)
      if let row = rows.first, try row.integer(0) != agent, try row.optionalInteger(11) == nil {
        let other = try AgentIdentity(row, from: 1)
        let quietFor = locked.state.now.microseconds - (try row.optionalInteger(10) ?? 0)
        // On its own host a process that is there may be stopped, and go on: only its end is certain.
        let isHere = try row.optionalText(12) == other.host
        if !isGone(other), isHere || quietFor < Self.quietAfter {
          throw StoreError(
            .conflict, "run \(run) is being worked on by process \(other.pid) on \(other.host)",
            hint: "wait for it, or stop that process")
        }
      }
      try session.execute(
        """
        UPDATE ev_run SET tended_by = \(agent), tended_at = \(locked.state.now.microseconds)
        WHERE run_key = \(locked.state.key)
        """)
    }
  }

  /// An agent on another host that has not been heard of for so long, in microseconds, is taken to be gone.
  private static let quietAfter: Int64 = 90_000_000

  /// Other agents that hold tasks of a run. `ev_task.agent` is who started a task: its keeper outlives it.
  public func holders(of run: String, otherThan agent: Int64) async throws -> [Holder] {
    try await read { session in
      let now = try session.clock()
      let rows = try session.query(
        """
        SELECT t.holder, \(raw: AgentIdentity.columns("a")), t.no, t.fence, t.lock_until, t.agent, s.journal,
          a.stopped_at
        FROM ev_run r JOIN ev_task t ON t.run_key = r.run_key JOIN ev_agent a ON a.agent_key = t.holder
          JOIN ev_agent s ON s.agent_key = t.agent
        WHERE r.id = \(run) AND t.open = 1 AND t.status = 'running' AND t.holder <> \(agent) ORDER BY t.no
        """)
      return try Holder.gather(rows, now: now) { _ in run }
    }
  }

  /// Moves tasks of an agent that is gone to one that goes on with them: same attempt, next fence.
  public func adopt(
    _ tasks: [HeldTask], of run: String, by agent: Int64, lockFor: TimeSpan
  ) async throws -> [Claim] {
    try await write { session in
      let locked = try self.lock(run, session)
      let builder = ClaimBuilder(store: self, session: session, run: locked.state, plan: locked.plan)
      var taken: [ClaimBuilder.Taken] = []
      try fault(.adoptBeforeUpdate, session)
      for held in tasks {
        let moved = try session.execute(
          """
          UPDATE ev_task SET holder = \(agent), fence = fence + 1,
            lock_until = \(locked.state.now.microseconds + lockFor.microseconds)
          WHERE run_key = \(locked.state.key) AND no = \(held.number) AND fence = \(held.fence)
            AND status = 'running'
          """)
        guard moved == 1, let task = try self.task(held.number, locked, session) else { continue }
        taken.append((task, task.host ?? locked.state.localHost, task.fence))
        let entry = Changes.HistoryEntry(
          subject: .task, name: task.step, sequence: task.sequence.text, attempt: task.attempt,
          from: task.status.rawValue, to: task.status.rawValue, actor: "agent \(agent)", token: task.fence)
        try self.record([entry], locked.state, session)
      }
      return try builder.claims(taken)
    }
  }

  func task(_ number: Int64, _ run: LockedRun, _ session: any Session) throws -> TaskFact? {
    try session.query(
      """
      SELECT \(raw: TaskFact.columns) FROM ev_task
      WHERE run_key = \(run.state.key) AND no = \(number)\(raw: session.dialect.forUpdate)
      """
    ).first.map { try TaskFact($0) }
  }
}

extension Holder {
  /// Gathers rows of holder, identity, task number, fence, lock, starter and its journal, and when the holder left, in
  /// that order.
  static func gather(_ rows: [Row], now: Int64, _ run: (Row) throws -> String) throws -> [Holder] {
    var holders: [[Int64]: Holder] = [:]
    for row in rows {
      let key = [try row.integer(0), try row.integer(13)]
      let task = HeldTask(run: try run(row), number: try row.integer(10), fence: try row.integer(11))
      let isExpired = try row.integer(12) < now
      holders[key] = Holder(
        agent: key[0], identity: try AgentIdentity(row, from: 1), journal: try row.text(14),
        tasks: (holders[key]?.tasks ?? []) + [task],
        isExpired: (holders[key]?.isExpired ?? false) || isExpired,
        hasLeft: try row.optionalInteger(15) != nil)
    }
    return holders.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
  }
}

extension AgentIdentity {
  /// Nine columns of ev_agent under an alias.
  static func columns(_ alias: String) -> String {
    ["host", "instance", "incarnation", "pid", "process_start", "boot_id", "journal", "version", "embedded"]
      .map { "\(alias).\($0)" }.joined(separator: ", ")
  }

  init(_ row: Row, from first: Int) throws {
    self.init(
      host: try row.text(first), instance: try row.text(first + 1), incarnation: try row.text(first + 2),
      pid: Int32(clamping: try row.integer(first + 3)),
      processStart: UInt64(clamping: try row.integer(first + 4)),
      bootID: try row.text(first + 5), journal: try row.text(first + 6), version: try row.text(first + 7),
      isEmbedded: try row.bool(first + 8))
  }
}
