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

  @Test("of two transactions in a deadlock one is repeated, and both happen", arguments: TestStore.servers)
  func deadlock(_ kind: TestStore.Kind) async throws {
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
              try session.execute("UPDATE t SET n = n + 1 WHERE k = \(first)")
              arrived.next()
              // Both hold their first row before either asks for its second; later attempts don't wait.
              while arrived.value < 2 { _ = try session.query("SELECT 1") }
              try session.execute("UPDATE t SET n = n + 1 WHERE k = \(second)")
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(attempts.value == 3)
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

  @Test("a connection that broke before COMMIT is replaced, and the work done once", arguments: TestStore.all)
  func severed(_ kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      let attempts = Counter()
      try await pool.transaction(.write) { session in
        let attempt = attempts.next()
        try session.execute("INSERT INTO t (k) VALUES (\("attempt \(attempt)"))")
        // The first time the next statement fails, the second time COMMIT, before it is sent.
        if attempt < 3 { session.sever() }
        if attempt == 1 { _ = try session.query("SELECT 1") }
      }
      #expect(attempts.value == 3)
      let rows = try await pool.run { try $0.query("SELECT k FROM t") }
      #expect(try rows.map { try $0.text(0) } == ["attempt 3"])
    }
  }

  @Test(
    "outside a transaction a lost connection is an error, and the next use has a new one",
    arguments: TestStore.all)
  func severedWithoutTransaction(_ kind: TestStore.Kind) async throws {
    try await withPool(kind, size: 1) { pool in
      let error = try await databaseError {
        try await pool.run { session in
          session.sever()
          _ = try session.query("SELECT 1")
        }
      }
      #expect(error.kind == .connectionLost)
      #expect(try await pool.run { try $0.query("SELECT 1")[0].int(0) } == 1)
    }
  }

  @Test("a server that ends idle connections is not noticed by who comes next", arguments: TestStore.servers)
  func killedWhileIdle(_ kind: TestStore.Kind) async throws {
    try await withPool(kind, size: 2) { pool in
      let me: SQL = kind == .mysql ? "SELECT CONNECTION_ID()" : "SELECT pg_backend_pid()"
      // Both connections are in use at once, so that there are two.
      async let first = pool.run { session in try (0..<50).map { _ in try session.query(me)[0].int(0) }[0] }
      async let second = pool.run { session in try (0..<50).map { _ in try session.query(me)[0].int(0) }[0] }
      let victims = Set(try await [first, second])
      let killer = Pool(url: pool.url, driver: Drivers.driver(for: pool.url), size: 1)
      for victim in victims {
        try await killer.run { session in
          if kind == .mysql {
            try session.executeScript("KILL \(victim)")
          } else {
            _ = try session.query("SELECT pg_terminate_backend(CAST(\(victim) AS INTEGER), 5000)")
          }
        }
      }
      await killer.close()
      for index in 0..<3 {
        try await pool.transaction(.write) { _ = try $0.execute("INSERT INTO t (k) VALUES (\("\(index)"))") }
      }
      #expect(try await pool.run { try $0.query("SELECT k FROM t").count } == 3)
    }
  }

  @Test("a server that ends the connection in a transaction makes it run again", arguments: TestStore.servers)
  func killedInTransaction(_ kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      let attempts = Counter()
      try await pool.transaction(.write) { session in
        try session.execute("INSERT INTO t (k) VALUES ('a')")
        guard attempts.next() == 1 else { return }
        // A connection may end itself.
        if kind == .mysql {
          let me = try session.query("SELECT CONNECTION_ID()")[0].int(0)
          try session.executeScript("KILL \(me)")
        } else {
          _ = try session.query("SELECT pg_terminate_backend(pg_backend_pid())")
        }
        _ = try session.query("SELECT 1")
      }
      #expect(attempts.value == 2)
      #expect(try await pool.run { try $0.query("SELECT k FROM t").count } == 1)
    }
  }

  @Test(
    "a connection cut during COMMIT is an unknown outcome, and the work isn't repeated",
    arguments: TestStore.servers)
  func outcomeUnknown(_ kind: TestStore.Kind) async throws {
    try await withPool(kind) { direct in
      let url = direct.url
      let proxy = try CuttingProxy(
        host: url.host ?? "127.0.0.1", port: url.port ?? (kind == .mysql ? 3306 : 5432))
      defer { proxy.stop() }
      let credentials = "\(url.user ?? "root"):\(url.password ?? "")"
      let option =
        kind == .mysql ? "ssl-mode=DISABLED" : "sslmode=disable&schema=\(url.options["schema"] ?? "")"
      let proxied = try StoreURL(
        "\(kind)://\(credentials)@127.0.0.1:\(proxy.port)/\(url.database ?? "")?\(option)")
      let pool = Pool(url: proxied, driver: Drivers.driver(for: proxied))
      try await direct.run { _ = try $0.execute("INSERT INTO t (k, n) VALUES ('a', 1)") }
      let attempts = Counter()
      let error = try await databaseError {
        try await pool.transaction(.write) { session in
          attempts.next()
          try session.execute("UPDATE t SET n = n + 1 WHERE k = 'a'")
          proxy.cut(at: "COMMIT")
        }
      }
      #expect(error.kind == .outcomeUnknown)
      #expect(!error.certainlyDidNotHappen)
      #expect(attempts.value == 1)
      // The server got the COMMIT; the lock on the row waits until it is through with it.
      let n = try await direct.transaction(.write) { session in
        try session.query("SELECT n FROM t WHERE k = 'a' FOR UPDATE")[0].int(0)
      }
      #expect(n == 2)
      await pool.close()
    }
  }

  @Test("a read whose COMMIT got lost is simply repeated", arguments: TestStore.servers)
  func lostRead(_ kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      let attempts = Counter()
      let one = try await pool.transaction(.read) { session in
        if attempts.next() == 1 { session.sever() }
        return try session.query("SELECT 1")[0].int(0)
      }
      #expect(one == 1)
      #expect(attempts.value == 2)
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

  @Test("a task cancelled while it waits for a connection leaves the queue")
  func cancelledWaiter() async throws {
    try await withPool(.sqlite) { pool in
      let hasBegun = Gate()
      let mayEnd = Counter()
      async let holding: Void = pool.transaction(.write) { session in
        hasBegun.open()
        while mayEnd.value == 0 { _ = try session.query("SELECT 1") }
      }
      await hasBegun.wait()
      let task = Task { try await pool.transaction(.write) { _ = try $0.query("SELECT 1") } }
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
      // Readers have connections of their own.
      #expect(try await pool.transaction(.read) { try $0.query("SELECT 1")[0].int(0) } == 1)
      mayEnd.next()
      try await holding
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
