import Database
import Drivers
import TestSupport
import Testing

@Suite("Transactions happen once, or not at all, or say that they don't know")
struct TransactionTests {
  @Test(
    "an error rolls everything back, and a session's next user sees nothing of it", arguments: TestStore.all)
  func rollback(_ kind: TestStore.Kind) async throws {
    struct Stop: Error {}
    try await withPool(kind, size: 1) { pool in
      await #expect(throws: Stop.self) {
        try await pool.transaction(.write) { session in
          try session.execute("INSERT INTO t (k) VALUES ('a')")
          throw Stop()
        }
      }
      let (count, isOpen) = try await pool.run { session in
        (try session.query("SELECT COUNT(*) FROM t")[0].int(0), session.isInTransaction)
      }
      #expect(count == 0)
      #expect(!isOpen)
    }
  }

  @Test("who only reads waits for nobody who writes", arguments: TestStore.all)
  func reading(_ kind: TestStore.Kind) async throws {
    struct Waited: Error {}
    try await withPool(kind) { pool in
      let (begun, read) = (Counter(), Counter())
      try await withThrowingTaskGroup { group in
        group.addTask {
          try await pool.transaction(.write, attempts: 1) { session in
            try session.execute("INSERT INTO t (k) VALUES ('a')")
            begun.next()
            let limit = ContinuousClock.now + .seconds(60)
            while read.value == 0 {
              guard ContinuousClock.now < limit else { throw Waited() }
              _ = try session.query("SELECT 1")
            }
          }
        }
        while begun.value == 0 { await Task.yield() }
        let count = try await pool.run(on: .read) { try $0.query("SELECT COUNT(*) FROM t")[0].int(0) }
        #expect(count == 0)
        read.next()
        try await group.waitForAll()
      }
      #expect(try await pool.run(on: .read) { try $0.query("SELECT COUNT(*) FROM t")[0].int(0) } == 1)
    }
  }

  @Test(
    "of two transactions in a deadlock one is repeated, and both happen",
    arguments: TestStore.servers, [false, true])
  func deadlock(_ kind: TestStore.Kind, isEnqueued: Bool) async throws {
    try await withPool(kind) { pool in
      try await pool.run { session in
        _ = try session.insert(
          into: "t", columns: ["k", "n"], rows: [[.text("a"), .integer(0)], [.text("b"), .integer(0)]])
      }
      let attempts = Counter()
      let arrived = Counter()
      try await withThrowingTaskGroup { group in
        for (first, second) in [("a", "b"), ("b", "a")] {
          group.addTask {
            try await pool.transaction(.write) { session in
              attempts.next()
              func add(to key: String) throws {
                let update: SQL = "UPDATE t SET n = n + 1 WHERE k = \(key)"
                if isEnqueued { try session.enqueue(update) } else { try session.execute(update) }
              }
              try add(to: first)
              _ = try session.query("SELECT 1")
              arrived.next()
              // Both hold their first row before either asks for its second; later attempts don't wait.
              while arrived.value < 2 { _ = try session.query("SELECT 1") }
              try add(to: second)
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(attempts.value >= 3)  // the repeated one may meet the other once more
      #expect(try await pool.run { try $0.query("SELECT SUM(n) FROM t")[0].int(0) } == 4)
    }
  }

  @Test("a busy SQLite file is tried again until it is free")
  func busy() async throws {
    try await withStore(.sqlite) { url in
      // Two pools are like two programs; without waiting in SQLite the pool must do it.
      let impatient = try StoreURL("\(url)?busy_timeout=0")
      let one = Pool(url: url, driver: Drivers.driver(for: url))
      let two = Pool(url: impatient, driver: Drivers.driver(for: impatient))
      try await one.run { try $0.executeScript("CREATE TABLE t (k TEXT)") }
      let attempts = Counter()
      let hasBegun = Gate()
      let mayEnd = Counter()
      async let holding: Void = one.transaction(.write) { session in
        try session.execute("INSERT INTO t (k) VALUES ('one')")
        hasBegun.open()
        while mayEnd.value == 0 { _ = try session.query("SELECT 1") }
      }
      await hasBegun.wait()
      let error = try await databaseError {
        try await two.run { try $0.begin(.write) }
      }
      #expect(error.kind == .busy && error.certainlyDidNotHappen)
      async let waiting: Void = two.transaction(.write) { session in
        attempts.next()
        try session.execute("INSERT INTO t (k) VALUES ('two')")
      }
      mayEnd.next()
      _ = try await (holding, waiting)
      #expect(try await one.run { try $0.query("SELECT k FROM t").count } == 2)
      #expect(attempts.value == 1)
      await one.close()
      await two.close()
    }
  }

  @Test(
    "cancelling the task interrupts a slow statement and undoes the transaction", arguments: TestStore.all)
  func cancellation(_ kind: TestStore.Kind) async throws {
    let slow: SQL =
      switch kind {
      case .sqlite: "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT SUM(x) FROM c"
      case .postgresql: "SELECT pg_sleep(600)"
      case .mysql: "SELECT SLEEP(600)"
      }
    try await withPool(kind, size: 2) { pool in
      let hasBegun = Gate()
      let task = Task {
        try await pool.transaction(.write) { session in
          try session.execute("INSERT INTO t (k) VALUES ('a')")
          hasBegun.open()
          _ = try session.query(slow)
          _ = try session.query("SELECT 1")
        }
      }
      await hasBegun.wait()
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
      let rows = try await pool.run { try $0.query("SELECT k FROM t") }
      #expect(rows.isEmpty)
    }
  }

  @Test("a task cancelled while it waits for a connection leaves the queue", .timeLimit(.minutes(2)))
  func cancelledWaiter() async throws {
    try await withPool(.sqlite) { pool in
      let hasBegun = Gate()
      let mayEnd = Counter()
      async let holding: Void = pool.transaction(.write) { session in
        hasBegun.open()
        while mayEnd.value == 0 { _ = try session.query("SELECT 1") }
      }
      await hasBegun.wait()
      // The first has the next place at the connection, the others wait for one; some are cancelled before they got so far.
      for pause in [100, 0, 100, 0] {
        let tasks = (0..<3).map { _ in
          Task {
            try await pool.transaction(.write) { _ = try $0.execute("INSERT INTO t (k) VALUES ('no')") }
          }
        }
        try await Task.sleep(for: .milliseconds(pause))
        for task in tasks {
          task.cancel()
          await #expect(throws: CancellationError.self) { try await task.value }
        }
      }
      // Readers have connections of their own.
      #expect(try await pool.transaction(.read) { try $0.query("SELECT 1")[0].int(0) } == 1)
      mayEnd.next()
      try await holding
      #expect(try await pool.transaction(.write) { try $0.query("SELECT k FROM t") }.isEmpty)
    }
  }

  @Test("hundreds of writers at once all get through", arguments: TestStore.all)
  func crowd(_ kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      try await pool.run { _ = try $0.execute("INSERT INTO t (k, n) VALUES ('a', 0)") }
      try await withThrowingTaskGroup { group in
        for _ in 0..<200 {
          group.addTask {
            try await pool.transaction(.write, attempts: 20) { session in
              let lock = session.dialect.forUpdate
              let n = try session.query("SELECT n FROM t WHERE k = 'a'\(raw: lock)")[0].int(0)
              try session.execute("UPDATE t SET n = \(n + 1) WHERE k = 'a'")
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await pool.run { try $0.query("SELECT n FROM t")[0].int(0) } == 200)
    }
  }

  @Test("a memory database is one for the whole pool")
  func memory() async throws {
    let url = try StoreURL("sqlite::memory:")
    let pool = Pool(url: url, driver: Drivers.driver(for: url), size: 8)
    try await pool.run { try $0.executeScript("CREATE TABLE t (k TEXT); INSERT INTO t VALUES ('a')") }
    try await withThrowingTaskGroup { group in
      for _ in 0..<20 {
        group.addTask { try await pool.transaction(.read) { try $0.query("SELECT k FROM t").count } }
      }
      for try await count in group { #expect(count == 1) }
    }
    await pool.close()
    let error = try await databaseError { try await pool.run { _ in } }
    #expect(error.code == "closed")
  }
}
