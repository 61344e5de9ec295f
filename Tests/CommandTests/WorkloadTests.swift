import Foundation
import Glibc
import TestSupport
import Testing

/// What `workload … --json` prints.
private struct WorkloadReport: Decodable {
  struct Open: Decodable {
    let run: Int
    let updates: Int
    let done: Int
    let by: String?
  }
  struct State: Decodable {
    let created: String
    let total: Int
    let size: Int
    let updates: Int
    let seed: Int
    let start: Int
    let runs: Int
    let documents: Int
    let filled: Int?
    let lastUpdates: Int
    let openRun: Open?
  }
  struct Run: Decodable {
    let run: Int
    let start: Int
    let updates: Int
    let doneBefore: Int
    let updated: Int
    let revisions: Int
  }
  struct Past: Decodable {
    let run: Int
    let startedAt: String
    let start: Int
    let updates: Int
  }
  struct Verification: Decodable {
    let documents: Int
    let faultCount: Int
    let faults: [String]
  }
  let db: String
  let state: State
  let run: Run?
  let history: [Past]?
  let verification: Verification?
}

extension World {
  fileprivate func workload(
    _ verb: String, _ arguments: String..., from place: SourceLocation = #_sourceLocation
  ) async throws -> Answer {
    try await start(["workload", verb, store] + arguments).answer(from: place)
  }

  fileprivate func info(
    _ arguments: String..., from place: SourceLocation = #_sourceLocation
  ) async throws -> WorkloadReport {
    try await start(["workload", "info", store, "--json"] + arguments).answer(from: place)
      .decoded(as: WorkloadReport.self, from: place)
  }

  /// Waits until the run of `call` has updated more than `done` documents, and leaves the call stopped.
  fileprivate func runIsUnderWay(
    beyond done: Int, _ call: Call, from place: SourceLocation = #_sourceLocation
  ) async throws {
    try await stop(call, from: place) {
      try await info(from: place).state.openRun.map { $0.done > done } ?? false
    }
  }

  /// Waits until `isWhereItShouldBe`, and leaves the call stopped. It stands still while it is looked at, or it could be
  /// over before the answer is there.
  fileprivate func stop(
    _ call: Call, from place: SourceLocation = #_sourceLocation,
    when isWhereItShouldBe: () async throws -> Bool
  ) async throws {
    for _ in 0..<2000 {
      call.signal(SIGSTOP)
      if try await isWhereItShouldBe() { return }
      call.signal(SIGCONT)
      if call.isOver { break }
      try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("the call did not come so far: \(await call.answer())", sourceLocation: place)
    throw Impatience()
  }

  /// `text` without this store's password where the user typed it.
  fileprivate func expectNoPassword(_ answer: Answer, from place: SourceLocation = #_sourceLocation) {
    guard let password = url.password else { return }
    #expect(!(answer.stdout + answer.stderr).contains(password), "\(answer)", sourceLocation: place)
  }
}

@Suite("workload")
struct WorkloadTests {
  @Test("set-up, executions and info print what they should, and no password", arguments: TestStore.all)
  func story(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let setUp = try await world.workload("setup", "-t", "5", "-s", "40", "-u", "3", "--seed", "7")
      #expect(setUp.code == 0, "\(setUp)")
      world.expectNoPassword(setUp)
      let configuration = try #require(
        setUp.stdout.wholeMatch(
          of:
            /Saved configuration:\n( \. created : (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\n(?: \. .* : .*\n)+) run coordinator workload execute to start updating documents\.\n/
        ), "\(setUp)")
      let state = """
         . created : \(configuration.2)
         . history : (0 items)
         . last_dt : 0
         . last_errors : 0
         . last_ts : 0 (1970-01-01T00:00:00)
         . last_updates : 0
         . size : 40
         . start : 0
         . total : 5
         . updates : 3
         . version : 1
         . docs : 0
         . runs : 0
         . seed : 7

        """
      #expect(configuration.1 == state)

      let again = try await world.workload("setup")
      #expect(again.code == 1)
      #expect(
        again.errorLines.last == "error: db \(world.url) already exists; to force reset it, use -f|--force",
        "\(again)")
      world.expectNoPassword(again)

      let first = try await world.workload("execute")
      #expect(first.code == 0, "\(first)")
      world.expectNoPassword(first)
      #expect(first.stdout.hasPrefix("Updating docs. Configuration:\n" + state), "\(first)")
      let rest = first.stdout.dropFirst(("Updating docs. Configuration:\n" + state).count)
      #expect(
        rest.prefixMatch(
          of:
            /0 revs in \d+\.\d{3} sec, @ 0 revs\/sec\nupdated 3 docs: dt: \d+\.\d{3} sec, @ \d+ docs\/sec\nNew state:\n/
        ) != nil, "\(first)")
      for line in [" . history : (1 items)", " . last_updates : 3", " . start : 3", " . docs : 3"] {
        #expect(first.lines.contains(line), "\(first)")
      }
      let second = try await world.workload("execute", "--json")
      let run = try second.decoded(as: WorkloadReport.self)
      #expect(run.db == world.url.description)
      #expect(run.run?.start == 3 && run.run?.updated == 3 && run.run?.revisions == 1)
      #expect(run.state.start == 1 && run.state.documents == 5)

      let text = try await world.workload("info", "--verify")
      #expect(text.code == 0)
      world.expectNoPassword(text)
      #expect(text.stdout.contains("3–4 and 0") && text.stdout.contains("0–2"), "\(text)")
      #expect(text.lines.last == "verified 5 docs: all are as they should be")
      let info = try await world.info("--verify")
      #expect(info.history?.map(\.start) == [3, 0] && info.history?.map(\.run) == [2, 1])
      #expect(info.verification?.documents == 5 && info.verification?.faultCount == 0)
      #expect(info.state.seed == 7 && info.state.created.hasSuffix("Z"))
    }
  }

  @Test("a run killed at any moment goes on with exactly the rest", arguments: TestStore.all)
  func killed(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let words = ["-t", "16000", "-s", "50", "-u", "16000", "--fill"]
      #expect(try await world.start(["workload", "setup", world.store] + words).answer().code == 0)
      var done = 0
      for _ in 0..<2 {
        let call = try world.start(["workload", "execute", world.store])
        try await world.runIsUnderWay(beyond: done, call)
        call.signal(SIGKILL)
        #expect(await call.answer().code == 128 + SIGKILL)
        let state = try await world.info().state
        let open = try #require(state.openRun)
        #expect(open.run == 1 && open.updates == 16000 && open.done > done && state.runs == 0)
        done = open.done
      }
      let rest = try await world.workload("execute")
      #expect(rest.code == 0, "\(rest)")
      #expect(rest.lines.contains { $0.hasPrefix("going on with run 1: ") }, "\(rest)")
      #expect(rest.lines.contains { $0.hasPrefix("updated \(16000 - done) docs: ") }, "\(rest)")
      // Every document was made once and updated once.
      let info = try await world.info("--verify")
      #expect(info.state.runs == 1 && info.state.start == 0 && info.state.lastUpdates == 16000)
      #expect(info.verification?.documents == 16000 && info.verification?.faults == [])
    }
  }

  @Test("a set-up killed while it makes the documents is finished by the next", arguments: TestStore.all)
  func killedSetUp(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let words = ["workload", "setup", world.store, "-t", "16000", "-s", "50", "--fill"]
      let call = try world.start(words)
      var filled = 0
      try await world.stop(call) {
        // Before the tables are there this is not found; and no answer comes while a file is locked for making them.
        let look = try world.start(["workload", "info", world.store, "--json"])
        // So the look is given five seconds, and then the set-up goes on a little.
        for _ in 0..<500 where !look.isOver { try await Task.sleep(for: .milliseconds(10)) }
        if !look.isOver { look.signal(SIGKILL) }
        let answer = await look.answer()
        if answer.code == 0 { filled = try answer.decoded(as: WorkloadReport.self).state.filled ?? 0 }
        return filled > 0
      }
      call.signal(SIGKILL)
      #expect(await call.answer().code == 128 + SIGKILL)
      let state = try await world.info().state
      let left = try #require(state.filled)
      #expect(left >= filled && left < 16000)
      let again = try await world.start(words).answer()
      #expect(again.code == 0 && again.lines.first == "Finished an interrupted set-up:", "\(again)")
      let info = try await world.info("--verify")
      #expect(info.state.seed == state.seed && info.verification?.documents == 16000)
      #expect(info.verification?.faults == [])
    }
  }

  @Test(
    "a second execution says who is running, or waits; a killed one blocks nobody", arguments: TestStore.all)
  func concurrent(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let words = ["-t", "20000", "-s", "50", "-u", "16000"]
      #expect(try await world.start(["workload", "setup", world.store] + words).answer().code == 0)
      let first = try world.start(["workload", "execute", world.store])
      try await world.runIsUnderWay(beyond: 0, first)
      // Stopped, it holds its turn for as long as this test needs.
      let open = try #require(try await world.info().state.openRun)
      #expect(open.by?.hasSuffix("(process \(first.pid))") == true)
      for words in [["execute"], ["setup", "--force", "--yes"], ["info", "--verify"]] {
        let second = try await world.start(["workload", words[0], world.store] + words.dropFirst()).answer()
        #expect(second.code == 1, "\(second)")
        #expect(second.errorLines.last?.contains("(process \(first.pid)); wait for it with --wait") == true)
        world.expectNoPassword(second)
      }
      let late = try await world.workload("execute", "--wait", "--timeout", "1ms")
      #expect(late.code == 7, "\(late)")
      let waiting = try world.start(["workload", "execute", world.store, "--wait", "--json"])
      try await until("it waits") { waiting.stderr.contains("waiting for ") }
      #expect(try await world.info().state.openRun?.done == open.done)
      first.signal(SIGKILL)
      #expect(await first.answer().code == 128 + SIGKILL)
      let run = try await waiting.answer().decoded(as: WorkloadReport.self).run
      #expect(run?.run == 1 && run?.doneBefore == open.done && run?.updated == 16000 - open.done)
      let next = try await world.workload("execute", "--json").decoded(as: WorkloadReport.self).run
      #expect(next?.run == 2 && next?.start == 16000)
      #expect(try await world.info("--verify").verification?.faults == [])
    }
  }

  @Test("force deletes only what is agreed to", arguments: TestStore.all)
  func force(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let fresh = try await world.workload("setup", "--dry-run")
      #expect(fresh.code == 0 && fresh.lines.count == 1)
      #expect(try await world.workload("info").code == 3)
      #expect(try await world.workload("setup", "-t", "20", "-u", "8", "--force").code == 0)
      _ = try await world.workload("execute")
      let before = try await world.info().state
      let dry = try await world.workload("setup", "--force", "--dry-run")
      #expect(dry.code == 0)
      #expect(
        dry.lines.first
          == "would delete 8 documents and the history of 1 run of db \(world.url)", "\(dry)")
      let asked = try await world.workload("setup", "--force")
      #expect(asked.code == 2)
      #expect(
        asked.errorLines.last
          == "error: delete 8 documents and the history of 1 run?: nobody can be asked; add --yes")
      #expect(try await world.workload("setup", "--dry-run").code == 1)
      #expect(try await world.info().state.created == before.created)
      let forced = try await world.workload("setup", "--force", "--yes", "-t", "4")
      #expect(forced.code == 0, "\(forced)")
      #expect(
        forced.errorLines.last
          == "warning: --update-per-run 10 is more than there are: each run updates all 4", "\(forced)")
      let after = try await world.info("--verify")
      #expect(after.state.total == 4 && after.state.updates == 4 && after.state.runs == 0)
      #expect(after.history?.isEmpty == true && after.verification?.faults == [])
    }
  }

  @Test("it goes on for ever with -c, until it is told to stop")
  func continuous() async throws {
    try await World.with { world in
      #expect(try await world.workload("setup", "-t", "10", "-u", "3").code == 0)
      let call = try world.start(["workload", "execute", world.store, "-c", "0.05", "--json"])
      try await until("three runs are over") { call.stdout.split(separator: "\n").count >= 3 }
      call.signal(SIGTERM)
      let answer = await call.answer()
      // In a run it was interrupted, in a pause it was through.
      #expect(answer.code == 0 || answer.code == 6, "\(answer)")
      let runs = try answer.lines.map {
        try #require(try JSONDecoder.snake.decode(WorkloadReport.self, from: Data($0.utf8)).run)
      }
      #expect(runs.map(\.run) == Array(1...runs.count))
      for (run, next) in zip(runs, runs.dropFirst()) { #expect(next.start == (run.start + 3) % 10) }
      #expect(answer.errorLines.first == "Sleeping 0.05 seconds before next run 1")
      #expect(try await world.info("--verify").verification?.faults == [])
    }
  }

  @Test("with -c it goes on when the database is back", arguments: TestStore.servers)
  func outage(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      #expect(try await world.workload("setup", "-t", "10", "-u", "3").code == 0)
      let port = try #require(world.url.port)
      let proxy = try CuttingProxy(host: try #require(world.url.host), port: port)
      defer { proxy.stop() }
      let there = try world.url.unencrypted(port: proxy.port).textWithPassword
      let call = try world.start(["workload", "execute", there, "-c", "0.05", "--json"])
      try await until("a run is over") { call.stdout.contains("\n") }
      // Nobody listens there.
      proxy.goOn(to: 1)
      proxy.cut(at: "COMMIT")
      try await until("it says so") { call.stderr.contains("nothing was updated") }
      let count = call.stdout.split(separator: "\n").count
      proxy.goOn(to: port)
      try await until("it goes on") { call.stdout.split(separator: "\n").count >= count + 2 }
      call.signal(SIGTERM)
      let answer = await call.answer()
      #expect(answer.code == 0 || answer.code == 6, "\(answer)")
      world.expectNoPassword(answer)
      #expect(try await world.info("--verify").verification?.faults == [])
    }
  }

  @Test("a tag of the configuration stands for a database", arguments: TestStore.servers)
  func tag(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try world.write("eventor.yaml", "databases: {changing: \"\(world.store)\"}\n")
      for verb in ["setup", "execute", "info"] {
        let answer = try await world.run("workload", verb, "changing")
        #expect(answer.code == 0, "\(answer)")
        #expect(answer.stderr.isEmpty, "\(answer)")
        world.expectNoPassword(answer)
      }
      let typed = try await world.run("workload", "info", world.store)
      #expect(typed.errorLines.first?.hasPrefix("warning: the password in the URL shows") == true)
      let near = try await world.run("workload", "info", "changin")
      #expect(near.code == 2 && near.stderr.contains("did you mean 'changing'?"), "\(near)")
    }
  }

  @Test(
    "bad input is refused, and nothing is made",
    arguments: [
      (["setup", "DB", "-t", "0"], 2, "total 0: "), (["setup", "DB", "-t", "-3"], 2, "total -3: "),
      (["setup", "DB", "--size", "0"], 2, "size 0: "), (["setup", "DB", "-s", "1e3"], 2, "1e3"),
      (["setup", "DB", "-u", "0"], 2, "update-per-run 0: "),
      (["setup", "DB", "-t", "99999999999999999999"], 2, "99999999999999999999"),
      (["setup", "DB", "--compressible", "101"], 2, "compressible 101: "), (["setup"], 2, "database"),
      (["setup", "DB", "--timeout", "5s"], 2, "--wait"),
      (["setup", "DB", "--wait", "--timeout", "x"], 2, "x"),
      (["execute", "DB", "-c", "0"], 2, "--continuous 0"),
      (["execute", "DB", "-c", "-1"], 2, "--continuous -1"),
      (["execute", "DB"], 3, "did you run `coordinator workload setup` first?"),
      (["info", "DB"], 3, "did you run `coordinator workload setup` first?"),
      (["info", "DB", "--verify"], 3, "did you run `coordinator workload setup` first?"),
      (["setup", "http://u:geheim@h/db"], 2, "unknown kind of store http:"),
      (["setup", "sqlite:no/such/directory/x.db"], 4, "no/such/directory"),
      (["execute", "postgresql://u:geheim@127.0.0.1:1/db"], 4, "127.0.0.1"),
      (["setup", "mysql://u:geheim@127.0.0.1:1/db", "--force", "--yes"], 4, "127.0.0.1"),
    ] as [([String], Int32, String)])
  func badInput(arguments: [String], code: Int32, text: String) async throws {
    try await World.with { world in
      let words = arguments.map { $0 == "DB" ? "sqlite:\(world.path("fresh.db"))" : $0 }
      let answer = try await world.start(["workload"] + words).answer()
      #expect(answer.code == code, "\(answer)")
      #expect(answer.stdout.isEmpty, "\(answer)")
      #expect(answer.errorLines.contains { $0.hasPrefix("error: ") && $0.contains(text) }, "\(answer)")
      #expect(!answer.stderr.contains("geheim"), "\(answer)")
      #expect(!world.exists("fresh.db"))
    }
  }

  @Test("a bar shows the progress of a long set-up on a terminal, and nowhere else")
  func bar() async throws {
    try await World.with { world in
      let words = ["workload", "setup", world.store, "-t", "9000", "-s", "20", "--fill"]
      let plain = try await world.start(words).answer()
      #expect(plain.code == 0 && plain.stderr.isEmpty, "\(plain)")
      let terminal = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
      let call = try Call(
        command: ["python3", "-c", terminal, Executable.path], arguments: words + ["--force", "--yes"],
        environment: [
          "PATH": "/usr/bin:/bin", "HOME": world.path("home"), "LANG": "C.UTF-8", "NO_COLOR": "1",
          "COMMAND_TEST": world.directory,
        ],
        directory: world.directory, stdin: "")
      let shown = await call.answer()
      #expect(shown.code == 0, "\(shown)")
      #expect(shown.stdout.contains("\rmaking documents ━━━"), "\(shown)")
      #expect(shown.stdout.contains(" 22% 2000/9000 "), "\(shown)")
      #expect(shown.stdout.contains("\r\u{1B}[KSaved configuration:"), "\(shown)")
    }
  }
}

extension JSONDecoder {
  fileprivate static var snake: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return decoder
  }
}
