import Glibc
import Testing

@testable import Agent

@Suite("A step that cannot start says why", .timeLimit(.minutes(2)))
struct RefusalTests {
  private func refusal(_ change: (inout ProcessRequest, World) throws -> Void) async throws -> String {
    var sentence = ""
    try await World.with { world in
      var request = world.request(["/bin/true"])
      try change(&request, world)
      sentence = await world.keeper.run(request).sentence ?? "it ran"
    }
    return sentence
  }

  private func file(_ path: String, _ content: String, mode: mode_t) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode)
    try #require(descriptor >= 0)
    _ = Array(content.utf8).withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    close(descriptor)
  }

  @Test("no such file")
  func missing() async throws {
    #expect(
      try await refusal { request, _ in request.arguments = ["/nowhere/x"] }
        == "cannot start '/nowhere/x': no such file; install it, or correct the path")
  }

  @Test("no such program in PATH")
  func notInPath() async throws {
    #expect(
      try await refusal { request, _ in request.arguments = ["no-such-program"] }
        == "cannot start 'no-such-program': no such program in PATH (/usr/bin:/bin); install it, or give its full path"
    )
  }

  @Test("not executable, by path and in PATH")
  func notExecutable() async throws {
    let byPath = try await refusal { request, world in
      try file("\(world.directory)/tool", "#!/bin/sh\n", mode: 0o644)
      request.arguments = ["\(world.directory)/tool"]
    }
    #expect(byPath.contains("not executable: permission denied; 'chmod +x' it"))
    let inPath = try await refusal { request, world in
      try file("\(world.directory)/tool", "#!/bin/sh\n", mode: 0o644)
      request.environment["PATH"] = "/nowhere:\(world.directory):/bin"
      request.arguments = ["tool"]
    }
    #expect(inPath.contains("not executable"))
  }

  @Test(
    "a file without a first line is not given to a shell; one whose interpreter is missing is told from none")
  func interpreter() async throws {
    let plain = try await refusal { request, world in
      try file("\(world.directory)/tool", "echo ran\n", mode: 0o755)
      request.arguments = ["\(world.directory)/tool"]
    }
    #expect(plain.contains("no '#!' line"))
    let gone = try await refusal { request, world in
      try file("\(world.directory)/tool", "#!/nowhere/sh\n", mode: 0o755)
      request.arguments = ["\(world.directory)/tool"]
    }
    #expect(gone.contains("the interpreter it asks for does not"))
    #expect(try await refusal { request, _ in request.arguments = ["/tmp"] }.contains("it is a directory"))
  }

  @Test("no such working directory")
  func directory() async throws {
    #expect(
      try await refusal { request, _ in request.workingDirectory = "/nowhere" }
        == "cannot start '/bin/true': cannot enter its working directory '/nowhere': no such file or directory; "
        + "create it, or change the step's cwd")
  }

  @Test("no such user")
  func user() async throws {
    #expect(
      try await refusal { request, _ in request.user = "no-such-user" }
        == "cannot start '/bin/true': there is no user 'no-such-user' on this host; "
        + "create it, or change the step's user")
  }

  @Test("a log that cannot be written")
  func log() async throws {
    #expect(
      try await refusal { request, _ in request.logPath = "/nowhere/log" }.contains("cannot open its log"))
    #expect(try await refusal { request, _ in request.logPath = "/tmp" }.contains("is a directory"))
    let fifo = try await refusal { request, world in request.logPath = try world.fifo("fifo") }
    #expect(fifo.contains("cannot open its log"))
  }

  @Test("a journal without room: what could not be announced is not started")
  func journal() async throws {
    try await World.withDirectory { directory in
      let keeper = try Keeper.launch(journal: "/dev/full")
      let world = World(directory: directory, keeper: keeper)
      let sentence = await keeper.run(world.sh("echo ran")).sentence
      #expect(sentence?.contains("cannot write the keeper's journal: no space left on device") == true)
      await keeper.quit()
    }
    #expect(throws: KeeperError.self) { try Keeper.launch(journal: "/nowhere/journal") }
  }

  @Test("an argument longer than the kernel takes, and a request longer than the keeper does")
  func long() async throws {
    for length in [200_000, 9 << 20] {
      let sentence = try await refusal { request, _ in
        request.arguments.append(String(repeating: "x", count: length))
      }
      #expect(sentence.contains("too long (128 KiB for one, about 2 MiB for all)"))
    }
  }

  @Test("what cannot be said to a process at all")
  func flaws() async throws {
    #expect(try await refusal { request, _ in request.arguments = [] }.contains("the command is empty"))
    #expect(try await refusal { request, _ in request.arguments.append("a\0b") }.contains("NUL"))
    #expect(try await refusal { request, _ in request.environment["A=B"] = "" }.contains("'A=B'"))
    #expect(try await refusal { request, _ in request.key = "a b" }.contains("the key"))
  }
}
