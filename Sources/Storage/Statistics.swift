import Database

/// What PostgreSQL knows of the size of tables.
///
/// It learns that about once a minute, and sessions keep the plans of prepared statements until it does: of a loop that
/// writes thousands of tasks into a new database they would go through all of them for each one. The other two choose
/// the index by its columns here, however large the table is.
extension SQLStore {
  /// So many new rows in one transaction are worth a look.
  static let manyRows = 500

  /// Has the tables of tasks looked at if they are more than twice as large as is known.
  func refreshStatistics() async {
    // Without them the work goes on, slower.
    try? await pool.run { session in
      guard session.dialect.kind == .postgresql else { return }
      let rows = try session.query(
        """
        SELECT relpages, pg_relation_size(oid) / current_setting('block_size')::bigint FROM pg_class
        WHERE oid = to_regclass('ev_task')
        """)
      guard let row = rows.first, try row.integer(1) > 2 * max(0, row.integer(0)) else { return }
      try session.executeScript("ANALYZE ev_task; ANALYZE ev_iteration; ANALYZE ev_event")
    }
  }
}
