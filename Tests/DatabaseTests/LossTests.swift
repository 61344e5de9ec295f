import Database
import Drivers
import TestSupport
import Testing

@Suite("Lost connections are replaced, and work is done once")
struct LossTests {
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
    arguments: TestStore.servers, [false, true])
  func outcomeUnknown(_ kind: TestStore.Kind, isEnqueued: Bool) async throws {
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
          let update: SQL = "UPDATE t SET n = n + 1 WHERE k = 'a'"
          if isEnqueued { try session.enqueue(update) } else { try session.execute(update) }
          proxy.cut(at: "COMMIT")
        }
      }
      #expect(error.kind == .outcomeUnknown)
      #expect(!error.certainlyDidNotHappen)
      #expect(attempts.value == 1)
      // The server got the COMMIT, and may not have begun yet with the statement that came along with it.
      try await until("the server is through with it") {
        try await direct.run { try $0.query("SELECT n FROM t WHERE k = 'a'")[0].int(0) } == 2
      }
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

  @Test("a healthy connection is kept from use to use", arguments: TestStore.servers)
  func kept(_ kind: TestStore.Kind) async throws {
    try await withPool(kind, size: 1) { pool in
      let me: SQL = kind == .mysql ? "SELECT CONNECTION_ID()" : "SELECT pg_backend_pid()"
      var seen: Set<Int> = []
      for _ in 0..<20 { seen.insert(try await pool.transaction(.read) { try $0.query(me)[0].int(0) }) }
      #expect(seen.count == 1)
    }
  }
}
