import Digest
import Foundation
import Glibc
import Testing

@testable import Transport

@Suite("Files over SSH")
struct TransferTests {
  private func withServer(
    _ extra: String = "", timeout: Duration = .seconds(20), _ body: (SSHSession, Home) async throws -> Void
  ) async throws {
    try await Home.with { home in
      try await home.makeKey()
      try await Server.with(authorized: [home.publicKey()], extra) { server in
        try await withSession(try home.client(timeout: timeout), server.destination) {
          try await body($0, home)
        }
      }
    }
  }

  private func mode(_ path: String) -> Int? {
    (try? FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]) as? Int
  }

  @Test("files arrive whole in both directions, with their mode, and replace what was there")
  func bothWays() async throws {
    try await withServer { session, home in
      let bytes = (0..<(1 << 20) + 17).map { _ in UInt8.random(in: 0...255) }
      let local = home.path + "/local"
      try Data(bytes).write(to: URL(fileURLWithPath: local))
      chmod(local, 0o640)
      let remote = home.path + "/rémote $file's"
      for _ in 0..<2 {
        let digest = try await session.upload(local, to: remote)
        #expect(digest == Digest(of: bytes))
        #expect(FileManager.default.contents(atPath: remote) == Data(bytes))
        #expect(mode(remote) == 0o640)
      }
      try await session.upload(bytes: [1, 2, 3], to: home.path + "/small", mode: 0o755)
      #expect(mode(home.path + "/small") == 0o755)
      try await session.upload(bytes: [], to: home.path + "/empty", mode: 0o600)
      #expect(FileManager.default.contents(atPath: home.path + "/empty") == Data())
      let back = home.path + "/back"
      try Data("old".utf8).write(to: URL(fileURLWithPath: back))
      let found1 = try await session.download(remote, to: back)
      #expect(found1 == Digest(of: bytes))
      #expect(FileManager.default.contents(atPath: back) == Data(bytes))
      #expect(mode(back) == 0o640)
      let tail = Gatherer()
      try await session.read(remote, from: UInt64(bytes.count - 5)) { tail.take($0) }
      #expect(tail.bytes == Array(bytes.suffix(5)))
      let left = try FileManager.default.contentsOfDirectory(atPath: home.path).filter {
        $0.contains(".part-")
      }
      #expect(left.isEmpty)
    }
  }

  @Test("a host that has SFTP alone gets files too, and they are compared by reading them again")
  func withoutCommands() async throws {
    try await withServer("ForceCommand internal-sftp") { session, home in
      for text in ["first", "second"] {
        try await session.upload(bytes: Array(text.utf8), to: home.path + "/file", mode: 0o600)
        #expect(home.text("file") == text)
      }
      try await session.download(home.path + "/file", to: home.path + "/back")
      #expect(home.text("back") == "second")
    }
  }

  @Test("what goes wrong with a file is said with its name, and leaves nothing behind")
  func failures() async throws {
    try await withServer { session, home in
      func kind(_ body: () async throws -> Void) async -> TransportError? {
        await #expect(throws: TransportError.self) { try await body() }
      }
      let missing = home.path + "/missing"
      let absent = await kind { try await session.download(missing, to: home.path + "/x") }
      #expect(absent?.kind == .noSuchFile)
      #expect(absent?.what.contains(missing) == true)
      let unsent = await kind { try await session.upload(missing, to: home.path + "/x") }
      #expect(unsent?.kind == .noSuchFile)
      let homeless = await kind { try await session.upload(bytes: [1], to: missing + "/x", mode: 0o600) }
      #expect(homeless?.kind == .noSuchFile)
      let directory = await kind { try await session.upload(bytes: [1], to: home.path, mode: 0o600) }
      #expect(directory?.kind == .transfer)
      #expect(directory?.why.contains("directory") == true)
      let unreadable = await kind { try await session.download("/proc/self/mem", to: home.path + "/x") }
      #expect(unreadable?.kind == .transfer)
      #expect(access(home.path + "/x", F_OK) != 0)
      let left = try FileManager.default.contentsOfDirectory(atPath: home.path).filter {
        $0.contains(".part-")
      }
      #expect(left.isEmpty)
      let after = try await session.gather(RemoteCommand(["true"]))
      #expect(after.end == .exited(0))
    }
  }

  @Test("a host without SFTP says so")
  func withoutSFTP() async throws {
    try await withServer("Subsystem sftp /bin/false", timeout: .seconds(3)) { session, home in
      let error = await #expect(throws: TransportError.self) {
        try await session.upload(bytes: [1], to: home.path + "/x", mode: 0o600)
      }
      #expect(error != nil)
      let after = try await session.gather(RemoteCommand(["true"]))
      #expect(after.end == .exited(0))
    }
  }

  private final class Gatherer: Sendable {
    private let gathered = Mutexed<[UInt8]>([])
    var bytes: [UInt8] { gathered.value.withLock { $0 } }
    func take(_ more: ArraySlice<UInt8>) { gathered.value.withLock { $0 += more } }
  }
}
