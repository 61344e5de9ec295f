import Database
public import Engine
public import Model

/// Agents that serve all runs of a store: their seats, heartbeats, and the drains of their hosts.
enum Fleet {
  /// An agent that has not reported for so many of its lock times is taken to be gone.
  static let silence = 2

  /// A subquery for an agent that takes from a queue now: it lives and its host is not draining. `a` is its row.
  static func livingMember(of queue: String, _ dialect: Dialect) -> String {
    """
    SELECT 1 FROM ev_member m JOIN ev_agent a ON a.agent_key = m.agent_key
    WHERE m.queue = \(queue) AND \(isLive("a", dialect))
      AND NOT EXISTS (SELECT 1 FROM ev_drain d WHERE d.host = a.host)
    """
  }

  /// Whether the run in the row called `alias` is being stopped: nothing of it starts any more, and what runs is ended. Index on
  /// PostgreSQL: ev_run_stopped.
  static func isStopping(_ alias: String) -> String {
    "\(alias).status IN ('running', 'paused') AND \(alias).verdict IS NOT NULL"
  }

  /// Whether the agent in the row called `alias` reports in time.
  static func isLive(_ alias: String, _ dialect: Dialect) -> String {
    """
    \(alias).stopped_at IS NULL
      AND \(alias).heartbeat_at > \(dialect.now) - \(silence) * COALESCE(\(alias).lock_for, 30000000)
    """
  }
}

extension SQLStore {
  /// Takes the seat of the agent's host and instance. Two that start at the same moment take turns at the seat's row.
  public func enlist(
    _ agent: AgentIdentity, as profile: AgentProfile, isGone: @escaping @Sendable (AgentIdentity) -> Bool
  ) async throws -> Int64 {
    try await write { session in
      try session.insert(
        into: "ev_seat", columns: ["host", "instance"], rows: [[.text(agent.host), .text(agent.instance)]],
        ignoringConflicts: true)
      let seat = try session.query(
        """
        SELECT agent_key FROM ev_seat
        WHERE host = \(agent.host) AND instance = \(agent.instance)\(raw: session.dialect.forUpdate)
        """)
      if let former = try seat.first?.optionalInteger(0) {
        try self.refuseIfTaken(by: former, agent, isGone, session)
      }
      let now = try session.clock()
      try session.execute(
        """
        INSERT INTO ev_agent (host, instance, incarnation, pid, process_start, boot_id, journal, version, embedded,
          started_at, heartbeat_at, labels, capacity, lock_for)
        VALUES (\(agent.host), \(agent.instance), \(agent.incarnation), \(Int(agent.pid)),
          \(Int64(agent.processStart)), \(agent.bootID), \(agent.journal), \(agent.version), \(agent.isEmbedded),
          \(now), \(now), \(try JSONText.encode(profile.labels)), \(profile.capacity),
          \(profile.lockFor.microseconds))
        """)
      let rows = try session.query(
        """
        SELECT agent_key FROM ev_agent
        WHERE host = \(agent.host) AND instance = \(agent.instance) AND incarnation = \(agent.incarnation)
        """)
      guard let key = try rows.first?.integer(0) else {
        throw StoreError(.conflict, "the agent's row has gone")
      }
      try session.execute(
        "UPDATE ev_seat SET agent_key = \(key) WHERE host = \(agent.host) AND instance = \(agent.instance)")
      return key
    }
  }

  private func refuseIfTaken(
    by former: Int64, _ agent: AgentIdentity, _ isGone: @Sendable (AgentIdentity) -> Bool,
    _ session: any Session
  ) throws {
    let rows = try session.query(
      """
      SELECT \(raw: AgentIdentity.columns("a")), a.started_at, a.heartbeat_at,
        CASE WHEN \(raw: Fleet.isLive("a", session.dialect)) THEN 1 ELSE 0 END, a.stopped_at
      FROM ev_agent a WHERE a.agent_key = \(former)
      """)
    guard let row = rows.first, try row.optionalInteger(12) == nil else { return }
    let other = try AgentIdentity(row, from: 0)
    // Of a process on this very machine it is known whether it lives; of another machine only whether it reports.
    let isHere = other.bootID == agent.bootID
    guard try isHere ? !isGone(other) : row.bool(11) else { return }
    let since = Timestamp(microseconds: try row.integer(9))
    throw StoreError(
      .conflict,
      "host \(agent.host) has an agent already: process \(other.pid)\(isHere ? "" : " on another machine of that name"), started \(since)",
      hint: "stop that one, or tell this one apart with --instance NAME")
  }

  /// Says where wake-ups reach the agent.
  public func announce(agent: Int64, address: String?) async throws {
    try await write { session in
      try session.execute("UPDATE ev_agent SET waiter = \(address) WHERE agent_key = \(agent)")
      return
    }
  }

  /// Keeps all locks of an agent in one statement, and says which those are. Index: ev_task_held.
  public func beat(agent: Int64, lockFor: TimeSpan, since: Timestamp?) async throws -> Pulse {
    try await write { session in
      try fault(.renewBefore, session)
      let now = try session.clock()
      let held = try self.held(
        self.keep(until: now + lockFor.microseconds, by: agent, since: Self.since(since, now), session),
        by: agent, session)
      let rows = try session.query(
        """
        SELECT s.agent_key, d.host, d.reason, d.drained_by, d.drained_at, d.deadline_at FROM ev_agent a
        LEFT JOIN ev_seat s ON s.host = a.host AND s.instance = a.instance
        LEFT JOIN ev_drain d ON d.host = a.host WHERE a.agent_key = \(agent)
        """)
      try session.execute("UPDATE ev_agent SET heartbeat_at = \(now) WHERE agent_key = \(agent)")
      let drain = try rows.first.flatMap { try Drain($0, from: 1) }
      return Pulse(
        at: Timestamp(microseconds: now), held: held, isReplaced: try rows.first?.optionalInteger(0) != agent,
        drain: drain,
        deadlineIn: drain?.deadline.map { max(0, $0.microseconds - now) })
    }
  }

  /// From when on an agent's locks are looked for: after a clock was put back, from the beginning.
  private static func since(_ last: Timestamp?, _ now: Int64) -> Int64 {
    guard let last, last.microseconds <= now else { return 0 }
    return last.microseconds
  }

  /// Locks what an agent holds, in the order in which an advance does, so that the two never end each other's waiting, and
  /// keeps it until `moment`. An idle agent has nothing to keep.
  ///
  /// - Parameter since: Nothing it holds had expired by then. Index entries of what it held before are not gone over again.
  private func keep(
    until moment: Int64, by agent: Int64, since: Int64, _ session: any Session
  ) throws -> [Row] {
    guard session.dialect.kind == .mysql else {
      let rows = try session.query(
        """
        SELECT run_key, no, fence, agent FROM ev_task WHERE holder = \(agent) AND lock_until >= \(since)
        ORDER BY run_key, no\(raw: session.dialect.forUpdate)
        """)
      if !rows.isEmpty {
        try session.execute(
          "UPDATE ev_task SET lock_until = \(moment) WHERE holder = \(agent) AND lock_until >= \(since)")
      }
      return rows
    }
    // InnoDB locks entries of the index a statement goes by before the rows, where an advance, which goes by the primary
    // key, locks them after the rows. So what is held is first read without locks.
    let keys = try session.query(
      "SELECT run_key, no FROM ev_task WHERE holder = \(agent) AND lock_until >= \(since)")
    var rows: [Row] = []
    for (run, some) in try Dictionary(grouping: keys, by: { try $0.integer(0) }).sorted(by: {
      $0.key < $1.key
    }) {
      for numbers in try some.map({ try $0.integer(1) }).sorted().chunks(of: 256) {
        let locked = try session.query(
          """
          SELECT run_key, no, fence, agent FROM ev_task FORCE INDEX (PRIMARY)
          WHERE run_key = \(run) AND no IN \(list: numbers) AND holder = \(agent) ORDER BY no FOR UPDATE
          """)
        let held = try locked.map { try $0.integer(1) }
        rows += locked
        if held.isEmpty { continue }
        try session.execute(
          "UPDATE ev_task SET lock_until = \(moment) WHERE run_key = \(run) AND no IN \(list: held)")
      }
    }
    return rows
  }

  private func held(_ tasks: [Row], by agent: Int64, _ session: any Session) throws -> [HeldTask] {
    var ids: [Int64: String] = [:]
    for keys in Set(try tasks.map { try $0.integer(0) }).sorted().chunks(of: 64) {
      for row in try session.query("SELECT run_key, id FROM ev_run WHERE run_key IN \(list: keys)") {
        ids[try row.integer(0)] = try row.text(1)
      }
    }
    return try tasks.compactMap { row in
      guard let id = ids[try row.integer(0)] else { return nil }
      return HeldTask(
        run: id, number: try row.integer(1), fence: try row.integer(2),
        isOwn: try row.optionalInteger(3) == agent)
    }
  }

  /// The agents, by host and instance; of each seat the newest.
  public func agents() async throws -> [AgentRecord] {
    try await read { session in
      let now = try session.clock()
      return try session.query(
        """
        SELECT a.agent_key, \(raw: AgentIdentity.columns("a")), a.labels, a.capacity, a.lock_for, a.started_at,
          a.heartbeat_at, a.stopped_at, d.host, d.reason, d.drained_by, d.drained_at, d.deadline_at,
          (SELECT COUNT(*) FROM ev_task t WHERE t.holder = a.agent_key)
        FROM ev_seat s JOIN ev_agent a ON a.agent_key = s.agent_key LEFT JOIN ev_drain d ON d.host = a.host
        ORDER BY a.host, a.instance
        """
      ).map { row in
        let drain = try Drain(row, from: 16)
        let lockFor = try row.optionalInteger(12) ?? 30_000_000
        let silent = max(0, now - (try row.integer(14)))
        let state: AgentRecord.State =
          if try row.optionalInteger(15) != nil {
            .stopped
          } else if silent > Int64(Fleet.silence) * lockFor {
            .gone
          } else if silent > lockFor / 3 * 2 {
            // It reports three times in the life of a lock.
            .silent
          } else {
            drain == nil ? .live : .draining
          }
        return AgentRecord(
          key: try row.integer(0), identity: try AgentIdentity(row, from: 1),
          profile: AgentProfile(
            labels: try JSONText.decode([String: String].self, row.optionalText(10)) ?? [:],
            capacity: Int(try row.optionalInteger(11) ?? 0), lockFor: TimeSpan(microseconds: lockFor)),
          state: state, running: try row.int(21), startedAt: Timestamp(microseconds: try row.integer(13)),
          seenAt: Timestamp(microseconds: try row.integer(14)), silentFor: TimeSpan(microseconds: silent),
          drain: drain)
      }
    }
  }

  // MARK: Drains

  /// `host` takes nothing new until it is undrained, whether its agents are restarted or not.
  public func drain(_ host: String, reason: String, within deadline: TimeSpan?, by user: String) async throws
  {
    try await write { session in
      let now = try session.clock()
      try session.execute("DELETE FROM ev_drain WHERE host = \(host)")
      try session.execute(
        """
        INSERT INTO ev_drain (host, reason, drained_by, drained_at, deadline_at)
        VALUES (\(host), \(reason), \(user), \(now), \(deadline.map { now + $0.microseconds }))
        """)
      try self.noteAgents(of: host, session)
    }
  }

  /// Undoes a drain; false if there was none.
  public func undrain(_ host: String) async throws -> Bool {
    try await write { session in
      let removed = try session.execute("DELETE FROM ev_drain WHERE host = \(host)")
      try self.noteAgents(of: host, session)
      return removed > 0
    }
  }

  private func noteAgents(of host: String, _ session: any Session) throws {
    guard caller != nil, let after = Self.afterCommit else { return }
    let rows = try session.query(
      "SELECT waiter FROM ev_agent WHERE host = \(host) AND stopped_at IS NULL AND waiter IS NOT NULL")
    after.ring(try rows.map { try $0.text(0) })
  }

  /// Somebody follows the output of a run for a while; agents that hold tasks of it publish what those write.
  public func follow(_ run: String) async throws {
    try await write { session in
      let now = try session.clock()
      guard
        let key = try session.query("SELECT run_key FROM ev_run WHERE id = \(run)").first?.integer(0)
      else { throw StoreError.noRun(run) }
      try session.execute(
        """
        INSERT INTO ev_follow (run_key, until_at) VALUES (\(key), \(now + Self.followedFor))\
        \(raw: session.dialect.upsert(keys: ["run_key"], update: ["until_at"]))
        """)
      try self.noteHolders(of: key, session)
    }
  }

  /// A follower says so again well within this time, in microseconds.
  private static let followedFor: Int64 = 10_000_000

  /// Keeps the last of what running steps have written.
  public func publish(_ outputs: [LiveOutput], of run: String) async throws {
    guard !outputs.isEmpty else { return }
    try await write { session in
      for output in outputs {
        // Only of what still runs: the end of an attempt has the last word.
        let rows = try session.query(
          """
          SELECT t.run_key FROM ev_run r JOIN ev_task t ON t.run_key = r.run_key
          WHERE r.id = \(run) AND t.no = \(output.number) AND t.attempt = \(output.attempt)
            AND t.status = 'running'
          """)
        guard let key = try rows.first?.integer(0) else { continue }
        try session.execute(
          """
          INSERT INTO ev_output (run_key, no, attempt, tail, total_bytes)
          VALUES (\(key), \(output.number), \(output.attempt), \(output.tail.text), \(output.tail.totalBytes))\
          \(raw: session.dialect.upsert(keys: ["run_key", "no", "attempt"], update: ["tail", "total_bytes"]))
          """)
      }
    }
  }
}

extension Drain {
  /// Five columns of ev_drain; nil if they are those of a join that found none.
  fileprivate init?(_ row: Row, from first: Int) throws {
    guard let host = try row.optionalText(first) else { return nil }
    self.init(
      host: host, reason: try row.text(first + 1), by: try row.text(first + 2),
      at: Timestamp(microseconds: try row.integer(first + 3)), deadline: try row.moment(first + 4))
  }
}
