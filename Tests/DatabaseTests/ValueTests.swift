import Database
import TestSupport
import Testing

@Suite("Values come back as they were stored")
struct ValueTests {
  @Test("each kind, at its limits", arguments: TestStore.all)
  func roundTrip(_ kind: TestStore.Kind) async throws {
    let long = String(repeating: "0123456789abcdé", count: 70_000)  // over 1 MiB
    let allBytes = (0...255).map { UInt8($0) }
    let rows: [[Value]] = [
      [.text("limits"), .integer(.max), .real(.pi), .text(long), .blob(allBytes)],
      [.text("lower"), .integer(.min), .real(-1e300), .text(""), .blob([])],
      [.text("null"), .null, .null, .null, .null],
      [
        .text("emoji 👩‍👩‍👧‍👦 \u{1F600}"), .integer(0), .real(.leastNonzeroMagnitude), .text("a'b\"c\\d?`$1\n\t"),
        .blob([0]),
      ],
      [
        .text("long bytes"), .integer(-1), .real(0.1), .text("x"), .blob(Array(repeating: 7, count: 1 << 20)),
      ],
    ]
    try await withPool(kind) { pool in
      let inserted = try await pool.transaction(.write) { session in
        try session.insert(into: "t", columns: ["k", "n", "r", "s", "b"], rows: rows)
      }
      #expect(inserted == rows.count)
      for row in rows {
        let found = try await pool.transaction(.read) { session in
          try session.query("SELECT k, n, r, s, b FROM t WHERE k = \(row[0])")
        }
        let first = try #require(found.first)
        for column in 0..<5 { #expect(first[column] == row[column]) }
      }
    }
  }

  @Test("sums are integers, averages are not, comparisons are 0 or 1", arguments: TestStore.all)
  func computed(_ kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      let row = try await pool.run { session in
        try session.insert(
          into: "t", columns: ["k", "n"], rows: (1...4).map { [.text("\($0)"), .integer(Int64($0))] })
        return try session.query("SELECT SUM(n), AVG(n), COUNT(*), MAX(n) > 3, MIN(n) > 3 FROM t")[0]
      }
      #expect(try row.int(0) == 10)
      #expect(try row.real(1) == 2.5)
      #expect(row[1] == .real(2.5))
      #expect(try row.int(2) == 4)
      #expect(try row.bool(3))
      #expect(try !row.bool(4))
    }
  }

  @Test("a getter of another type names the column", arguments: TestStore.all)
  func wrongType(_ kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      let row = try await pool.run { session in
        try session.execute("INSERT INTO t (k, n) VALUES (\("secret value"), \(2))")
        return try session.query("SELECT k, n, s FROM t")[0]
      }
      let wrong = try await databaseError { _ = try row.integer(0) }
      #expect(wrong.kind == .unexpectedValue)
      #expect(wrong.message.contains("column k"))
      #expect(!wrong.description.contains("secret value"))
      #expect(try await databaseError { _ = try row.text(2) }.message.contains("NULL"))
      #expect(try await databaseError { _ = try row.bool(1) }.kind == .unexpectedValue)
      #expect(try await databaseError { _ = try row.text(3) }.kind == .unexpectedValue)
      #expect(try row.optionalText(2) == nil)
    }
  }

  @Test("the database's clock counts microseconds and goes on within a transaction", arguments: TestStore.all)
  func clock(_ kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      let times = try await pool.transaction(.read) { session in
        let now: SQL = "SELECT \(raw: session.dialect.now)"
        var times = [try session.query(now)[0].integer(0)]
        // Ends because real time goes on; stands still forever with a clock of the transaction.
        while times.count < 2 || times[0] == times[1] {
          times = [times[0], try session.query(now)[0].integer(0)]
        }
        return times
      }
      #expect(times[1] > times[0])
      #expect(times[0] > 1_500_000_000_000_000 && times[0] < 5_000_000_000_000_000)
    }
  }

  @Test("rows come one by one, and the session is its own again after", arguments: TestStore.all)
  func streaming(_ kind: TestStore.Kind) async throws {
    struct Enough: Error {}
    try await withPool(kind) { pool in
      let (sum, refused, after) = try await pool.transaction(.write) { session in
        let rows = (1...1000).map { [Value.text("\($0)"), .integer(Int64($0))] }
        try session.insert(into: "t", columns: ["k", "n"], rows: rows)
        var sum = 0
        var refused: DatabaseError.Kind?
        try session.each("SELECT n FROM t ORDER BY n") { row in
          sum += try row.int(0)
          if sum == 1 {
            do { _ = try session.query("SELECT 1") } catch let error as DatabaseError { refused = error.kind }
          }
        }
        var seen = 0
        do {
          try session.each("SELECT n FROM t ORDER BY n") { _ in
            seen += 1
            if seen == 3 { throw Enough() }
          }
        } catch is Enough {}
        return (sum, refused, try session.query("SELECT COUNT(*) FROM t")[0].int(0) + seen)
      }
      #expect(sum == 500_500)
      #expect(refused == .unsupported)
      #expect(after == 1003)
    }
  }

  @Test("conflicts are left out and counted; other errors are not swallowed", arguments: TestStore.all)
  func conflicts(_ kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      let counts = try await pool.transaction(.write) { session in
        let rows = (0..<90).map { [Value.text("\($0)"), .integer(1)] }
        let first = try session.insert(into: "t", columns: ["k", "n"], rows: rows, ignoringConflicts: true)
        let more = (80..<170).map { [Value.text("\($0)"), .integer(2)] }
        let second = try session.insert(into: "t", columns: ["k", "n"], rows: more, ignoringConflicts: true)
        let third = try session.insert(into: "t", columns: ["k", "n"], rows: more, ignoringConflicts: true)
        let kept = try session.query("SELECT COUNT(*) FROM t WHERE n = 1")[0].int(0)
        return [first, second, third, kept]
      }
      #expect(counts == [90, 80, 0, 90])
      let error = try await databaseError {
        try await pool.run { session in
          _ = try session.insert(into: "t", columns: ["k"], rows: [[.null]], ignoringConflicts: true)
        }
      }
      #expect(error.kind == .constraint)
    }
  }

  @Test("an upsert overwrites, and an update counts the rows it matched", arguments: TestStore.all)
  func upsert(_ kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      let (value, matched, none) = try await pool.run { session in
        let end = session.dialect.upsert(keys: ["k"], update: ["n"])
        for number in [1, 2] {
          try session.execute("INSERT INTO t (k, n) VALUES (\("a"), \(number))\(raw: end)")
        }
        let end2 = session.dialect.onConflictDoNothing(keys: ["k"])
        try session.execute("INSERT INTO t (k, n) VALUES (\("a"), \(9))\(raw: end2)")
        let value = try session.query("SELECT n FROM t WHERE \(identifier: "k") IN \(list: ["a", "b"])")[0]
          .int(0)
        let matched = try session.execute("UPDATE t SET n = \(2) WHERE k = \("a")")
        let none = try session.query("SELECT n FROM t WHERE k IN \(list: [String]())").count
        return (value, matched, none)
      }
      #expect(value == 2)
      #expect(matched == 1)
      #expect(none == 0)
    }
  }
}
