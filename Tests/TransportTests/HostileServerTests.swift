import Foundation
import Glibc
import Testing

@testable import Transport

/// What must never happen is that a session waits for ever: each of these tests would.
@Suite("Hostile and broken servers", .timeLimit(.minutes(2)))
struct HostileServerTests {
  private static let greeting = "SSH-2.0-OpenSSH_9.2\r\n"

  /// The error of reaching a server that does `serve`.
  private func error(
    timeout: Duration = .seconds(2), _ serve: @escaping @Sendable (Int32) -> Void
  ) async throws -> TransportError {
    var found: TransportError?
    try await Home.with { home in
      try await home.makeKey()
      try await Listener.with(serve) { listener in
        found = try await refusal(home.client(timeout: timeout), "127.0.0.1:\(listener.port)")
      }
    }
    return try #require(found)
  }

  @Test("nobody listens")
  func nobody() async throws {
    try await Home.with { home in
      let listener = try Listener()
      listener.close()
      let error = try await refusal(home.client(), "127.0.0.1:\(listener.port)")
      #expect(error.kind == .unreachable)
      #expect(error.why.contains("refused"))
      let unknown = try await refusal(home.client(), "no-such-host.invalid")
      #expect(unknown.kind == .unreachable)
      #expect(unknown.what.contains("no-such-host.invalid"))
    }
  }

  @Test("it accepts, and says nothing")
  func silent() async throws {
    let error = try await error { Listener.listen(to: $0) }
    #expect(error.kind == .timedOut)
    #expect(error.why.contains("says nothing"))
  }

  @Test("it greets, and says nothing more")
  func silentAfterGreeting() async throws {
    let error = try await error {
      _ = Listener.say(Self.greeting, to: $0)
      Listener.listen(to: $0)
    }
    #expect(error.kind == .timedOut)
    #expect(error.why.contains("silent in the key exchange"))
  }

  @Test("it talks without end: lines, one line, or bytes of zero", arguments: ["hello\r\n", "x", "\0"])
  func endless(text: String) async throws {
    let flood = String(repeating: text, count: 10_000)
    let error = try await error { while Listener.say(flood, to: $0) {} }
    #expect([.timedOut, .protocolViolation].contains(error.kind), "\(error)")
  }

  @Test("it closes at once, after the greeting, or in the key exchange")
  func closes() async throws {
    let atOnce = try await error { _ in }
    #expect(atOnce.kind == .lost)
    let greeted = try await error { _ = Listener.say(Self.greeting, to: $0) }
    #expect(greeted.kind == .lost)
    let begun = try await error {
      _ = Listener.say(Array(Self.greeting.utf8) + [0, 0, 1, 0, 10, 20, 1, 2, 3], to: $0)
    }
    #expect(begun.kind == .lost)
    #expect(begun.why.contains("closed the connection"))
  }

  @Test("it is no SSH server")
  func otherProtocol() async throws {
    let error = try await error { _ = Listener.say("HTTP/1.1 400 Bad Request\u{1b}[2J\r\n\r\n", to: $0) }
    #expect(error.kind == .protocolViolation)
    #expect(error.why.contains("\"HTTP/1.1 400 Bad Request?[2J\""))
  }

  @Test("it greets, and sends rubbish")
  func rubbish() async throws {
    for _ in 0..<5 {
      let error = try await error {
        let bytes = (0..<5000).map { _ in UInt8.random(in: 0...255) }
        _ = Listener.say(Array(Self.greeting.utf8) + bytes, to: $0)
        Listener.listen(to: $0)
      }
      #expect([.timedOut, .protocolViolation, .lost].contains(error.kind), "\(error)")
    }
  }

  @Test("it greets, and sends packets that mean nothing without end")
  func endlessPackets() async throws {
    // SSH_MSG_IGNORE, before any encryption: length 12, padding 6, type 2, a string of 0 bytes.
    let packet: [UInt8] = [0, 0, 0, 12, 6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    let flood = (0..<4096).flatMap { _ in packet }
    let error = try await error {
      _ = Listener.say(Self.greeting, to: $0)
      while Listener.say(flood, to: $0) {}
    }
    #expect([.timedOut, .protocolViolation].contains(error.kind), "\(error)")
  }

  @Test("it has no algorithm in common, and the message says which it offers")
  func noCommonAlgorithm() async throws {
    try await Home.with { home in
      try await home.makeKey()
      try await Server.with(authorized: [home.publicKey()], "Ciphers aes128-gcm@openssh.com") { server in
        let error = try await refusal(home.client(), server.destination)
        #expect(error.kind == .noCommonAlgorithm)
        #expect(error.why.contains("cipher"))
        #expect(error.why.contains("aes128-gcm@openssh.com"))
        #expect(error.mend.contains("aes256-ctr"))
      }
      try await Server.with(authorized: [home.publicKey()], "MACs umac-64@openssh.com") { server in
        let error = try await refusal(home.client(), server.destination)
        #expect(error.kind == .noCommonAlgorithm)
        #expect(error.why.contains("message authentication code"))
      }
      if !Library.signsRSAWithSHA2 {
        try await Server.with(hostKeys: ["rsa"], authorized: [home.publicKey()]) { server in
          let error = try await refusal(home.client(), server.destination)
          #expect(error.kind == .noCommonAlgorithm)
          #expect(error.why.contains("host key type"))
          #expect(error.mend.contains("ed25519"))
        }
      }
    }
  }

  @Test("it dies while a command runs: cut off, killed, or silent")
  func deadPeer() async throws {
    try await Home.with { home in
      try await home.makeKey()
      try await Server.with(authorized: [home.publicKey()]) { server in
        for way in ["hang up", "freeze"] {
          let relay = Relay(port: server.port)
          try await Listener.with({ relay.serve($0) }) { listener in
            let settings = "ServerAliveInterval 1\nServerAliveCountMax 3\nHostKeyAlias relayed\n"
            let session = try await home.client(settings).connect(Destination("127.0.0.1:\(listener.port)"))
            let output = BytePipe()
            let running = Task {
              try await session.execute(.script("echo on; sleep 300"), output: .pipe(output))
            }
            for await _ in output { if way == "freeze" { relay.freeze() } else { listener.hangUp() } }
            let error = await #expect(throws: TransportError.self) { try await running.value }
            #expect(error?.kind == .lost, "\(way): \(String(describing: error))")
            if way == "freeze" { #expect(error?.why.contains("silent") == true) }
            await session.close()
          }
        }
      }
    }
  }

  @Test("a quiet command is no dead peer")
  func quietCommand() async throws {
    try await Home.with { home in
      try await home.makeKey()
      try await Server.with(authorized: [home.publicKey()]) { server in
        let settings = "ServerAliveInterval 1\nServerAliveCountMax 3\n"
        try await withSession(home.client(settings), server.destination) { session in
          let outcome = try await session.gather(.script("sleep 5; echo done"))
          #expect(outcome.text == "done")
        }
      }
    }
  }

  @Test("a transfer that is cut off is an error, and leaves no file in place")
  func cutTransfer() async throws {
    try await Home.with { home in
      try await home.makeKey()
      try await Server.with(authorized: [home.publicKey()]) { server in
        let relay = Relay(port: server.port)
        try await Listener.with({ relay.serve($0) }) { listener in
          let session = try await home.client().connect(Destination("127.0.0.1:\(listener.port)"))
          let big = home.path + "/big"
          try Data().write(to: URL(fileURLWithPath: big))
          truncate(big, 400 << 20)
          let running = Task { try await session.upload(big, to: home.path + "/there") }
          try await until("the transfer has begun") {
            try FileManager.default.contentsOfDirectory(atPath: home.path).contains { $0.contains(".part-") }
          }
          listener.hangUp()
          let error = await #expect(throws: TransportError.self) { try await running.value }
          #expect(error?.kind == .lost)
          #expect(access(home.path + "/there", F_OK) != 0)
          await session.close()
        }
      }
    }
  }

  @Test("waiting for a host is over as soon as the task is cancelled", arguments: ["", "SSH-2.0-x\r\n"])
  func cancelled(greeting: String) async throws {
    try await Home.with { home in
      let isThere = Mutexed(false)
      try await Listener.with({
        isThere.value.withLock { $0 = true }
        _ = Listener.say(greeting, to: $0)
        Listener.listen(to: $0)
      }) { listener in
        let client = try home.client(timeout: .seconds(600))
        let connecting = Task { try await client.connect(Destination("127.0.0.1:\(listener.port)")) }
        try await until("it is connected") { isThere.value.withLock { $0 } }
        connecting.cancel()
        await #expect(throws: CancellationError.self) { try await connecting.value }
      }
    }
  }

  @Test("many hosts at once, in their order, whatever is wrong with some")
  func manyHosts() async throws {
    try await Home.with { home in
      try await home.makeKey()
      try await Server.with(authorized: [home.publicKey()]) { server in
        try await Listener.with({ Listener.listen(to: $0) }) { silent in
          let client = try home.client(timeout: .seconds(2))
          var hosts: [String] = []
          for index in 0..<24 {
            hosts.append(index % 8 == 0 ? "127.0.0.1:\(silent.port)" : server.destination)
          }
          var seen: [String] = []
          var isRight = true
          await FanOut.run(hosts, width: 8) { host -> Bool in
            do {
              let session = try await client.connect(Destination(host))
              let outcome = try await session.gather(RemoteCommand(["echo", host]))
              await session.close()
              return outcome.text == host
            } catch {
              return false
            }
          } each: { host, isWell in
            seen.append(host)
            if isWell != (host == server.destination) { isRight = false }
          }
          #expect(seen == hosts)
          #expect(isRight)
        }
      }
    }
  }
}
