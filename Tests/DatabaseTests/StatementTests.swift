import Database
import TestSupport
import Testing

@testable import Drivers

@Suite("Statements")
struct StatementTests {
  private enum Colour: String, Bindable { case red }
  private enum Level: Int, Bindable { case high = 3 }

  @Test("interpolation binds")
  func interpolation() {
    let name: String? = nil
    let sql: SQL =
      "SELECT \(identifier: "a") FROM t WHERE x = \(1) AND y IN \(list: ["p", "q"]) AND z = \(name) \(raw: "LIMIT 1")"
    #expect(sql.text == "SELECT `a` FROM t WHERE x = ? AND y IN (?, ?) AND z = ? LIMIT 1")
    #expect(sql.values == [.integer(1), .text("p"), .text("q"), .null])
    let more = sql + " -- \(true) \(2.5) \([1] as [UInt8]) \(Colour.red) \(Level.high) \(Value.text("v"))"
    #expect(
      more.values.suffix(6) == [.integer(1), .real(2.5), .blob([1]), .text("red"), .integer(3), .text("v")])
    let spliced: SQL = "SELECT 1 WHERE \(SQL(text: "a = ?", values: [.integer(7)]))"
    #expect(spliced == SQL(text: "SELECT 1 WHERE a = ?", values: [.integer(7)]))
  }

  @Test("a list of values has as many places as the next power of two, the rest of them for its last value")
  func lists() {
    func list(_ numbers: [Int]) -> SQL { "\(list: numbers)" }
    #expect(list([]) == SQL(text: "(NULL)"))
    #expect(list([7]) == SQL(text: "(?)", values: [.integer(7)]))
    #expect(list([1, 2, 3]) == SQL(text: "(?, ?, ?, ?)", values: [1, 2, 3, 3].map { .integer($0) }))
    let long = list(Array(1...65))
    #expect(long.values.count == 128 && long.values.last == .integer(65))
    #expect(long.text.count { $0 == "?" } == 128)
    #expect(Set((33...64).map { list(Array(1...$0)).text }).count == 1)
  }

  @Test("a list finds what is in it, however many there are", arguments: TestStore.all)
  func listed(_ kind: TestStore.Kind) async throws {
    try await withPool(kind, size: 1) { pool in
      try await pool.transaction(.write) { session in
        try session.insert(
          into: "t", columns: ["k", "n"], rows: (0..<100).map { [.text("k\($0)"), .integer(Int64($0))] })
        for count in [0, 1, 2, 3, 5, 64, 65, 99] {
          let list = Array(0..<count)
          #expect(try session.query("SELECT n FROM t WHERE n IN \(list: list)").count == count)
        }
        #expect(try session.query("SELECT n FROM t WHERE n NOT IN \(list: [1, 2, 3])").count == 97)
      }
    }
  }

  @Test(
    "PostgreSQL's form",
    arguments: [
      ("a = ? AND b = ?", "a = $1 AND b = $2"),
      ("'?' ? 'it''s ?'", "'?' $1 'it''s ?'"),
      (#"E'\'?' ? e'\\' ?"#, #"E'\'?' $1 e'\\' $2"#),
      (#"'\' ?"#, #"'\' $1"#),
      (#"type'\' ?"#, #"type'\' $1"#),
      ("`a` \"b?`\" ?", "\"a\" \"b?`\" $1"),
      ("-- ?\n?", "-- ?\n$1"),
      ("/* ? /* ? */ ? */ ?", "/* ? /* ? */ ? */ $1"),
      ("$$?$$ ? $x$ ? $$ $x$ ?", "$$?$$ $1 $x$ ? $$ $x$ $2"),
      ("a$b ? $1", "a$b $1 $1"),
      ("é? 👩‍👧 ?", "é$1 👩‍👧 $2"),
      ("'open ?", "'open ?"), ("/* open ?", "/* open ?"), ("$a$ open ?", "$a$ open ?"), ("$", "$"),
      ("E'\\", "E'\\"),
    ])
  func translation(_ source: String, _ target: String) {
    #expect(PostgresStatementText(source).text == target)
  }

  @Test("the cache keeps what is used and gives up the rest")
  func cache() {
    var cache = StatementCache<Int>(capacity: 2)
    #expect(cache.keep(1, for: "a") == nil)
    #expect(cache.keep(2, for: "b") == nil)
    #expect(cache.find("a") == 1)
    #expect(cache.keep(3, for: "c") == 2)
    #expect(cache.find("b") == nil)
    #expect(cache.remove("a") == 1)
    #expect(cache.count == 1)
  }

  @Test("a session prepares a bounded number of statements, here and on the server", arguments: TestStore.all)
  func bounded(_ kind: TestStore.Kind) async throws {
    try await withPool(kind, size: 1) { pool in
      let (kept, onServer, sum) = try await pool.run { session in
        var sum = 0
        for number in 0..<600 { sum += try session.query(SQL(text: "SELECT \(number)"))[0].int(0) }
        let kept: Int
        switch session {
        case let session as SQLiteSession: kept = session.cachedStatements
        case let session as PostgresSession: kept = session.cachedStatements
        case let session as MySQLSession: kept = session.cachedStatements
        default: kept = -1
        }
        let onServer: Int
        switch kind {
        case .sqlite: onServer = 256
        case .postgresql:
          onServer = try session.query("SELECT COUNT(*) FROM pg_prepared_statements")[0].int(0)
        case .mysql:
          let opened = try session.query(
            """
            SELECT CAST(SUM(CASE VARIABLE_NAME WHEN 'COM_STMT_PREPARE' THEN VARIABLE_VALUE
              ELSE -VARIABLE_VALUE END) AS SIGNED)
            FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME IN ('COM_STMT_PREPARE', 'COM_STMT_CLOSE')
            """)
          onServer = try opened[0].int(0)
        }
        return (kept, onServer, sum)
      }
      #expect(sum == 600 * 599 / 2)
      #expect(kept == 256)
      #expect((200...257).contains(onServer))
    }
  }

  @Test("a statement prepared before its table changed works afterwards", arguments: TestStore.all)
  func changedTable(_ kind: TestStore.Kind) async throws {
    try await withPool(kind, size: 1) { pool in
      try await pool.run { session in
        try session.execute("INSERT INTO t (k) VALUES ('a')")
        #expect(try session.query("SELECT * FROM t")[0].count == 5)
        try session.executeScript("ALTER TABLE t ADD COLUMN extra BIGINT")
      }
      let count = try await pool.transaction(.write) { try $0.query("SELECT * FROM t")[0].count }
      #expect(count == 6)
    }
  }

  @Test("a script may hold several statements", arguments: TestStore.all)
  func script(_ kind: TestStore.Kind) async throws {
    try await withPool(kind, size: 1) { pool in
      try await pool.run { session in
        try session.executeScript(
          "INSERT INTO t (k) VALUES ('a;b'); INSERT INTO t (k) VALUES ('c'); SELECT k FROM t; DELETE FROM t WHERE k = 'c';"
        )
        #expect(try session.query("SELECT k FROM t").map { try $0.text(0) } == ["a;b"])
        #expect(throws: DatabaseError.self) { try session.query("SELECT 1; SELECT 2") }
      }
    }
  }
}
