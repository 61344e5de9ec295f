import Database

/// The loops among a database's tables: a loop is what has a loop's columns, whoever made it.
struct LoopCatalog {
  let session: any Session

  /// One column of a table that may be a loop's.
  private struct Column {
    let table: String
    let name: String
    let type: LoopColumnType
  }

  /// The loops of the current database or schema, by name; tables that look like one and can't serve are left out.
  func tables() throws -> [LoopTable] {
    let columns = Dictionary(grouping: try self.columns(of: nil), by: \.table)
    return columns.sorted { $0.key < $1.key }.compactMap { name, columns in
      guard let type = try? Self.idType(of: name, columns) else { return nil }
      return LoopTable(known: name, type)
    }
  }

  /// The loop called `name`.
  ///
  /// - Throws: ``LoopError`` if there is none, or a table that is no loop or that can't serve as one.
  func table(_ name: String) throws -> LoopTable {
    try LoopTable.check(name)
    let columns = try self.columns(of: name)
    guard !columns.isEmpty else { throw LoopError.noLoop(name) }
    let idType = try Self.idType(of: name, columns)
    try checkEngine(name)
    let turnIndex = try turnIndex(of: name)
    return LoopTable(known: name, idType, keyIndex: try keyIndex(of: name), turnIndex: turnIndex)
  }

  /// Whether there is any table, view or loop of that name.
  func hasTable(_ name: String) throws -> Bool { try !columns(of: name).isEmpty }

  private static func idType(of table: String, _ columns: [Column]) throws(LoopError) -> LoopIDType {
    func type(_ name: String) throws(LoopError) -> LoopColumnType {
      guard let column = columns.first(where: { $0.name == name }) else {
        throw noLoop(table, "it has no column \(name)")
      }
      return column.type
    }
    for name in ["last_updated", "lock_until"] {
      guard case .integer = try type(name).kind else {
        throw noLoop(table, "its column \(name) holds no seconds")
      }
    }
    let id = try type("id")
    guard let kind = id.kind else {
      throw noLoop(table, "its ids are of type \(id.words); integers, text and bytes can be ids")
    }
    return LoopIDType(kind: kind, description: id.words, isPadded: id.isPadded)
  }

  private static func noLoop(_ table: String, _ why: String) -> LoopError {
    LoopError(
      .conflict, "table '\(table)' is no loop", why: why,
      mend: "`coordinator loop list` shows the loops there are")
  }

  private func columns(of table: String?) throws -> [Column] {
    switch session.dialect.kind {
    case .sqlite:
      let one: SQL = table.map { " AND s.name = \($0) COLLATE NOCASE" } ?? ""
      return try session.query(
        """
        SELECT s.name, c.name, c.type FROM sqlite_schema s JOIN pragma_table_info(s.name) c
        WHERE s.type IN ('table', 'view')\(one) ORDER BY s.name, c.cid
        """
      ).map {
        Column(table: try $0.text(0), name: try $0.text(1), type: LoopColumnType(try $0.text(2), of: .sqlite))
      }
    case .postgresql:
      let one: SQL =
        table.map { "c.oid = to_regclass(\("\"\($0)\""))" }
        ?? "c.relnamespace = current_schema()::regnamespace"
      return try session.query(
        """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND \(one) ORDER BY c.relname, a.attnum
        """
      ).map {
        Column(
          table: try $0.text(0), name: try $0.text(1), type: LoopColumnType(try $0.text(2), of: .postgresql))
      }
    case .mysql:
      let one: SQL = table.map { " AND table_name = \($0)" } ?? ""
      return try session.query(
        """
        SELECT table_name, column_name, column_type, character_set_name FROM information_schema.columns
        WHERE table_schema = DATABASE()\(one) ORDER BY table_name, ordinal_position
        """
      ).map {
        let type = LoopColumnType(try $0.text(2), characterSet: try $0.optionalText(3), of: .mysql)
        return Column(table: try $0.text(0), name: try $0.text(1).lowercased(), type: type)
      }
    }
  }

  /// Only InnoDB locks single rows; in a table of another engine two workers would be given the same id.
  private func checkEngine(_ name: String) throws {
    guard session.dialect.kind == .mysql else { return }
    let rows = try session.query(
      "SELECT engine FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = \(name)")
    let engine = try rows.first?.optionalText(0) ?? "none"
    guard engine.lowercased() == "innodb" else {
      throw LoopError(
        .conflict, "table '\(name)' can't serve as a loop",
        why: "its storage engine is \(engine), which does not lock single rows",
        mend: "ALTER TABLE `\(name)` ENGINE=InnoDB")
    }
  }

  private func keyIndex(of name: String) throws -> String? {
    guard session.dialect.kind == .mysql else { return nil }
    let rows = try session.query(
      """
      SELECT index_name FROM information_schema.statistics
      WHERE table_schema = DATABASE() AND table_name = \(name) AND non_unique = 0 AND sub_part IS NULL
      GROUP BY index_name HAVING COUNT(*) = 1 AND MIN(LOWER(column_name)) = 'id'
      """)
    let names = try rows.map { try $0.text(0) }.filter(SQL.isIdentifier)
    return names.first { $0 == "PRIMARY" } ?? names.min()
  }

  /// The name of the index over `lock_until`, `last_updated`, where statements name it; nil elsewhere. Without one every `get`
  /// would read, and on MySQL lock, the whole table.
  private func turnIndex(of name: String) throws -> String? {
    let sql: SQL =
      switch session.dialect.kind {
      case .sqlite:
        """
        SELECT i.name, c.name FROM pragma_index_list(\(name)) i JOIN pragma_index_info(i.name) c
        WHERE i.partial = 0 ORDER BY i.name, c.seqno
        """
      case .postgresql:
        """
        SELECT i.indexrelid::text, CASE WHEN a.attname = 'last_updated' AND i.indoption[a.attnum - 1] & 2 = 0
          THEN 'NULLS LAST' ELSE a.attname END FROM pg_index i
        JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum > 0
        WHERE i.indrelid = to_regclass(\("\"\(name)\"")) AND i.indisvalid AND i.indpred IS NULL
        ORDER BY 1, a.attnum
        """
      case .mysql:
        """
        SELECT index_name, LOWER(column_name) FROM information_schema.statistics
        WHERE table_schema = DATABASE() AND table_name = \(name) ORDER BY index_name, seq_in_index
        """
      }
    let indexes = Dictionary(
      grouping: try session.query(sql).map { (try $0.text(0), try $0.optionalText(1)) }, by: \.0)
    let fitting = indexes.filter { $0.value.prefix(2).map(\.1) == ["lock_until", "last_updated"] }.keys
    guard !fitting.isEmpty else {
      throw LoopError(
        .conflict, "table '\(name)' can't serve as a loop",
        why: "it has no index over lock_until, last_updated",
        mend: "CREATE INDEX \(name)_lock_until ON \(session.dialect.quote(name)) (lock_until, last_updated"
          + (session.dialect.kind == .postgresql ? " NULLS FIRST)" : ")"))
    }
    return session.dialect.kind == .mysql ? fitting.filter(SQL.isIdentifier).min() : nil
  }
}
