import Database
import Drivers
import TestSupport
import Testing

@Suite("Statements whose answers nobody needs")
struct QueueTests {
  @Test("are carried out in order, before what comes after them", arguments: TestStore.all)
  func order(_ kind: TestStore.Kind) async throws {
    try await withPool(kind, size: 1) { pool in
      try await pool.transaction(.write) { session in
        try session.enqueue("INSERT INTO t (k, n) VALUES ('a', 1)")
        try session.enqueue("UPDATE t SET n = n * 10 WHERE k = 'a'")
        try session.enqueue("UPDATE t SET n = n + \(1) WHERE k = \("a")")
        #expect(try session.query("SELECT n FROM t")[0].int(0) == 11)
        try session.enqueue("UPDATE t SET n = n * 10 WHERE k = 'a'")
        #expect(try session.execute("UPDATE t SET n = n + 2 WHERE k = 'a'") == 1)
        try session.enqueue("DELETE FROM t WHERE n = 0")
        var seen: [Int] = []
        try session.each("SELECT n FROM t") { seen.append(try $0.int(0)) }
        #expect(seen == [112])
        try session.enqueue("UPDATE t SET n = n + 1 WHERE k = 'a'")
      }
      #expect(try await pool.run { try $0.query("SELECT n FROM t")[0].int(0) } == 113)
    }
  }

  @Test("several statements are answered together, each seeing what came before it", arguments: TestStore.all)
  func together(_ kind: TestStore.Kind) async throws {
    try await withPool(kind, size: 1) { pool in
      try await pool.transaction(.write) { session in
        #expect(try session.queryAll([]).isEmpty)
        try session.enqueue("INSERT INTO t (k, n) VALUES ('a', 1)")
        let answers = try session.queryAll([
          "SELECT n FROM t WHERE k = \("a")", "SELECT n FROM t WHERE k = 'none'",
          "SELECT n, k FROM t WHERE n = \(1)", "SELECT COUNT(*) FROM t",
        ])
        #expect(answers.map(\.count) == [1, 0, 1, 1])
        #expect(try answers[0][0].int(0) == 1 && answers[2][0].text(1) == "a" && answers[3][0].int(0) == 1)
        #expect(try session.queryAll(["SELECT k FROM t"])[0][0].text(0) == "a")
      }
    }
  }

  @Test(
    "of several statements the first that fails is named, and fails the transaction", arguments: TestStore.all
  )
  func togetherFailing(_ kind: TestStore.Kind) async throws {
    try await withPool(kind, size: 1) { pool in
      let error = try await databaseError {
        try await pool.transaction(.write) { session in
          try session.enqueue("INSERT INTO t (k, n) VALUES ('a', 1)")
          _ = try session.queryAll([
            "SELECT n FROM t", "SELECT n FROM t WHERE missing = 1", "SELECT k FROM t WHERE missing = 2",
          ])
        }
      }
      #expect(error.kind == .syntax && error.statement?.contains("missing = 1") == true, "\(error)")
      #expect(try await pool.run { try $0.query("SELECT k FROM t").isEmpty })
    }
  }

  @Test("may be many and long", arguments: TestStore.all)
  func many(_ kind: TestStore.Kind) async throws {
    try await withPool(kind, size: 1) { pool in
      let long = String(repeating: "long ", count: 30_000)
      try await pool.transaction(.write) { session in
        for number in 0..<500 {
          try session.enqueue("INSERT INTO t (k, n) VALUES (\("k\(number)"), \(number))")
          if number.isMultiple(of: 50) {
            try session.enqueue("UPDATE t SET s = \(long) WHERE k = \("k\(number)")")
          }
        }
        try session.enqueueInsert(
          into: "t", columns: ["k", "n"], rows: (500..<1003).map { [.text("k\($0)"), .integer(Int64($0))] })
        try session.enqueueInsert(into: "t", columns: ["k", "n"], count: 197) { row, values in
          values.append(.text("k\(1003 + row)"))
          values.append(.integer(Int64(1003 + row)))
        }
      }
      let row = try await pool.run { try $0.query("SELECT COUNT(*), SUM(n), SUM(LENGTH(s)) FROM t")[0] }
      #expect(try row.int(0) == 1200)
      #expect(try row.int(1) == 1199 * 1200 / 2)
      #expect(try row.int(2) == 10 * long.utf8.count)
    }
  }

  @Test("of rows with too few values are refused unsent", arguments: TestStore.all)
  func uneven(_ kind: TestStore.Kind) async throws {
    try await withPool(kind, size: 1) { pool in
      let error = try await databaseError {
        try await pool.transaction(.write) { session in
          try session.enqueueInsert(into: "t", columns: ["k", "n"], count: 2) { row, values in
            values.append(.text("a\(row)"))
            if row == 0 { values.append(.integer(1)) }
          }
        }
      }
      #expect(error.kind == .syntax && error.message.contains("a row for t has not 2 values"))
    }
  }

  @Test("fail the transaction, whether or not something follows", arguments: TestStore.all, [false, true])
  func failure(_ kind: TestStore.Kind, isFollowed: Bool) async throws {
    try await withPool(kind, size: 1) { pool in
      try await pool.run { _ = try $0.execute("INSERT INTO t (k, n) VALUES ('a', 1)") }
      let error = try await databaseError {
        try await pool.transaction(.write) { session in
          try session.enqueue("UPDATE t SET n = 2 WHERE k = 'a'")
          try session.enqueue("INSERT INTO t (k, n) VALUES ('a', 3)")
          try session.enqueue("UPDATE t SET n = 4 WHERE k = 'a'")
          if isFollowed { _ = try session.query("SELECT n FROM t") }
        }
      }
      #expect(error.kind == .uniqueViolation)
      #expect(error.statement?.contains("INSERT INTO t") == true, "\(error)")
      // Its connection is of use to the next.
      try await pool.transaction(.write) { session in
        #expect(try session.query("SELECT n FROM t")[0].int(0) == 1)
        try session.enqueue("UPDATE t SET n = 5 WHERE k = 'a'")
      }
      #expect(try await pool.run { try $0.query("SELECT n FROM t")[0].int(0) } == 5)
    }
  }

  @Test("are dropped with their transaction", arguments: TestStore.all)
  func dropped(_ kind: TestStore.Kind) async throws {
    struct Stop: Error {}
    try await withPool(kind, size: 1) { pool in
      for hasBegun in [false, true] {
        await #expect(throws: Stop.self) {
          try await pool.transaction(.write) { session in
            if hasBegun { _ = try session.query("SELECT 1") }
            try session.enqueue("INSERT INTO t (k) VALUES ('a')")
            throw Stop()
          }
        }
      }
      try await pool.transaction(.write) { _ in }
      #expect(try await pool.run { try $0.query("SELECT COUNT(*) FROM t")[0].int(0) } == 0)
    }
  }
}
