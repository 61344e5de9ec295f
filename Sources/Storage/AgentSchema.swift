import Database

/// What agents on many hosts need beside the tables of runs: queues, seats, drains, and who follows what.
///
/// A ready task of a run that is left to agents stands in a queue: that of its host (`h:HOST`), or that of a set of
/// group members (`g:…`, the same for every program that names the same set). Tasks of standalone runs stand in none.
enum AgentSchema {
  static let migration = Migration(number: 2, name: "agents") { statements($0) }

  private static func statements(_ d: Dialect) -> [String] {
    let (big, label, text) = (d.bigint, d.keyText(255), d.longText)
    let tables: [(name: String, body: String)] = [
      (
        "ev_queue",
        """
        queue_no \(d.bigIdentity), name \(d.keyText(191)) NOT NULL UNIQUE, hosts \(text) NOT NULL,
        labels \(text) NOT NULL
        """
      ),
      (
        "ev_member",
        "queue \(d.keyText(191)) NOT NULL, agent_key \(big) NOT NULL, PRIMARY KEY (queue, agent_key)"
      ),
      (
        "ev_seat",
        """
        host \(d.keyText(128)) NOT NULL, instance \(d.keyText(128)) NOT NULL, agent_key \(big),
        PRIMARY KEY (host, instance)
        """
      ),
      (
        "ev_drain",
        """
        host \(d.keyText(191)) NOT NULL PRIMARY KEY, reason \(text) NOT NULL, drained_by \(label) NOT NULL,
        drained_at \(big) NOT NULL, deadline_at \(big)
        """
      ),
      ("ev_follow", "run_key \(big) NOT NULL PRIMARY KEY, until_at \(big) NOT NULL"),
    ]
    return tables.map { "CREATE TABLE IF NOT EXISTS \($0.name) (\n\($0.body)\n)\(d.tableOptions)" }
      + columns(d).map { add(column: $0.name, $0.type, to: $0.table, d) }
      + indexes.flatMap { add(index: $0, d) }
  }

  private static func columns(_ d: Dialect) -> [(table: String, name: String, type: String)] {
    [
      ("ev_task", "queue", d.keyText(191)),
      // Hosts on which attempts have failed and the next one should not go, each between spaces.
      ("ev_task", "avoid", d.longText),
      // 1: an expired lock alone gives it to nobody (`on_cut_off: keep`).
      ("ev_task", "kept", "INTEGER"),
      ("ev_ticket", "queue", d.keyText(191)),
      // When the run next needs somebody to look at it; NULL for standalone runs and those without such a moment.
      ("ev_run", "wake_at", d.bigint),
      ("ev_agent", "labels", d.longText),
      ("ev_agent", "capacity", d.bigint),
      ("ev_agent", "lock_for", d.bigint),
      ("ev_agent", "waiter", d.keyText(191)),
      ("ev_resource", "sensor", d.longText),
      ("ev_resource", "sensor_every", d.bigint),
      ("ev_resource", "sensor_due", d.bigint),
      ("ev_resource", "sensor_at", d.bigint),
      ("ev_resource", "sensor_free", d.bigint),
      ("ev_resource", "sensor_message", d.longText),
    ]
  }

  private struct Index {
    let name: String
    let table: String
    let columns: String
    var condition: String?
  }

  private static let indexes = [
    Index(
      name: "ev_task_queued", table: "ev_task", columns: "queue, status, ordering, ready_at, run_key, no",
      condition: "open = 1 AND queue IS NOT NULL"),
    Index(
      name: "ev_task_expiring", table: "ev_task", columns: "kept, lock_until",
      condition: "holder IS NOT NULL"),
    Index(name: "ev_run_waking", table: "ev_run", columns: "wake_at", condition: "wake_at IS NOT NULL"),
    Index(name: "ev_ticket_queued", table: "ev_ticket", columns: "queue, resource_key, ordering, since"),
    Index(name: "ev_member_of_agent", table: "ev_member", columns: "agent_key"),
    Index(
      name: "ev_resource_sensed", table: "ev_resource", columns: "sensor_due",
      condition: "sensor_due IS NOT NULL"),
  ]

  /// Differs by necessity: MySQL commits each ALTER by itself, so a statement that was carried out before a crash may
  /// come again, and only MariaDB has ADD COLUMN IF NOT EXISTS.
  private static func add(column: String, _ type: String, to table: String, _ d: Dialect) -> String {
    switch d.kind {
    case .sqlite: return "ALTER TABLE \(table) ADD COLUMN \(column) \(type)"
    case .postgresql: return "ALTER TABLE \(table) ADD COLUMN IF NOT EXISTS \(column) \(type)"
    case .mysql:
      return unless(
        "information_schema.columns WHERE table_schema = DATABASE() AND table_name = '\(table)' AND column_name = '\(column)'",
        "ALTER TABLE \(table) ADD COLUMN \(column) \(type)")
    }
  }

  private static func add(index: Index, _ d: Dialect) -> [String] {
    if d.kind == .mysql {
      return [
        unless(
          "information_schema.statistics WHERE table_schema = DATABASE() AND table_name = '\(index.table)' AND index_name = '\(index.name)'",
          "CREATE INDEX \(index.name) ON \(index.table) (\(index.columns))")
      ]
    }
    let condition = index.condition.map { " WHERE \($0)" } ?? ""
    return ["CREATE INDEX IF NOT EXISTS \(index.name) ON \(index.table) (\(index.columns))\(condition)"]
  }

  private static func unless(_ there: String, _ statement: String) -> String {
    """
    SET @ev_ddl = IF((SELECT COUNT(*) FROM \(there)) = 0, '\(statement)', 'DO 0');
    PREPARE ev_ddl FROM @ev_ddl;
    EXECUTE ev_ddl;
    DEALLOCATE PREPARE ev_ddl
    """
  }
}
