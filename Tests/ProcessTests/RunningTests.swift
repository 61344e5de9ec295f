import Glibc
import Synchronization
import Testing

@testable import Agent

@Suite("A step that the keeper runs", .timeLimit(.minutes(2)))
struct RunningTests {
  @Test("ends with its exit code", arguments: [0, 1, 75, 255] as [Int32])
  func exitCode(code: Int32) async throws {
    try await World.with { world in
      let end = await world.keeper.run(world.sh("exit \(code)"))
      #expect(end.cause == .exited(code))
      #expect(end.maxResidentKiB > 0)
      #expect(end.wallMicroseconds > 0)
    }
  }

  @Test("ends with the signal that ended it", arguments: [SIGTERM, SIGKILL, SIGUSR1, SIGHUP, SIGPIPE])
  func signal(number: Int32) async throws {
    try await World.with { world in
      #expect(await world.keeper.run(world.sh("kill -\(number) $$")).cause == .signalled(number))
    }
  }

  @Test("writes both outputs to its log, in order, after what is there")
  func log() async throws {
    try await World.with { world in
      _ = await world.keeper.run(world.sh("echo one; echo two >&2; echo three"))
      _ = await world.keeper.run(world.sh("echo four"))
      let output = try world.output()
      #expect(output == "one\ntwo\nthree\nfour\n")
      var status = stat()
      #expect(stat("\(world.directory)/log", &status) == 0 && status.st_mode & 0o777 == 0o640)
    }
  }

  @Test("has the environment it is given and its mark, and nothing to read")
  func environment() async throws {
    try await World.with { world in
      var request = world.request(["/usr/bin/env"])
      request.environment = ["B": "two words", "EMPTY": "", "ÜMLAUT": "straße", "EVENTOR_TASK_MARK": "outer"]
      let mark = Promise<String>()
      _ = await world.keeper.run(request, onStart: { mark.fulfil($0.mark) })
      let lines = Set(try world.output().split(separator: "\n").map(String.init))
      #expect(lines == ["B=two words", "EMPTY=", "ÜMLAUT=straße", "EVENTOR_TASK_MARK=\(await mark.value)"])
      #expect(await world.keeper.run(world.sh("read x", log: "other")).cause == .exited(1))
    }
  }

  @Test("runs where it is told, with a program found from there")
  func directory() async throws {
    try await World.with { world in
      var request = world.sh("pwd")
      request.workingDirectory = "/usr/bin"
      #expect(await world.keeper.run(request).cause == .exited(0))
      request.arguments = ["./pwd"]
      #expect(await world.keeper.run(request).cause == .exited(0))
      let output = try world.output()
      #expect(output == "/usr/bin\n/usr/bin\n")
    }
  }

  @Test("runs as the user it is told, with that user's groups, and can open its own output")
  func user() async throws {
    try #require(geteuid() == 0, "only root can change users")
    try await World.with { world in
      var request = world.sh("id -un; id -G; echo note >> /dev/stderr; cat /etc/shadow")
      request.user = "nobody"
      request.workingDirectory = "/"
      #expect(await world.keeper.run(request).cause == .exited(1))
      let output = try world.output()
      #expect(output.hasPrefix("nobody\n65534\nnote\n"))
      #expect(output.contains("Permission denied"))
    }
  }

  @Test("leads a session and a process group, blocks and ignores no signal")
  func session() async throws {
    try await World.with { world in
      let request = world.sh(
        #"read -r pid name state parent group session rest < /proc/$$/stat; echo $pid $group $session; grep -E 'Sig(Blk|Ign)' /proc/self/status"#
      )
      let pid = Promise<Int32>()
      _ = await world.keeper.run(request, onStart: { pid.fulfil($0.identity.pid) })
      let number = await pid.value
      let none = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
      let output = try world.output()
      #expect(output == "\(number) \(number) \(number)\n" + none)
    }
  }

  @Test("is given arguments as they are: spaces, quotes, newlines, no shell in between")
  func arguments() async throws {
    try await World.with { world in
      let words = ["a b", "\"q'", "two\nlines", "naïve 🐧", "", "$HOME `x` *", "\\"]
      _ = await world.keeper.run(world.request(["printf", "<%s>"] + words))
      let output = try world.output()
      #expect(output == words.map { "<\($0)>" }.joined())
    }
  }

  @Test("can have 200 KB of arguments and environment")
  func long() async throws {
    try await World.with { world in
      var request = world.sh("echo ${#1} ${#LONG}")
      request.arguments += ["sh", String(repeating: "x", count: 100_000)]
      request.environment["LONG"] = String(repeating: "y", count: 100_000)
      #expect(await world.keeper.run(request).cause == .exited(0))
      let output = try world.output()
      #expect(output == "100000 100000\n")
    }
  }

  @Test("is stopped by its limits")
  func limits() async throws {
    try await World.with { world in
      var request = world.sh("ulimit -v; ulimit -t")
      request.memoryLimit = 512 << 20
      request.cpuSecondsLimit = 7
      _ = await world.keeper.run(request)
      let output = try world.output()
      #expect(output == "524288\n7\n")
      request = world.sh("while :; do :; done")
      request.cpuSecondsLimit = 1
      #expect(await world.keeper.run(request).cause == .signalled(SIGXCPU))
    }
  }

  @Test("has three descriptors, whatever the agent and the other steps have open")
  func descriptors() async throws {
    let careless = (0..<20).map { _ in open("/dev/null", O_RDONLY) }
    defer { for descriptor in careless { close(descriptor) } }
    try await World.with { world in
      let go = try world.fifo("go")
      let others = try await startMany(50, world.sh("read x < \(go)", log: "others"), world)
      for index in 0..<20 {
        _ = await world.keeper.run(world.request(["ls", "/proc/self/fd"], log: "fd\(index)"))
        // 3 is the directory that ls itself reads.
        let output = try world.output("fd\(index)")
        #expect(output == "0\n1\n2\n3\n")
      }
      world.keeper.killTrees(others.map(\.handle.ticket), SIGKILL)
      for other in others { #expect(await other.end.value.cause == .signalled(SIGKILL)) }
    }
  }

  private func startMany(_ count: Int, _ request: ProcessRequest, _ world: World) async throws -> [Running] {
    var all: [Running] = []
    for _ in 0..<count { all.append(try await world.start(request)) }
    return all
  }

  @Test("is one of 2,000: each ends once, none is left as a zombie, the journal forgets what was recorded")
  func many() async throws {
    try await World.with { world in
      let go = try world.fifo("go")
      let before = try await world.start(world.sh("read x < \(go)", log: "before"))
      let ends = Mutex<[UInt64: Int]>([:])
      let all = Promise<Void>()
      var request = world.request(["/bin/true"])
      // Long enough for the journal to be written anew on the way.
      request.key = String(repeating: "k", count: 512)
      for _ in 0..<2_000 {
        world.keeper.begin(request, onStart: { #expect((try? $0.get()) != nil) }) { handle, end in
          #expect(end.cause == .exited(0))
          world.keeper.recorded([handle.ticket])
          let count = ends.withLock { ends in
            ends[handle.ticket, default: 0] += 1
            return ends.count
          }
          if count == 2_000 { all.fulfil(()) }
        }
      }
      await all.value
      #expect(ends.withLock { $0.values.allSatisfy { $0 == 1 } })
      // Requests are served in their order: when this one has started, all was recorded.
      let after = try await world.start(world.sh("read x < \(go)", log: "after"))
      var status = stat()
      #expect(stat(world.journal, &status) == 0 && status.st_size < 2 << 20)
      #expect(KeeperJournal.isKeeperAlive(world.journal))
      let entries = try KeeperJournal.read(world.journal)
      #expect(entries.map(\.identity) == [before.handle.identity, after.handle.identity])
      #expect(entries.allSatisfy { $0.state == .running })
      let left = try children(of: world.keeper.identity.pid).split(separator: " ").count
      #expect(left == 2)
      world.keeper.killTree(before.handle.ticket, SIGKILL)
      world.keeper.killTree(after.handle.ticket, SIGKILL)
      #expect(await before.end.value.cause == .signalled(SIGKILL))
      #expect(await after.end.value.cause == .signalled(SIGKILL))
    }
  }

  private func children(of pid: Int32) throws -> String {
    try String(decoding: JournalFile("/proc/\(pid)/task/\(pid)/children").readAll(), as: UTF8.self)
  }

  @Test("is signalled with its group, and killed with it when it ignores SIGTERM")
  func group() async throws {
    try await World.with { world in
      let ready = try world.fifo("ready")
      let step = try await world.start(
        world.sh(
          "trap 'echo told' TERM; (trap '' TERM; echo ready > \(ready); sleep 1000) & wait; wait; wait"))
      #expect(await line(from: ready) == "ready\n")
      world.keeper.killTree(step.handle.ticket, SIGTERM)
      try await until { (try? world.output().contains("told")) == true }
      let members = LocalProcess.tree(of: step.handle.identity, mark: step.handle.mark)
      #expect(members.count >= 2)
      world.keeper.killTree(step.handle.ticket, SIGKILL)
      #expect(await step.end.value.cause == .signalled(SIGKILL))
      for member in members { try await until { !LocalProcess.isAlive(member) } }
    }
  }

  @Test("is found to the last descendant, double-forked, in a session of its own, without its mark")
  func tree() async throws {
    try await World.with { world in
      let ready = try world.fifo("ready")
      let readyToo = try world.fifo("ready-too")
      // One daemon keeps its mark; one drops it, but its parent in the tree lives.
      let script = """
        setsid sh -c 'sleep 1000 & echo one > \(ready)' &
        wait
        setsid env -i sh -c 'echo two > \(readyToo); sleep 1001; :' &
        wait
        """
      let step = try await world.start(world.sh(script))
      #expect(await line(from: ready) == "one\n")
      #expect(await line(from: readyToo) == "two\n")
      let members = LocalProcess.tree(of: step.handle.identity, mark: step.handle.mark)
      #expect(members.count >= 3)
      let other = try await world.start(world.request(["sleep", "1000"]))
      world.keeper.killTree(step.handle.ticket, SIGKILL)
      #expect(await step.end.value.cause == .signalled(SIGKILL))
      for member in members { try await until { !LocalProcess.isAlive(member) } }
      #expect(LocalProcess.isAlive(other.handle.identity))
      world.keeper.killTree(other.handle.ticket, SIGTERM)
      #expect(await other.end.value.cause == .signalled(SIGTERM))
    }
  }

  @Test("leaves a daemon that is not waited for, and that its mark still leads to")
  func leftover() async throws {
    try await World.with { world in
      let step = try await world.start(world.sh("setsid sleep 1000 & exit 3"))
      #expect(await step.end.value.cause == .exited(3))
      try await until { LocalProcess.tree(of: nil, mark: step.handle.mark).count == 1 }
      world.keeper.killTree(step.handle.ticket, SIGKILL)
      world.keeper.killTree(step.handle.ticket, SIGTERM)
      try await until { LocalProcess.tree(of: nil, mark: step.handle.mark).isEmpty }
    }
  }
}
