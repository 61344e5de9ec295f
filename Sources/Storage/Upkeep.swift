public import Database
import Engine
public import Model

/// The store as a whole: versions, sizes, retention.
extension SQLStore {
  private static let tablesOfRuns =
    [
      "ev_task", "ev_attempt", "ev_output", "ev_result", "ev_event", "ev_delay", "ev_loop", "ev_iteration",
      "ev_hold", "ev_ticket", "ev_follow", "ev_history", "ev_recovery", "ev_run",
    ] + ScheduleSchema.tablesOfRuns + StepNoteSchema.tablesOfRuns
  private static let otherTables =
    [
      "ev_program", "ev_resource", "ev_agent", "ev_seat", "ev_queue", "ev_member", "ev_drain", "ev_migration",
    ] + ScheduleSchema.otherTables

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
    for table in tables {
      text += "GRANT \(rights) ON \(schema).\(dialect.quote(table)) TO \(dialect.quote(role));\n"
    }
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
    let removed = try await purgeRuns(olderThan: age, limit: .max)
    try await purgeRest(olderThan: age)
    return removed
  }

  /// As ``purge(olderThan:)``, for an agent that has other things to do.
  public func purgeSome(olderThan age: TimeSpan, limit: Int) async throws -> Int {
    let removed = try await purgeRuns(olderThan: age, limit: limit)
    if removed > 0 { try await purgeRest(olderThan: age) }
    return removed
  }

  /// Several may do this at once: each takes a run that no other is at.
  private func purgeRuns(olderThan age: TimeSpan, limit: Int) async throws -> Int {
    var removed = 0
    while removed < limit {
      let isRemoved = try await write { session in
        let rows = try session.query(
          """
          SELECT run_key FROM ev_run WHERE ended_at < \(try session.clock() - age.microseconds)
          ORDER BY run_key LIMIT 1\(raw: session.dialect.forUpdateSkipLocked)
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
    return removed
  }

  /// Resources of one run, agents long gone, and removed programs that no run needs any more.
  private func purgeRest(olderThan age: TimeSpan) async throws {
    try await write { session in
      let before = try session.clock() - age.microseconds
      try session.execute(
        """
        DELETE FROM ev_resource WHERE used = 0 AND scope IN ('program', 'run-limit')
          AND NOT EXISTS (SELECT 1 FROM ev_run r WHERE r.id = ev_resource.owner)
        """)
      // A seat remembers its last agent, for `agent list` and `why`; one that still holds tasks is needed for them.
      try session.execute(
        """
        DELETE FROM ev_agent WHERE (stopped_at < \(before) OR heartbeat_at < \(before))
          AND NOT EXISTS (SELECT 1 FROM ev_seat s WHERE s.agent_key = ev_agent.agent_key)
          AND NOT EXISTS (SELECT 1 FROM ev_task t
            WHERE t.holder = ev_agent.agent_key OR (t.agent = ev_agent.agent_key AND t.open = 1))
        """)
      try session.execute(
        """
        DELETE FROM ev_member WHERE NOT EXISTS
          (SELECT 1 FROM ev_agent a WHERE a.agent_key = ev_member.agent_key AND a.stopped_at IS NULL)
        """)
      try self.purgeFirings(before: before, session)
      try session.execute(
        """
        DELETE FROM ev_program WHERE removed = 1
          AND NOT EXISTS (SELECT 1 FROM ev_run r WHERE r.program_key = ev_program.program_key)
        """)
    }
  }
}
