import Glibc
import Testing

@testable import Agent

@Suite("The keeper and its journal outlive", .timeLimit(.minutes(2)))
struct SurvivalTests {
  @Test(
    "an agent that is killed: what its keeper has not read yet is never started, and nobody takes it for ended"
  )
  func queuedStart() async throws {
    try await World.withDirectory { directory in
      let (journal, token, said) = ("\(directory)/journal", Wild.token(), "\(directory)/said")
      let probe = try Probe.start(["queue", journal, directory, "sleep 1000; : \(token)"], output: said)
      try await until { begins("ready", in: said) }
      let keeper = try #require(try probe.identities("keeper", in: said).first)
      probe.kill()
      #expect(LocalProcess.signal(keeper, SIGCONT))
      try await until { !LocalProcess.isAlive(keeper) }
      #expect(Wild.processes(with: token) == [])
      for entry in try KeeperJournal.read(journal) { #expect(entry.wasWithheld && entry.state.isFinal) }
    }
  }

  @Test("an agent that is killed: its steps go on, their ends are in the journal, the keeper leaves last")
  func agentKilled() async throws {
    try await World.withDirectory { directory in
      let journal = "\(directory)/journal"
      for index in 0..<3 { try #require(mkfifo("\(directory)/go.\(index)", 0o600) == 0) }
      let probe = try Probe.start(["hold", journal, directory, "3"], output: "\(directory)/said")
      try await until { begins("ready", in: "\(directory)/said") }
      let steps = try probe.identities("step", in: "\(directory)/said")
      let keeper = try #require(try probe.identities("keeper", in: "\(directory)/said").first)
      #expect(steps.count == 3)
      probe.kill()
      #expect(steps.allSatisfy(LocalProcess.isAlive))
      #expect(KeeperJournal.isKeeperAlive(journal))
      #expect(try KeeperJournal.remove(journal) == false)
      #expect(try KeeperJournal.read(journal).map(\.identity) == steps)
      #expect(try KeeperJournal.read(journal).allSatisfy { $0.state == .running })

      var ends = KeeperJournal.follow(journal).makeAsyncIterator()
      for index in [2, 0, 1] {
        await tell("\(directory)/go.\(index)")
        let entry = try #require(try await ends.next())
        #expect(entry.key == "run/\(index)/1")
        guard case .ended(let end) = entry.state else { throw Unexpected("\(entry.state)") }
        #expect(end.cause == .exited(Int32(index)))
        #expect(end.wallMicroseconds > 0)
      }
      #expect(try await ends.next() == nil)
      try await until { !LocalProcess.isAlive(keeper) }
      #expect(!KeeperJournal.isKeeperAlive(journal))
      #expect(try KeeperJournal.remove(journal))
      #expect(throws: KeeperError.self) { try KeeperJournal.read(journal) }
    }
  }

  @Test("its own death is told: the steps are lost to the agent, and can still be reached")
  func keeperKilled() async throws {
    try await World.withDirectory { directory in
      let keeper = try Keeper.launch(journal: "\(directory)/journal")
      let world = World(directory: directory, keeper: keeper)
      let step = try await world.start(world.request(["sleep", "1000"]))
      kill(keeper.identity.pid, SIGKILL)
      #expect(await step.end.value.sentence == "how it ended is unknown: its keeper was killed by signal 9")
      #expect(await keeper.failure()?.code == .died)
      #expect(await keeper.run(world.request(["true"])).sentence?.contains("restart the agent") == true)
      #expect(LocalProcess.isAlive(step.handle.identity))
      #expect(try KeeperJournal.read(world.journal).map(\.state) == [.running])
      #expect(LocalProcess.killTree(of: step.handle.identity, mark: step.handle.mark, SIGKILL) == 1)
      try await until { !LocalProcess.isAlive(step.handle.identity) }
      var ends = KeeperJournal.follow(world.journal).makeAsyncIterator()
      #expect(try await ends.next()?.state == .running)
      #expect(try await ends.next() == nil)
    }
  }

  @Test("an agent that lets go of it; what was recorded is not read again")
  func detached() async throws {
    try await World.withDirectory { directory in
      let keeper = try Keeper.launch(journal: "\(directory)/journal")
      let world = World(directory: directory, keeper: keeper)
      let go = try world.fifo("go")
      let first = try await world.start(world.request(["true"]))
      #expect(await first.end.value.cause == .exited(0))
      keeper.recorded([first.handle.ticket])
      var waits = world.sh("read x < \(go); exit 9")
      waits.key = "run/2/1"
      let second = try await world.start(waits)
      keeper.detach()
      #expect(await keeper.failure() == nil)
      await tell(go)
      var ends = KeeperJournal.follow(world.journal).makeAsyncIterator()
      let entry = try #require(try await ends.next())
      #expect(entry.ticket == second.handle.ticket)
      guard case .ended(let end) = entry.state else { throw Unexpected("\(entry.state)") }
      #expect(end.cause == .exited(9))
      #expect(try await ends.next() == nil)
    }
  }

  @Test("quit waits for the last step and starts no other")
  func quit() async throws {
    try await World.withDirectory { directory in
      let keeper = try Keeper.launch(journal: "\(directory)/journal")
      let world = World(directory: directory, keeper: keeper)
      let go = try world.fifo("go")
      let step = try await world.start(world.sh("read x < \(go)"))
      async let over: Void = keeper.quit()
      await tell(go)
      #expect(await step.end.value.cause == .exited(0))
      await over
      #expect(await keeper.failure() == nil)
      #expect(await keeper.run(world.request(["true"])).sentence?.contains("gone or ending") == true)
      #expect(!LocalProcess.isAlive(keeper.identity))
    }
  }

  @Test("a journal has one keeper, is private, and a refused step is in it")
  func journal() async throws {
    try await World.with { world in
      #expect { try Keeper.launch(journal: world.journal) } throws: {
        ($0 as? KeeperError)?.code == .journalInUse
      }
      var status = stat()
      #expect(stat(world.journal, &status) == 0 && status.st_mode & 0o777 == 0o600)
      _ = await world.keeper.run(world.request(["/nowhere"]))
      let entry = try #require(try KeeperJournal.read(world.journal).first)
      #expect(entry.state == .notStarted("it could not be started (exec): no such file or directory"))
      #expect(entry.state.isFinal)
    }
  }

  @Test("a torn last line is left out, whatever its length, and a torn line in the middle does no harm")
  func torn() throws {
    let whole = """
      A run/1/1 7
      S run/1/1 7 100 200 boot
      A run/2/1 8
      E run/1/1 7 100 signal 9 1024 10 20 30 40

      """
    var parser = JournalParser()
    parser.take(Array(whole.utf8))
    let end = ProcessEnd(
      .signalled(9), maxResidentKiB: 1024, userMicroseconds: 10, systemMicroseconds: 20, wallMicroseconds: 40)
    #expect(parser.entries.map(\.state) == [.ended(end), .announced])
    #expect(parser.entries.first?.mark == "0000000000000007")
    let next = Array("S run/2/1 8 101 300 boot\n".utf8)
    for length in next.indices {
      var torn = parser
      torn.take(Array(next[..<length]))
      #expect(torn.entries == parser.entries)
      torn.take(Array(next[length...]))
      #expect(torn.entries.last?.state == .running)
      var mended = parser
      mended.take(Array(next[..<length]) + Array("\n".utf8) + next + Array("R - 7\n".utf8))
      #expect(mended.entries.map(\.state) == [.running])
    }
  }

  struct Unexpected: Error {
    let what: String

    init(_ what: String) { self.what = what }
  }
}

/// The agent that is killed.
struct Probe {
  let pid: pid_t

  /// The built program.
  static func path() throws -> String {
    let own = try #require(realpath("/proc/self/exe", nil))
    defer { free(own) }
    // The test bundle runs in the tool chain's helper on some systems; the path of the bundle is an argument.
    let candidates = [String(cString: own)] + CommandLine.arguments
    return try #require(
      candidates.compactMap { path -> String? in
        guard let slash = path.lastIndex(of: "/") else { return nil }
        let sibling = "\(path[..<slash])/keeper-probe"
        return access(sibling, X_OK) == 0 ? sibling : nil
      }.first, "keeper-probe must stand beside the tests")
  }

  static func start(_ arguments: [String], output: String) throws -> Probe {
    let program = try path()
    var words = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT, 0o600)
    var pid: pid_t = 0
    let error = posix_spawn(&pid, program, &actions, nil, &words, environ)
    try #require(error == 0)
    return Probe(pid: pid)
  }

  func kill() {
    Glibc.kill(pid, SIGKILL)
    waitpid(pid, nil, 0)
  }

  func identities(_ word: String, in path: String) throws -> [ProcessIdentity] {
    try text(of: path).split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      guard words.count == 3, words[0] == word, let pid = Int32(words[1]), let start = UInt64(words[2])
      else { return nil }
      return ProcessIdentity(pid: pid, startTime: start, bootID: LocalProcess.bootID())
    }
  }
}
