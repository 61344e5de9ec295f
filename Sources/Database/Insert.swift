import Synchronization

extension Session {
  /// Inserts rows with few round trips and few statement texts: chunks of 64, 16, and 8 rows or fewer.
  ///
  /// Returns how many rows were new. With `ignoringConflicts` a row whose key is there is left as it is;
  /// every other error is still thrown. Not atomic by itself: call it in a transaction.
  @discardableResult
  public func insert(
    into table: String, columns: [String], rows: [[Value]], ignoringConflicts: Bool = false
  ) throws(DatabaseError) -> Int {
    var inserted = 0
    for chunk in Self.chunks(of: rows.count) {
      inserted += try insertChunk(
        into: table, columns: columns, rows: rows[chunk], ignoring: ignoringConflicts)
    }
    return inserted
  }

  /// The same for rows that are all new, without waiting for each chunk (``enqueue(_:)``).
  public func enqueueInsert(into table: String, columns: [String], rows: [[Value]]) throws(DatabaseError) {
    for chunk in Self.chunks(of: rows.count) {
      try enqueue(statement(into: table, columns: columns, rows: rows[chunk]))
    }
  }

  /// The same for so many rows, each of which `fill` appends to the values: for tables to which much is written.
  public func enqueueInsert(
    into table: String, columns: [String], count: Int, _ fill: (Int, inout [Value]) -> Void
  ) throws(DatabaseError) {
    for chunk in Self.chunks(of: count) {
      var sql = Self.text(into: table, columns: columns, rows: chunk.count)
      sql.values.reserveCapacity(chunk.count * columns.count)
      for row in chunk { fill(row, &sql.values) }
      guard !columns.isEmpty, sql.values.count == chunk.count * columns.count else {
        throw Self.wrongCount(table, columns)
      }
      try enqueue(sql)
    }
  }

  private static func chunks(of rows: Int) -> [Range<Int>] {
    var chunks: [Range<Int>] = []
    var start = 0
    while start < rows {
      let rest = rows - start
      let size = rest >= 64 ? 64 : rest >= 16 ? 16 : min(rest, 8)
      chunks.append(start..<start + size)
      start += size
    }
    return chunks
  }

  private static func wrongCount(_ table: String, _ columns: [String]) -> DatabaseError {
    DatabaseError(.syntax, code: "columns", message: "a row for \(table) has not \(columns.count) values")
  }

  private func statement(
    into table: String, columns: [String], rows: ArraySlice<[Value]>
  ) throws(DatabaseError) -> SQL {
    guard rows.allSatisfy({ $0.count == columns.count }), !columns.isEmpty else {
      throw Self.wrongCount(table, columns)
    }
    var sql = Self.text(into: table, columns: columns, rows: rows.count)
    sql.values.reserveCapacity(rows.count * columns.count)
    for row in rows { sql.values += row }
    return sql
  }

  private static func text(into table: String, columns: [String], rows: Int) -> SQL {
    InsertTexts.shared.text(of: .init(table: table, columns: columns, rows: rows)) {
      spell(into: table, columns: columns, rows: rows)
    }
  }

  private static func spell(into table: String, columns: [String], rows: Int) -> SQL {
    var sql: SQL = "INSERT INTO \(identifier: table) ("
    for (index, column) in columns.enumerated() {
      sql += index == 0 ? "\(identifier: column)" : ", \(identifier: column)"
    }
    let tuple = SQL.placeholders(columns.count)
    sql.text += ") VALUES " + tuple + String(repeating: ", " + tuple, count: max(0, rows - 1))
    return sql
  }

  private func insertChunk(
    into table: String, columns: [String], rows: ArraySlice<[Value]>, ignoring: Bool
  ) throws(DatabaseError) -> Int {
    let sql = try statement(into: table, columns: columns, rows: rows)
    guard ignoring else { return try execute(sql) }
    guard dialect.kind == .mysql else { return try execute(sql + " ON CONFLICT DO NOTHING") }
    return try insertCountingDuplicates(sql, column: columns[0], rows: rows.count)
  }

  /// Differs by necessity: under CLIENT_FOUND_ROWS MySQL counts a row left as it was like a new one, and
  /// INSERT IGNORE would swallow other errors too, so duplicates are counted in a session variable.
  private func insertCountingDuplicates(
    _ sql: SQL, column: String, rows: Int
  ) throws(DatabaseError) -> Int {
    let update: SQL =
      " ON DUPLICATE KEY UPDATE \(identifier: column) = IF((@ev_duplicates := COALESCE(@ev_duplicates, 0) + 1), \(identifier: column), \(identifier: column))"
    do {
      try execute(sql + update)
    } catch {
      // The count of the failed statement must not be added to the next one's.
      if !isBroken { _ = try? query("SELECT @ev_duplicates := 0") }
      throw error
    }
    let counted = try query(
      "SELECT CAST(COALESCE(@ev_duplicates, 0) AS SIGNED), @ev_duplicates := 0")
    return rows - (try counted.first?.int(0) ?? 0)
  }
}

/// Texts of inserts, which are long, and of which there are few.
private final class InsertTexts: Sendable {
  struct Key: Hashable {
    let table: String
    let columns: [String]
    let rows: Int

    // Names of columns are compared, where need be.
    func hash(into hasher: inout Hasher) {
      hasher.combine(table)
      hasher.combine(rows)
      hasher.combine(columns.count)
    }
  }

  static let shared = InsertTexts()
  private static let most = 512
  private let texts = Mutex<[Key: SQL]>([:])

  func text(of key: Key, else spell: () -> SQL) -> SQL {
    if let text = texts.withLock({ $0[key] }) { return text }
    let text = spell()
    texts.withLock { texts in
      if texts.count >= Self.most { texts = [:] }
      texts[key] = text
    }
    return text
  }
}
