import Database
import Drivers
import Foundation
import Glibc
import TestSupport
import Testing

@Suite("Listeners and callers outlive their connections", .timeLimit(.minutes(5)))
struct WakeLossTests {
  @Test(
    "a connection that the server ends is replaced, and the agent looks once", arguments: TestStore.servers)
  func killed(_ kind: TestStore.Kind) async throws {
    try await withStore(kind) { url in
      try await withCaller(url) { caller in
        try await withHearer(url) { hearer, address in
          try await withAdmin(url) { session in
            let victim = try ear(at: address, session) ?? 0
            if kind == .mysql {
              try session.executeScript("KILL CONNECTION \(victim)")
            } else {
              _ = try session.query("SELECT pg_terminate_backend(CAST(\(victim) AS INTEGER))")
            }
          }
          try await hearer.isWoken(beyond: 0)
          #expect(hearer.addresses == [address, nil, address])
          #expect(hearer.wakes == 1)
          try await isListening(at: address, url)
          caller.ring([address])
          try await hearer.isWoken(beyond: 1)
        }
      }
    }
  }

  @Test("on MySQL the second connection of a listener is replaced like the first")
  func doorLost() async throws {
    guard TestStore.all.contains(.mysql) else { return }
    try await withStore(.mysql) { url in
      try await withCaller(url) { caller in
        try await withHearer(url) { hearer, address in
          try await isListening(at: address, url)
          try await withAdmin(url) { session in
            let victim = try session.query("SELECT IS_USED_LOCK(\(address + ".door"))")[0].int(0)
            try session.executeScript("KILL CONNECTION \(victim)")
          }
          try await hearer.isWoken(beyond: 0)
          #expect(hearer.addresses == [address, nil, address])
          try await isListening(at: address, url)
          caller.ring([address])
          try await hearer.isWoken(beyond: 1)
        }
      }
    }
  }

  @Test("a caller whose connection the server has ended rings on another", arguments: TestStore.servers)
  func callerKilled(_ kind: TestStore.Kind) async throws {
    try await withStore(kind) { store in
      // A name that only this caller has, or (MySQL) the database that only this test has.
      let mark = "wake-" + UUID().uuidString
      let url =
        kind == .mysql ? store : try StoreURL("\(store.text)&application_name=\(mark)")
      try await withCaller(url) { caller in
        try await withHearer(store) { hearer, address in
          for round in 0..<3 {
            try await isListening(at: address, store)
            caller.ring([address])
            try await hearer.isWoken(beyond: round)
            let ended = try await withAdmin(store) { session in
              if kind == .postgresql {
                return try session.query(
                  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = \(mark)"
                ).count
              }
              let callers = try session.query(
                """
                SELECT id FROM information_schema.processlist
                WHERE db = DATABASE() AND id <> CONNECTION_ID()
                  AND id <> IS_USED_LOCK(\(address)) AND id <> IS_USED_LOCK(\(address + ".door"))
                """)
              for row in callers { try session.executeScript("KILL CONNECTION \(row.integer(0))") }
              return callers.count
            }
            #expect(ended == 1)
          }
        }
      }
    }
  }

  @Test("a server that is stopped and started again is listened to again", arguments: TestStore.servers)
  func restarted(_ kind: TestStore.Kind) async throws {
    try await PrivateServer.with(kind) { server in
      try await withCaller(server.url) { caller in
        try await withHearer(server.url) { hearer, address in
          try await isListening(at: address, server.url)
          caller.ring([address])
          try await hearer.isWoken(beyond: 0)
          try await server.stop()
          try await until("the loss is told") { hearer.addresses.last == .some(nil) }
          for _ in 0..<100 { caller.ring([address]) }
          try await server.start()
          // After such a time the caller may be dropping rings for some seconds; agents ring with each transition.
          try await hearer.isWoken(beyond: 1)
          #expect(hearer.addresses == [address, nil, address])
          let woken = hearer.wakes
          try await until("rings arrive again") {
            caller.ring([address])
            return hearer.wakes > woken
          }
        }
      }
    }
  }

  @Test("a store that is away makes nobody wait", arguments: TestStore.servers)
  func away(_ kind: TestStore.Kind) async throws {
    let url = try StoreURL("\(kind)://nobody:secret@127.0.0.1:1/nowhere")
    let hearer = try Hearer(url)
    hearer.start()
    try await withCaller(url) { caller in
      for _ in 0..<1000 { caller.ring(["ev_" + String(repeating: "0", count: 32)]) }
    }
    await hearer.stop()
    try await until("its thread has gone") { hearer.threads == 0 }
    #expect(hearer.addresses == [])
    #expect(hearer.wakes == 0)
  }

  @Test("fifty listeners, one after the other, leave nothing behind", arguments: TestStore.all)
  func rounds(_ kind: TestStore.Kind) async throws {
    try await withStore(kind) { url in
      var addresses: [String] = []
      var hearers: [Hearer] = []
      try await withCaller(url) { caller in
        for round in 0..<50 {
          let hearer = try Hearer(url)
          hearer.start()
          hearers.append(hearer)
          // Some are stopped while they connect, some while they wait, some when just woken.
          if round % 5 > 0 { addresses.append(try await hearer.address()) }
          if round % 5 > 3, let address = addresses.last {
            caller.ring([address])
          }
          await hearer.stop()
          await hearer.stop()
        }
      }
      try await until("all threads have gone") { hearers.allSatisfy { $0.threads == 0 } }
      try await until("all connections have gone") { try await ears(at: addresses, url) == 0 }
      guard kind == .mysql else { return }
      try await until("all of this database's connections have gone") {
        try await withAdmin(url) { session in
          try session.query(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
          )[0].int(0) == 0
        }
      }
    }
  }

  @Test(
    "stopping does not wait for a server that takes the connection and says nothing",
    arguments: TestStore.servers)
  func blackHole(_ kind: TestStore.Kind) async throws {
    let hole = try BlackHole()
    let timeout =
      kind == .mysql ? "ssl-mode=DISABLED&connect-timeout=3600" : "sslmode=disable&connect_timeout=3600"
    let hearer = try Hearer(try StoreURL("\(kind)://nobody:secret@127.0.0.1:\(hole.port)/nowhere?\(timeout)"))
    hearer.start()
    try await until("it has connected") { hole.hasGuest }
    await hearer.stop()
    // It returned although the hour for connecting is not over; the thread follows once there is an answer.
    #expect(hearer.threads == 1)
    hole.close()
    try await until("its thread has gone") { hearer.threads == 0 }
    #expect(hearer.addresses == [])
    #expect(hearer.wakes == 0)
  }
}

/// A server on loopback that takes connections and never says a word.
private final class BlackHole: Sendable {
  let port: Int
  private let listener: Int32

  init() throws {
    listener = socket(
      AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    let isBound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 16) == 0
          && getsockname(listener, $0, &length) == 0
      }
    }
    guard isBound else { throw Impatience(description: "no port for a black hole") }
    port = Int(UInt16(bigEndian: address.sin_port))
  }

  /// Whether somebody's connection waits to be accepted, which never happens.
  var hasGuest: Bool {
    var descriptor = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
    return poll(&descriptor, 1, 0) > 0
  }

  /// Ends all connections.
  func close() { Glibc.close(listener) }
}
