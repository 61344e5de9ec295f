import Database

/// Finished runs, as many as wanted: copies of one that was really done, so that their rows are as real ones are
/// whatever columns they have.
struct PastRuns {
  let own: OwnStore
  /// The id of the finished run.
  let template: String

  /// Runs of one transaction.
  private static let batch = 500
  /// Keys far from those of the runs to come.
  private static let firstKey: Int64 = 1_000_000_000

  /// Makes `count` copies.
  func copy(_ count: Int) async throws {
    let columns = try await columns()
    let key = try await own.number("SELECT run_key FROM ev_run WHERE id = \(template)")
    try await own.pool.run { session in
      try session.executeScript("CREATE TABLE floor_number (n BIGINT NOT NULL PRIMARY KEY)")
      try session.begin(.write)
      try session.insert(
        into: "floor_number", columns: ["n"], rows: (0..<Self.batch).map { [.integer(Int64($0))] })
      try session.commit()
    }
    for start in stride(from: 0, to: count, by: Self.batch) {
      if start.isMultiple(of: Self.batch * 20) { Progress.say("past runs: \(start) of \(count)") }
      let number = min(Self.batch, count - start)
      try await own.pool.transaction(.write) { session in
        for (table, names) in columns {
          try session.execute(
            insert(into: table, names, of: key, from: Int64(start), number, session.dialect))
        }
      }
    }
    try await own.pool.run { session in
      try session.executeScript("DROP TABLE floor_number")
      switch session.dialect.kind {
      case .sqlite: try session.executeScript("ANALYZE")
      case .postgresql: try session.executeScript("VACUUM ANALYZE")
      case .mysql:
        for (table, _) in columns { _ = try session.query("ANALYZE TABLE \(identifier: table)") }
      }
    }
  }

  /// Every row of the template in `table`, under other keys. A key of the table's own is left to the table.
  private func insert(
    into table: String, _ names: [String], of key: Int64, from start: Int64, _ count: Int, _ dialect: Dialect
  ) -> SQL {
    let kept = names.filter { $0 != "history_key" }
    var sql: SQL = "INSERT INTO \(identifier: table) ("
    for (position, name) in kept.enumerated() { sql += "\(raw: position > 0 ? ", " : "")\(identifier: name)" }
    sql += ") SELECT "
    for (position, name) in kept.enumerated() {
      if position > 0 { sql += ", " }
      if name == "run_key" {
        sql += "\(raw: String(Self.firstKey + start)) + c.n"
      } else if table == "ev_run", name == "id" {
        let number = "\(start) + c.n"
        sql += dialect.kind == .sqlite ? "'past-' || (\(raw: number))" : "CONCAT('past-', \(raw: number))"
      } else {
        sql += "t.\(identifier: name)"
      }
    }
    return sql
      + " FROM \(identifier: table) t CROSS JOIN floor_number c WHERE t.run_key = \(key) AND c.n < \(count)"
  }

  /// The columns of every table that has rows of runs.
  private func columns() async throws -> [(table: String, names: [String])] {
    let sql: SQL =
      switch own.url.kind {
      case .sqlite:
        """
        SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
        WHERE m.type = 'table' AND m.name LIKE 'ev%' ORDER BY m.name, c.cid
        """
      case .postgresql:
        """
        SELECT table_name::text, column_name::text FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name LIKE 'ev%' ORDER BY table_name, ordinal_position
        """
      case .mysql:
        """
        SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name LIKE 'ev%' ORDER BY table_name, ordinal_position
        """
      }
    var tables: [(table: String, names: [String])] = []
    for row in try await own.rows(sql) {
      let (table, column) = (try row.text(0), try row.text(1))
      if tables.last?.table != table { tables.append((table, [])) }
      tables[tables.count - 1].names.append(column)
    }
    return tables.filter { $0.names.contains("run_key") }
  }
}
