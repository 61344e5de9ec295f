import Database
import Drivers
import Foundation
import TestSupport
import Testing

@Suite("What goes wrong is told by kind, without secrets")
struct FailureTests {
  @Test("a second row with the same key", arguments: TestStore.all)
  func uniqueViolation(_ kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      let error = try await databaseError {
        try await pool.transaction(.write) { session in
          for _ in 0..<2 { try session.execute("INSERT INTO t (k) VALUES (\("hidden-value"))") }
        }
      }
      #expect(error.kind == .uniqueViolation)
      #expect(!error.certainlyDidNotHappen)
      #expect(!error.description.contains("hidden-value"))
      #expect(error.statement == "INSERT INTO t (k) VALUES (?)")
      #expect(try await pool.run { try $0.query("SELECT k FROM t").count } == 0)
    }
  }

  @Test(
    "wrong statements, missing tables, wrong numbers of values, names that are none", arguments: TestStore.all
  )
  func syntax(_ kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      let statements: [SQL] = [
        "SELEC 1", "SELECT * FROM nowhere", "SELECT nothing FROM t", "SELECT \(identifier: "a b") FROM t",
        "SELECT \(identifier: "k; DROP TABLE t") FROM t", "SELECT \(identifier: "") FROM t",
      ]
      for statement in statements {
        let error = try await databaseError { _ = try await pool.run { try $0.query(statement) } }
        #expect(error.kind == .syntax, "\(statement.text)")
        #expect(error.statement == statement.text)
      }
      let count = try await databaseError {
        _ = try await pool.run { try $0.query(SQL(text: "SELECT k FROM t WHERE k = ?", values: [])) }
      }
      #expect([.syntax, .constraint].contains(count.kind))
      #expect(try await pool.run { try $0.query("SELECT COUNT(*) FROM t")[0].int(0) } == 0)
    }
  }

  @Test("a value that does not fit its column is not repeated in the text", arguments: TestStore.servers)
  func badValue(_ kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      let error = try await databaseError {
        try await pool.run { _ = try $0.execute("INSERT INTO t (k, n) VALUES (\("a"), \("hidden-value"))") }
      }
      #expect(error.kind == .constraint)
      #expect(!error.description.contains("hidden-value"))
    }
  }

  @Test("a transaction for reading refuses writes", arguments: TestStore.all)
  func readOnly(_ kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      let error = try await databaseError {
        try await pool.transaction(.read) { _ = try $0.execute("INSERT INTO t (k) VALUES ('a')") }
      }
      #expect(error.kind == .readOnly)
    }
  }

  @Test("a commit after a swallowed error does not pretend", arguments: TestStore.all)
  func swallowed(_ kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      do {
        try await pool.transaction(.write) { session in
          try session.execute("INSERT INTO t (k) VALUES ('a')")
          _ = try? session.query("SELECT nothing FROM t")
        }
        #expect(try await pool.run { try $0.query("SELECT k FROM t").count } == 1)
      } catch is DatabaseError {
        #expect(try await pool.run { try $0.query("SELECT k FROM t").count } == 0)
      }
    }
  }

  @Test("a wrong password is refused, and not shown", arguments: TestStore.servers)
  func wrongPassword(_ kind: TestStore.Kind) async throws {
    let admin = try StoreURL(try TestStore.adminURL(kind))
    let place = admin.endpoints.map(\.description).joined(separator: ",")
    let url = try StoreURL(
      "\(kind)://\(admin.user ?? "root"):not-the-password@\(place)/\(admin.database ?? "")")
    let error = try await databaseError { try await open(url) }
    #expect(error.kind == .refused)
    #expect(!"\(error) \(url)".contains("not-the-password"))
    #expect("\(url)".contains(":***@"))
  }

  @Test("an unknown database is named", arguments: TestStore.servers)
  func unknownDatabase(_ kind: TestStore.Kind) async throws {
    let text = try TestStore.adminURL(kind)
    let server = text.split(separator: "/", omittingEmptySubsequences: false).prefix(3).joined(separator: "/")
    let error = try await databaseError { try await open(try StoreURL(server + "/ev_no_such_database")) }
    #expect(error.kind == .unreachable)
    #expect(error.message.contains("ev_no_such_database"))
  }

  @Test("nobody listens, no such host, nobody answers", arguments: TestStore.servers)
  func unreachable(_ kind: TestStore.Kind) async throws {
    for place in ["127.0.0.1:1", "host.invalid:5000"] {
      let url = try StoreURL("\(kind)://user:geheim@\(place)/db")
      let error = try await databaseError { try await open(url) }
      #expect(error.kind == .unreachable)
      #expect(!error.description.contains("geheim"))
      #expect(!error.certainlyDidNotHappen || error.kind == .unreachable)
    }
    // A listener that never answers stands for a server that hangs.
    let silent = try SilentListener()
    defer { silent.stop() }
    let error = try await databaseError {
      try await open(try StoreURL("\(kind)://user:geheim@127.0.0.1:\(silent.port)/db"))
    }
    #expect(error.kind == .unreachable)
  }

  @Test("the second of two hosts is reached when the first is dead", arguments: TestStore.servers)
  func secondHost(_ kind: TestStore.Kind) async throws {
    let text = try TestStore.adminURL(kind)
    let at = try #require(text.lastIndex(of: "@"))
    let url = try StoreURL(text[...at] + "127.0.0.1:1," + text[text.index(after: at)...])
    try await open(url)
  }

  @Test("options nobody knows", arguments: TestStore.all)
  func badOptions(_ kind: TestStore.Kind) async throws {
    let base = kind == .sqlite ? "sqlite::memory:" : "\(kind)://user@127.0.0.1/db"
    let values = [
      TestStore.Kind.sqlite: "synchronous=off", .postgresql: "sslmode=strong", .mysql: "ssl-mode=STRONG",
    ]
    for option in ["colour=red", values[kind] ?? ""] {
      let error = try await databaseError { try await open(try StoreURL(base + "?" + option)) }
      #expect(error.kind == .badURL)
      #expect(error.hint != "")
    }
  }

  private func open(_ url: StoreURL) async throws {
    let pool = Pool(url: url, driver: Drivers.driver(for: url), size: 1)
    do {
      _ = try await pool.run { try $0.query("SELECT 1").count }
      await pool.close()
    } catch {
      await pool.close()
      throw error
    }
  }
}

/// A port that takes connections and says nothing.
struct SilentListener {
  let port: Int
  private let descriptor: Int32

  init() throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = descriptor
    let isBound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 && listen(descriptor, 16) == 0
          && getsockname(descriptor, $0, &length) == 0
      }
    }
    try #require(isBound)
    port = Int(UInt16(bigEndian: address.sin_port))
  }

  func stop() {
    close(descriptor)
  }
}
