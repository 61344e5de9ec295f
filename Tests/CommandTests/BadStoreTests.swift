import Foundation
import Glibc
import TestSupport
import Testing

@Suite("Stores that can't be used")
struct BadStoreTests {
  static let program = "program: p\nsteps: {a: {run: [\"true\"]}}\n"

  private func expectRefusal(
    _ answer: Answer, _ code: Int32, says texts: String..., from place: SourceLocation = #_sourceLocation
  ) {
    #expect(answer.code == code, "\(answer)", sourceLocation: place)
    #expect(answer.stdout.isEmpty, "\(answer)", sourceLocation: place)
    #expect(answer.errorLines.count == 1, "\(answer)", sourceLocation: place)
    #expect(answer.stderr.hasPrefix("error: "), "\(answer)", sourceLocation: place)
    for text in texts {
      #expect(answer.stderr.lowercased().contains(text.lowercased()), "\(answer)", sourceLocation: place)
    }
  }

  @Test(
    "a URL that is none is refused as usage, without repeating it",
    arguments: [
      "oracle://u:geheim@h/db", "sqlite:", "sqlite://host/path", "postgresql:db",
      "mysql://u:geheim@h:99999/db", "nix",
      "mysql://u:geheim@h/db?x", "postgresql://u:ge%ZZheim@h/db", ":", "://",
    ])
  func badURL(url: String) async throws {
    try await World.with(program: Self.program) { world in
      for command in [["run", world.program], ["status"], ["db", "status"]] {
        let answer = try await world.start(command, store: url).answer()
        expectRefusal(answer, 2)
        #expect(!answer.stderr.contains("heim"), "\(answer)")
      }
    }
  }

  @Test("a server that is not there is said", arguments: ["postgresql", "mysql"])
  func nobodyThere(scheme: String) async throws {
    try await World.with(program: Self.program) { world in
      for command in [["run", world.program], ["status"], ["cancel", "r"]] {
        let store = "\(scheme)://u:geheim@127.0.0.1:1/db"
        let answer = try await world.start(command, store: store).answer()
        expectRefusal(answer, 4, says: "127.0.0.1")
        #expect(!answer.stderr.contains("geheim"))
      }
      let unknown = try await world.run("status", store: "\(scheme)://u@no-such-host.invalid/db")
      expectRefusal(unknown, 4)
    }
  }

  @Test(
    "a server that takes the connection and never answers is given up", arguments: ["postgresql", "mysql"])
  func silentServer(scheme: String) async throws {
    try await World.with(program: Self.program) { world in
      let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(listener) }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = inet_addr("127.0.0.1")
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let isListening = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(listener, $0, length) == 0 && listen(listener, 16) == 0
            && getsockname(listener, $0, &length) == 0
        }
      }
      try #require(isListening)
      let store = "\(scheme)://u:geheim@127.0.0.1:\(UInt16(bigEndian: address.sin_port))/db"
      expectRefusal(try await world.run("status", store: store), 4)
    }
  }

  @Test("a wrong password is said, and shown nowhere", arguments: TestStore.servers)
  func wrongPassword(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.program) { world in
      let password = try #require(world.url.password)
      let store = world.store.replacing(password, with: "falsch-geheim")
      for command in [["run", world.program], ["status"], ["doctor"]] {
        let answer = try await world.start(command, store: store).answer()
        #expect(!answer.description.replacing(store, with: "").contains("falsch-geheim"), "\(answer)")
        if command != ["doctor"] { expectRefusal(answer, 4) }
      }
      let argument = try await world.run("status", "--store", store)
      #expect(argument.stderr.contains("warning: the password in --store"), "\(argument)")
      #expect(!argument.stderr.contains("falsch-geheim"))
      let database = try await world.run(
        "status", store: world.store.replacing("/evtest_", with: "/no_such_"))
      if kind == .mysql { expectRefusal(database, 4) }
    }
  }

  @Test("a file that can't be written is said")
  func readOnly() async throws {
    try await World.with(program: Self.program) { world in
      _ = try await world.finish()
      let path = try #require(world.url.path)
      let isRoot = getuid() == 0
      // Root may write what it likes, but not to a file that is immutable in its file system.
      if isRoot {
        try await mountReadOnly((path as NSString).deletingLastPathComponent, in: world) {
          expectRefusal(try await world.run("run", world.program, "--run-id", "s"), 4)
          expectRefusal(try await world.run("program", "remove", "p", "--yes"), 4)
        }
      } else {
        chmod(path, 0o400)
        expectRefusal(try await world.run("run", world.program, "--run-id", "s"), 4)
        chmod(path, 0o600)
      }
      #expect(try await world.run("status", "s").code == 3)
      try await world.expectConsistency()
    }
  }

  private func mountReadOnly(
    _ directory: String, in world: World, _ body: () async throws -> Void
  ) async throws {
    try #require(mount(directory, directory, nil, UInt(MS_BIND), nil) == 0)
    defer { umount2(directory, Int32(MNT_DETACH)) }
    try #require(mount(nil, directory, nil, UInt(MS_BIND | MS_REMOUNT | MS_RDONLY), nil) == 0)
    try await body()
  }

  @Test("a missing directory, a directory, and a file that is no database are said")
  func notADatabase() async throws {
    try await World.with(program: Self.program) { world in
      let missing = "sqlite:\(world.path("no/such/store.db"))"
      expectRefusal(try await world.run("run", world.program, store: missing), 4)
      #expect(!world.exists("no"))
      expectRefusal(try await world.run("status", store: missing), 4, says: "store.db")
      expectRefusal(try await world.run("status", store: "sqlite:\(world.directory)"), 4)
      expectRefusal(try await world.run("run", world.program, store: "sqlite:\(world.directory)"), 4)
      let text = try world.write("text.db", String(repeating: "no database at all\n", count: 1000))
      let before = try world.text("text.db")
      expectRefusal(
        try await world.run("run", world.program, store: "sqlite:\(text)"), 4, says: "not an SQLite database")
      expectRefusal(try await world.run("status", store: "sqlite:\(text)"), 4)
      #expect(try world.text("text.db") == before)
    }
  }
}

@Suite("A disk that is full")
struct FullDiskTests {
  @Test("a run on a full disk ends with a clear error, and goes on when there is room")
  func fullDisk() async throws {
    let program = """
      program: full
      steps:
        a: {shell: "echo > started; until [ -e go ]; do sleep 0.05; done; head -c 300000 /dev/zero | tr '\\\\0' x"}
        b: {after: [a], shell: echo b >> order}
      """
    try await World.with(program: program) { world in
      let disk = world.path("disk")
      mkdir(disk, 0o755)
      let isMounted = mount("tmpfs", disk, "tmpfs", 0, "size=2m") == 0
      try #require(isMounted, "only root can make a small disk")
      defer { umount2(disk, Int32(MNT_DETACH)) }
      let store = "sqlite:\(disk)/store.db"
      let words = ["run", world.program, "--run-id", "r"]
      let call = try world.start(words, store: store)
      try await world.file("started")
      let filler = open("\(disk)/filler", O_WRONLY | O_CREAT, 0o600)
      let piece = [UInt8](repeating: 1, count: 4096)
      while write(filler, piece, piece.count) > 0 {}
      close(filler)
      try world.write("go", "")
      let answer = await call.answer()
      #expect(answer.code == 4, "\(answer)")
      #expect(answer.stderr.lowercased().contains("full"), "\(answer)")
      unlink("\(disk)/filler")
      let rest = try await world.start(words + ["--continue", "--json"], store: store).answer()
      #expect(rest.code == 0, "\(rest)")
      let report = try rest.decoded(as: Report.self)
      #expect(report.statuses == ["a/1": "success", "b/1": "success"])
      #expect(world.lines("order") == ["b"])
      #expect(try await world.run("db", "check", store: store).code == 0)
    }
  }

  @Test("a disk too small for a store is said before anything is begun")
  func noRoom() async throws {
    try await World.with(program: BadStoreTests.program) { world in
      let disk = world.path("disk")
      mkdir(disk, 0o755)
      let isMounted = mount("tmpfs", disk, "tmpfs", 0, "size=16k") == 0
      try #require(isMounted, "only root can make a small disk")
      defer { umount2(disk, Int32(MNT_DETACH)) }
      let answer = try await world.run("run", world.program, store: "sqlite:\(disk)/store.db")
      #expect(answer.code == 4, "\(answer)")
      #expect(answer.errorLines.count == 1, "\(answer)")
      #expect(answer.stderr.lowercased().contains("no space left"), "\(answer)")
    }
  }
}
