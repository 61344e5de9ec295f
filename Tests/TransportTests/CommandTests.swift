import Foundation
import Testing

@testable import Transport

@Suite("Commands over SSH")
struct CommandTests {
  @Test("a command's output, errors and exit status come back")
  func outcome() async throws {
    try await Home.with { home in
      try await home.makeKey()
      try await Server.with(authorized: [home.publicKey()]) { server in
        try await withSession(try home.client(), server.destination) { session in
          let outcome = try await session.gather(.script("echo out; echo err >&2; exit 7"))
          #expect(outcome.end == .exited(7))
          #expect(outcome.text == "out")
          #expect(outcome.errorText == "err")
          let second = try await session.gather(RemoteCommand(["cat"]), input: Array("again".utf8))
          #expect(second.end == .exited(0))
          #expect(second.text == "again")
          let signalled = try await session.gather(.script("kill -TERM $$"))
          #expect(signalled.end == .signalled("TERM"))
          #expect(signalled.end.code == 143)
          let missing = try await session.gather(RemoteCommand(["/no/such/program"]))
          #expect(missing.end.code == 127)
        }
      }
    }
  }
}
