import Database
import Foundation
import TestSupport
import Testing

@testable import Drivers

@Suite("Listeners are woken by those who have their address", .timeLimit(.minutes(5)))
struct WakeTests {
  @Test("a ring wakes, through the caller's own connection and through a pool", arguments: TestStore.all)
  func rung(_ kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      try await withHearer(pool.url) { hearer, address in
        for ownPool in [nil, pool] {
          let caller = Drivers.wakeCaller(for: pool.url, pool: ownPool)
          for _ in 0..<3 {
            try await isListening(at: address, pool.url)
            let before = hearer.wakes
            caller.ring([address])
            try await hearer.isWoken(beyond: before)
          }
          await caller.close()
        }
        #expect(hearer.addresses == [address])
      }
      // The pool was not the caller's to close.
      #expect(try await pool.run { try $0.query("SELECT 1")[0].int(0) } == 1)
    }
  }

  @Test("of several listeners those that are addressed are woken", arguments: TestStore.all)
  func addressed(_ kind: TestStore.Kind) async throws {
    try await withStore(kind) { url in
      let hearers = try (0..<3).map { _ in try Hearer(url) }
      for hearer in hearers { hearer.start() }
      try await withCaller(url) { caller in
        var addresses: [String] = []
        for hearer in hearers {
          addresses.append(try await hearer.address())
          try await isListening(at: addresses.last ?? "", url)
        }
        #expect(Set(addresses).count == 3)
        caller.ring([addresses[0], addresses[1]])
        try await hearers[0].isWoken(beyond: 0)
        try await hearers[1].isWoken(beyond: 0)
        // Had the first ring woken the third as well, this one would be its second.
        caller.ring([addresses[2]])
        try await hearers[2].isWoken(beyond: 0)
        let wakes = hearers.map(\.wakes)
        #expect(wakes == [1, 1, 1])
      }
      for hearer in hearers { await hearer.stop() }
    }
  }

  @Test("addresses where nobody listens, or that are none, do no harm", arguments: TestStore.all)
  func dead(_ kind: TestStore.Kind) async throws {
    try await withStore(kind) { url in
      var gone = ""
      try await withHearer(url) { _, address in gone = address }
      try await withCaller(url) { caller in
        try await withHearer(url) { hearer, address in
          let nowhere = "ev_" + String(repeating: "0", count: 32)
          let none = [
            "", "x", "ev_", "1", "ev_'); DROP TABLE t; --", "\0eventor", nowhere.uppercased(), nowhere + "0",
          ]
          try await isListening(at: address, url)
          caller.ring([])
          caller.ring(none)
          caller.ring([gone, nowhere] + none + [address])
          try await hearer.isWoken(beyond: 0)
        }
      }
    }
  }

  @Test(
    "a thousand rings at once are few, on one connection, and the next is heard", arguments: TestStore.all)
  func burst(_ kind: TestStore.Kind) async throws {
    try await withStore(kind) { url in
      try await withCaller(url) { caller in
        try await withHearer(url) { hearer, address in
          try await isListening(at: address, url)
          for _ in 0..<1000 { caller.ring([address]) }
          try await hearer.isWoken(beyond: 0)
          // Until the last of them has arrived, which is when nothing is heard for a while.
          var last = 0
          try await until("the rings are over") {
            last = hearer.wakes
            try await Task.sleep(for: .milliseconds(100))
            return hearer.wakes == last
          }
          #expect(last < 1000)
          #expect(hearer.threads == 1)
          #expect(try await ears(at: [address], url) == 1)
          if kind == .mysql {
            let count = try await withAdmin(url) { session in
              try session.query(
                "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
              )[0].int(0)
            }
            // The caller's, and the listener's two.
            #expect(count == 3)
          }
          try await isListening(at: address, url)
          caller.ring([address])
          try await hearer.isWoken(beyond: last)
        }
      }
    }
  }

  @Test("a caller that closes makes the rings that wait, and none after", arguments: TestStore.all)
  func closed(_ kind: TestStore.Kind) async throws {
    try await withStore(kind) { url in
      try await withHearer(url) { hearer, address in
        try await isListening(at: address, url)
        let caller = Drivers.wakeCaller(for: url, pool: nil)
        caller.ring([address])
        await caller.close()
        try await hearer.isWoken(beyond: 0)
        if kind != .sqlite { caller.ring([address]) }
        await caller.close()
        #expect(hearer.wakes == 1)
      }
    }
  }

  @Test("a database in memory has no listener, and ringing there is no error")
  func memory() async throws {
    let url = try StoreURL("sqlite::memory:")
    #expect(Drivers.wakeListener(for: url, name: "none") == nil)
    try await withCaller(url) { $0.ring(["ev_" + String(repeating: "0", count: 32)]) }
  }

  @Test("a datagram by somebody who does not know the whole address wakes nobody")
  func forged() async throws {
    try await withStore(.sqlite) { url in
      try await withHearer(url) { hearer, address in
        let socket = try #require(WakeSocket())
        let real = try #require(WakeAddress(address))
        let forged = try #require(WakeAddress(address.prefix(19) + String(repeating: "0", count: 16)))
        #expect(forged.publicHalf == real.publicHalf)
        for _ in 0..<5 {
          socket.ring(forged)
          try await Task.sleep(for: .milliseconds(5))
        }
        socket.ring(real)
        try await hearer.isWoken(beyond: 0)
        #expect(hearer.wakes == 1)
      }
    }
  }

  @Test("on MySQL an account without any privilege but on its database is enough")
  func unprivileged() async throws {
    guard TestStore.all.contains(.mysql) else { return }
    try await withStore(.mysql) { url in
      let name = "evtest_" + UUID().uuidString.prefix(8).lowercased()
      let password = UUID().uuidString
      try await withAdmin(url) { session in
        try session.executeScript(
          "CREATE USER \(name)@'%' IDENTIFIED BY '\(password)'; GRANT ALL ON \(url.database ?? "").* TO \(name)@'%'"
        )
      }
      let own = try StoreURL(
        "mysql://\(name):\(password)@\(url.host ?? ""):\(url.port ?? 3306)/\(url.database ?? "")")
      do {
        try await withCaller(own) { caller in
          try await withHearer(own) { hearer, address in
            try await isListening(at: address, url)
            caller.ring([address])
            try await hearer.isWoken(beyond: 0)
          }
        }
      } catch {
        try await withAdmin(url) { try $0.executeScript("DROP USER \(name)@'%'") }
        throw error
      }
      try await withAdmin(url) { try $0.executeScript("DROP USER \(name)@'%'") }
    }
  }
}
