import Database

/// What a database says it would do for a statement, and what of that would cost more with every run that has been.
struct Explanation {
  /// The plan, line by line.
  let lines: [String]
  /// Lines that read a whole table, or a whole index, of those that grow with history.
  let faults: [String]

  /// Asks the database how it would carry out `sql`.
  init(of sql: SQL, _ session: any Session, growing: Set<String>) throws {
    let prefix = session.dialect.kind == .sqlite ? "EXPLAIN QUERY PLAN " : "EXPLAIN "
    let rows = try session.query(SQL(text: prefix + sql.text, values: sql.values))
    let names = Self.tables(in: sql.text)
    func isGrowing(_ name: some StringProtocol) -> Bool {
      growing.contains(names[String(name)] ?? String(name))
    }
    switch session.dialect.kind {
    case .sqlite:
      lines = try rows.map { try $0.text(3) }
      faults = lines.filter { line in
        let words = line.split(separator: " ")
        guard words.count > 1, isGrowing(words[1]) else { return false }
        // For MIN and MAX, SQLite says SEARCH even where there is nothing to search by.
        return words[0] == "SCAN" || words[0] == "SEARCH" && !words.contains("USING")
      }
    case .postgresql:
      lines = try rows.map { try $0.text(0) }
      faults = Self.postgresFaults(lines, isGrowing)
    case .mysql:
      lines = rows.map { row in
        (0..<row.count).map { Self.plain(row[$0]) }.joined(separator: " | ")
      }
      faults = zip(rows, lines).filter { row, _ in
        guard case .text(let select) = row[1], case .text(let table) = row[2], case .text(let type) = row[3]
        else {
          return false
        }
        // A row that is inserted has a line too, and reads nothing.
        return select != "INSERT" && (type == "ALL" || type == "index") && isGrowing(table)
      }.map(\.1)
    }
  }

  /// Partial indexes over what is not over: as long as that, however much has been.
  private static let shortIndexes = [
    "ev_task_to_claim", "ev_task_due", "ev_task_held", "ev_task_expiring", "ev_task_queued",
    "ev_task_in_line",
    "ev_run_waking", "ev_run_stopped",
    "ev_loop_growing",
  ]

  /// A sequential scan, or an index scan without a condition that bounds it.
  private static func postgresFaults(_ lines: [String], _ isGrowing: (Substring) -> Bool) -> [String] {
    var faults: [String] = []
    for (index, line) in lines.enumerated() {
      guard let match = line.firstMatch(of: /(Seq Scan|Index Scan|Index Only Scan).* on (\w+)/),
        isGrowing(match.output.2)
      else { continue }
      let isBounded = lines[(index + 1)...].prefix { !$0.contains("->") }.contains {
        $0.contains("Index Cond:")
      }
      let isShort = shortIndexes.contains { line.contains(" using \($0) ") }
      if match.output.1 == "Seq Scan" || !isBounded && !isShort { faults.append(line) }
    }
    return faults
  }

  /// The tables of a statement by the names it gives them.
  private static func tables(in text: String) -> [String: String] {
    var names: [String: String] = [:]
    for match in text.matches(of: /`?(ev_[a-z]+)`?(?: ([a-z]))?\b/) {
      let table = String(match.output.1)
      names[table] = table
      if let alias = match.output.2 { names[String(alias)] = table }
    }
    return names
  }

  private static func plain(_ value: Value) -> String {
    switch value {
    case .null: "NULL"
    case .integer(let number): String(number)
    case .real(let number): String(number)
    case .text(let text): text
    case .blob: "…"
    }
  }
}

extension Explanation {
  /// What is done whatever the values are, as sessions on PostgreSQL have it; SQLite and PostgreSQL.
  static func plan(of sql: SQL, _ session: any Session) throws -> [String] {
    if session.dialect.kind == .sqlite {
      return try session.query(SQL(text: "EXPLAIN QUERY PLAN " + sql.text, values: sql.values)).map {
        try $0.text(3)
      }
    }
    var (text, count) = ("", 0)
    for character in sql.text.replacing("`", with: "\"") {
      if character == "?" { count += 1 }
      text += character == "?" ? "$\(count)" : String(character)
    }
    try session.executeScript("PREPARE looked AS \(text)")
    let literals = sql.values.map { value in
      switch value {
      case .text(let text): "'\(text.replacing("'", with: "''"))'"
      case .integer(let number): "\(number)"
      default: "NULL"
      }
    }
    let lines = try session.query(
      SQL(text: "EXPLAIN EXECUTE looked" + (literals.isEmpty ? "" : "(\(literals.joined(separator: ", ")))"))
    ).map { try $0.text(0) }
    try session.executeScript("DEALLOCATE looked")
    return lines
  }
}
