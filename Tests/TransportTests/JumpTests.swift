import Foundation
import Testing

@testable import Transport

@Suite("Through other hosts")
struct JumpTests {
  @Test("a host behind another is reached through it, and both are checked")
  func jump() async throws {
    try await Home.with { home in
      try await home.makeKey()
      try await Server.with(authorized: [home.publicKey()]) { gate in
        try await Server.with(authorized: [home.publicKey()]) { target in
          // The gate resolves the target's name, which nobody else has to know.
          let settings = """
            Host target
              HostName localhost
              Port \(target.port)
              ProxyJump gate
            Host twice
              HostName localhost
              HostKeyAlias twice
              Port \(target.port)
              ProxyJump gate,127.0.0.1:\(target.port)
            Host gate
              HostName 127.0.0.1
              Port \(gate.port)
            """
          let error = try await refusal(home.client(settings, acceptsNew: false), "target")
          #expect(error.kind == .hostKeyUnknown)
          #expect(error.what.contains("gate"))
          let client = try home.client(settings)
          try await withSession(client, "target") { session in
            let outcome = try await session.gather(
              .script("cat; echo $SSH_CONNECTION"), input: Array("in ".utf8))
            #expect(outcome.text.hasPrefix("in "))
            #expect(outcome.text.hasSuffix(" \(target.port)"))
            let big = [UInt8](repeating: 7, count: 3 << 20)
            let found1 = try await session.gather(RemoteCommand(["cat"]), input: big, limit: 4 << 20)
            #expect(found1.output == big)
          }
          #expect(home.text(".ssh/known_hosts").contains("[localhost]:\(target.port)"))
          try await withSession(client, "twice") { session in
            let outcome = try await session.gather(RemoteCommand(["echo", "far"]))
            #expect(outcome.text == "far")
          }
        }
      }
    }
  }

  @Test("a target that is not there, a gate that forbids it, and a circle are told apart")
  func failures() async throws {
    try await Home.with { home in
      try await home.makeKey()
      let listener = try Listener()
      let closed = listener.port
      listener.close()
      try await Server.with(authorized: [home.publicKey()]) { gate in
        let settings = "Host gate\n  HostName 127.0.0.1\n  Port \(gate.port)\nHost a b\n  ProxyJump gate\n"
        let absent = try await refusal(home.client(settings), "a:\(closed)")
        #expect(absent.kind == .refused)
        #expect(absent.what.contains("through gate"))
        let circle = "Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n"
        let found2 = try await refusal(home.client(circle), "a")
        #expect(found2.kind == .configuration)
      }
      try await Server.with(authorized: [home.publicKey()], "AllowTcpForwarding no") { gate in
        let settings = "Host gate\n  HostName 127.0.0.1\n  Port \(gate.port)\nHost a\n  ProxyJump gate\n"
        let found3 = try await refusal(home.client(settings), "a:22")
        #expect(found3.kind == .refused)
      }
    }
  }

  @Test("a gate that goes away takes the session behind it with it")
  func gateDies() async throws {
    try await Home.with { home in
      try await home.makeKey()
      try await Server.with(authorized: [home.publicKey()]) { gate in
        let relay = Relay(port: gate.port)
        try await Listener.with({ relay.serve($0) }) { listener in
          try await Server.with(authorized: [home.publicKey()]) { target in
            let settings = "Host target\n  HostName 127.0.0.1\n  ProxyJump 127.0.0.1:\(listener.port)\n"
            try await withSession(try home.client(settings), "target:\(target.port)") { session in
              let output = BytePipe()
              let running = Task {
                try await session.execute(.script("echo on; sleep 300"), output: .pipe(output))
              }
              for await _ in output { listener.hangUp() }
              let error = await #expect(throws: TransportError.self) { try await running.value }
              #expect(error?.kind == .lost)
            }
          }
        }
      }
    }
  }
}
