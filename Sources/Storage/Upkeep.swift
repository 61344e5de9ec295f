public import Database
import Engine
public import Model

/// The store as a whole: versions, sizes, retention, consistency.
extension SQLStore {
  private static let tablesOfRuns = [
    "ev_task", "ev_attempt", "ev_output", "ev_result", "ev_event", "ev_delay", "ev_loop", "ev_iteration", "ev_hold",
    "ev_ticket", "ev_history", "ev_recovery", "ev_run",
  ]
  private static let otherTables = ["ev_program", "ev_resource", "ev_agent", "ev_migration"]

  /// The migrations applied, in order.
  public func schemaVersions() async throws -> [AppliedMigration] {
    try await pool.run { session in try Self.migrator.status(session) }
  }

  /// The rows of each table.
  public func rowCounts() async throws -> [(table: String, rows: Int)] {
    try await read { session in
      try (Self.tablesOfRuns + Self.otherTables).sorted().map { table in
        (table, try session.query("SELECT COUNT(*) FROM \(identifier: table)").first?.int(0) ?? 0)
      }
    }
  }

  /// Grants for a role that uses the store, or only looks at it.
  public static func grants(for role: String, readOnly: Bool, on url: StoreURL) -> String {
    let rights = readOnly ? "SELECT" : "SELECT, INSERT, UPDATE, DELETE"
    let dialect = Dialect(url.kind)
    let tables = (tablesOfRuns + otherTables).sorted()
    if url.kind == .mysql {
      let database = dialect.quote(url.database ?? "eventor")
      return tables.map { "GRANT \(rights) ON \(database).\(dialect.quote($0)) TO '\(role)';\n" }.joined()
    }
    let schema = dialect.quote(url.options["schema"] ?? "public")
    var text = "GRANT USAGE ON SCHEMA \(schema) TO \(dialect.quote(role));\n"
    for table in tables { text += "GRANT \(rights) ON \(schema).\(dialect.quote(table)) TO \(dialect.quote(role));\n" }
    return text
  }

  // MARK: Retention

  /// How many runs ended longer ago than `age`.
  public func countPurgeable(olderThan age: TimeSpan) async throws -> Int {
    try await read { session in
      try session.query(
        "SELECT COUNT(*) FROM ev_run WHERE ended_at < \(try session.clock() - age.microseconds)"
      ).first?.int(0) ?? 0
    }
  }

  /// Removes runs that ended longer ago than `age`, each in a transaction of its own, and returns how many.
  public func purge(olderThan age: TimeSpan) async throws -> Int {
    var removed = 0
    while true {
      let isRemoved = try await write { session in
        let rows = try session.query(
          """
          SELECT run_key FROM ev_run WHERE ended_at < \(try session.clock() - age.microseconds)
          ORDER BY run_key LIMIT 1\(raw: session.dialect.forUpdate)
          """)
        guard let key = try rows.first?.integer(0) else { return false }
        for table in Self.tablesOfRuns {
          try session.execute("DELETE FROM \(identifier: table) WHERE run_key = \(key)")
        }
        return true
      }
      guard isRemoved else { break }
      removed += 1
    }
    try await write { session in
      // Resources of one run, agents long gone, and removed programs that no run needs any more.
      try session.execute(
        """
        DELETE FROM ev_resource WHERE used = 0 AND scope IN ('program', 'run-limit')
          AND NOT EXISTS (SELECT 1 FROM ev_run r WHERE r.id = ev_resource.owner)
        """)
      try session.execute(
        "DELETE FROM ev_agent WHERE stopped_at < \(try session.clock() - age.microseconds)")
      try session.execute(
        """
        DELETE FROM ev_program WHERE removed = 1
          AND NOT EXISTS (SELECT 1 FROM ev_run r WHERE r.program_key = ev_program.program_key)
        """)
    }
    return removed
  }

  // MARK: Consistency

  /// What does not fit together, in sentences; nothing if all does.
  public func check() async throws -> [String] {
    try await read { session in
      try self.countFaults(session) + self.statusFaults(session) + self.holdFaults(session)
        + self.historyFaults(session)
    }
  }

  /// `ev_run.active` is what is left of the run.
  private func countFaults(_ session: any Session) throws -> [String] {
    try session.query(
      """
      SELECT r.id, r.active,
        (SELECT COUNT(*) FROM ev_task t WHERE t.run_key = r.run_key AND t.recovery = r.recovery AND t.open = 1)
        + (SELECT COUNT(*) FROM ev_delay d WHERE d.run_key = r.run_key AND d.recovery = r.recovery)
        + (SELECT COUNT(*) FROM ev_loop l WHERE l.run_key = r.run_key AND l.recovery = r.recovery
            AND l.status = 'running')
      FROM ev_run r
      """
    ).compactMap { row in
      let (active, counted) = (try row.integer(1), try row.integer(2))
      return active == counted ? nil : "run \(try row.text(0)): counts \(active) things not over, and has \(counted)"
    }
  }

  /// Runs that are over have nothing open; runs that go on have something left.
  private func statusFaults(_ session: any Session) throws -> [String] {
    let open = try session.query(
      """
      SELECT r.id, t.step, t.sequence FROM ev_run r JOIN ev_task t ON t.run_key = r.run_key
      WHERE t.open = 1 AND r.status IN ('success', 'failure', 'cancelled')
      """
    ).map { "run \(try $0.text(0)) is over, and its task \(try $0.text(1))/\(try $0.text(2)) is not" }
    let stuck = try session.query(
      "SELECT id FROM ev_run WHERE status IN ('running', 'paused') AND active <= 0"
    ).map { "run \(try $0.text(0)) goes on, and has nothing left to do" }
    let lapsed = try session.query(
      """
      SELECT r.id, t.step, t.sequence FROM ev_run r JOIN ev_task t ON t.run_key = r.run_key
      WHERE (t.status = 'running' AND (t.holder IS NULL OR t.open IS NULL))
        OR (t.status IN ('success', 'failure', 'cancelled') AND (t.open IS NOT NULL OR t.holder IS NOT NULL))
      """
    ).map { "run \(try $0.text(0)): the lock of task \(try $0.text(1))/\(try $0.text(2)) does not fit its status" }
    return open + stuck + lapsed
  }

  /// `ev_resource.used` is what is held.
  private func holdFaults(_ session: any Session) throws -> [String] {
    try session.query(
      """
      SELECT r.name, r.used, COALESCE((SELECT SUM(h.amount) FROM ev_hold h WHERE h.resource_key = r.resource_key), 0)
      FROM ev_resource r
      """
    ).compactMap { row in
      let (used, held) = (try row.integer(1), try row.integer(2))
      return used == held ? nil : "resource \(try row.text(0)): \(used) in use, and \(held) held"
    }
  }

  /// The present, rebuilt from the history: the last transition of each task and run leads to its status.
  private func historyFaults(_ session: any Session) throws -> [String] {
    var faults: [String] = []
    try session.each(
      """
      SELECT r.id, t.step, t.sequence, t.status, h.to_status FROM ev_task t
      JOIN ev_run r ON r.run_key = t.run_key
      LEFT JOIN ev_history h ON h.history_key = (SELECT MAX(m.history_key) FROM ev_history m
        WHERE m.run_key = t.run_key AND m.subject = 'task' AND m.name = t.step AND m.sequence = t.sequence
          AND m.recovery = t.recovery)
      """
    ) { row in
      let (status, last) = (try row.text(3), try row.optionalText(4))
      // Queueing for a resource is not a transition of its own: the task is as ready as it was.
      let isSame = last == status || (status == "waiting" && last == "ready")
      if !isSame {
        faults.append(
          "run \(try row.text(0)): task \(try row.text(1))/\(try row.text(2)) is \(status), "
            + "and its history ends with \(last ?? "nothing")")
      }
    }
    for row in try session.query(
      """
      SELECT r.id, r.status, h.to_status FROM ev_run r
      LEFT JOIN ev_history h ON h.history_key = (SELECT MAX(m.history_key) FROM ev_history m
        WHERE m.run_key = r.run_key AND m.subject = 'run')
      """)
    {
      let (status, last) = (try row.text(1), try row.optionalText(2))
      if status != last, !(last == "cancelled" && status == "running") {
        faults.append("run \(try row.text(0)) is \(status), and its history ends with \(last ?? "nothing")")
      }
    }
    return faults
  }
}
