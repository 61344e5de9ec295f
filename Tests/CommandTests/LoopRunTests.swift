import Database
import Foundation
import Glibc
import TestSupport
import Testing

/// What `loop run --json` prints.
private struct RunTally: Decodable, Equatable {
  let loop: String
  let batches: Int
  let updated: Int
  let failedBatches: Int
  let failed: Int
}

@Suite("coordinator loop run")
struct LoopRunTests {
  /// Adds `count` ids to a new loop `l`.
  private func fill(_ world: World, _ count: Int) async throws {
    try await world.run("loop", "create", "l")
    try await world.run("loop", "add", "l", "-", stdin: (1...count).map { "\($0)\n" }.joined())
  }

  private func noLocks(_ world: World) async throws {
    for _ in 0..<600 {
      if try await world.run("loop", "stats", "l", "--json").stdout.contains("\"locked\": 0") { return }
      try await Task.sleep(for: .milliseconds(100))
    }
    Issue.record("there are locks that do not end")
  }

  @Test("runs the command with each batch until none is left", arguments: TestStore.all)
  func all(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await fill(world, 25)
      let answer = try await world.run(
        "loop", "run", "l", "--batch", "10", "--json", "--", "sh", "-c",
        "cat >> seen; echo >> batches; echo out")
      #expect(answer.code == 0, "\(answer)")
      let tally = try answer.decoded(as: RunTally.self)
      #expect(tally == RunTally(loop: "l", batches: 3, updated: 25, failedBatches: 0, failed: 0))
      #expect(answer.stderr == "out\nout\nout\n", "\(answer)")
      #expect(world.lines("seen").sorted() == (1...25).map(String.init).sorted())
      #expect(try world.text("batches").count == 3)
      let again = try await world.run("loop", "run", "l", "--batch", "10", "--", "sh", "-c", "cat >> seen")
      #expect(again.code == 0 && again.stderr == "updated 0 ids in 0 batches\n", "\(again)")
      let eager = try await world.run(
        "loop", "run", "l", "--batch", "30", "--min-loop-time", "0", "--format", "jsonl", "--", "sh", "-c",
        "cat > json; exit 1")
      #expect(eager.code == 1, "\(eager)")
      #expect(world.lines("json").count == 25)
    }
  }

  @Test(
    "several workers run their commands at the same time, and are stopped together", arguments: TestStore.all)
  func workers(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await fill(world, 24)
      // Each waits until it has seen two more of its kind.
      let answer = try await world.run(
        "loop", "run", "l", "--batch", "2", "--workers", "3", "--json", "--", "sh", "-c",
        """
        touch here.$$; n=0
        while [ $(ls here.* | wc -l) -lt 3 ]; do n=$((n+1)); [ $n -lt 3000 ] || exit 1; sleep 0.02; done
        cat > part.$$; cat part.$$ >> seen
        """,
      )
      #expect(answer.code == 0, "\(answer)")
      let tally = try answer.decoded(as: RunTally.self)
      #expect(tally.updated == 24 && tally.batches >= 12 && tally.failed == 0, "\(tally)")
      #expect(world.lines("seen").sorted() == (1...24).map(String.init).sorted())
      #expect(try await world.run("loop", "stats", "l", "--json").stdout.contains("\"locked\": 0"))

      let call = try world.start([
        "loop", "run", "l", "--batch", "2", "--workers", "3", "--min-loop-time", "0", "--", "sh", "-c",
        "touch began.$$; sleep 600",
      ])
      try await until("all have begun") {
        let names = try? FileManager.default.contentsOfDirectory(atPath: world.path("."))
        return names?.count { $0.hasPrefix("began.") } == 3
      }
      call.signal(SIGTERM)
      try await until("it says so") { call.stderr.contains("finishing the batches; once more to stop them") }
      call.signal(SIGTERM)
      #expect(await call.answer().code == 6)
      for wrong in ["0", "-1", "257"] {
        let refused = try await world.run(
          "loop", "run", "l", "--batch", "2", "--workers", wrong, "--", "true")
        #expect(
          refused.code == 2 && refused.stderr.hasPrefix("error: --workers \(wrong); from 1 to 256 "),
          "\(refused)")
      }
    }
  }

  @Test("a batch that fails stays locked; the exit code tells", arguments: TestStore.all)
  func failing(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await fill(world, 6)
      let failing = ["--", "sh", "-c", "if grep -qx 3; then exit 5; fi"]
      let answer = try await world.start(["loop", "run", "l", "--batch", "2"] + failing).answer()
      #expect(answer.code == 1, "\(answer)")
      #expect(answer.stderr.contains("the command ended with exit code 5\n"), "\(answer)")
      #expect(answer.stderr.contains("a batch of 2 failed; its ids stay locked until --lock-for is over\n"))
      #expect(answer.stderr.hasSuffix("updated 4 ids in 3 batches, 2 failed\n"), "\(answer)")
      let stats = try await world.run("loop", "stats", "l", "--json")
      #expect(stats.stdout.contains("\"locked\": 2"), "\(stats)")
      try await world.run("loop", "unlock", "l", "3", "4")
      let unlocking = try await world.start(
        ["loop", "run", "l", "--batch", "9", "--unlock-on-failure", "--quiet"] + failing
      ).answer()
      #expect(unlocking.code == 1 && unlocking.stderr.isEmpty, "\(unlocking)")
      let free = try await world.run("loop", "stats", "l", "--json")
      #expect(free.stdout.contains("\"locked\": 0"), "\(free)")
    }
  }

  @Test("a command that is not there leaves nothing locked")
  func missing() async throws {
    try await World.with { world in
      try await fill(world, 3)
      let answer = try await world.run("loop", "run", "l", "--batch", "2", "--", "/nix/nix")
      #expect(answer.code == 2, "\(answer)")
      #expect(answer.stderr.hasPrefix("error: can't run /nix/nix: No such file or directory; "), "\(answer)")
      #expect(try await world.run("loop", "get", "l", "9").lines.count == 3)
    }
  }

  @Test("the command sees none of our settings, nor the password", arguments: TestStore.all)
  func environment(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await fill(world, 1)
      // The store is known by the environment alone, as is an option.
      let answer = try await world.run(
        "loop", "run", "l", "--batch", "2", "--", "sh", "-c", "env",
        env: ["EVENTOR_LOCK_FOR": "2h", "MYSQL_PWD": "hidden", "PGPASSWORD": "hidden", "KEPT": "kept"])
      #expect(answer.code == 0, "\(answer)")
      #expect(answer.lines.contains("KEPT=kept") && answer.lines.contains("EVENTOR_LOOP_NAME=l"), "\(answer)")
      #expect(answer.lines.filter { $0.hasPrefix("EVENTOR_") }.count == 1, "\(answer)")
      #expect(!answer.stdout.contains("hidden"))
      if let password = world.url.password { #expect(!answer.stdout.contains(password)) }
    }
  }

  @Test(
    "SIGTERM lets the batch end, marks it and takes no other; an idle worker ends at once",
    arguments: TestStore.all)
  func terminated(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await fill(world, 20)
      let call = try world.start([
        "loop", "run", "l", "--batch", "5", "--forever", "--poll", "1h", "--json", "--", "sh", "-c",
        "cat >> seen; touch began; while ! test -e go; do sleep 0.02; done",
      ])
      try await world.file("began")
      call.signal(SIGTERM)
      try await until("it says so") { call.stderr.contains("finishing the batch; once more to stop it") }
      try world.write("go", "")
      let answer = await call.answer()
      #expect(answer.code == 0, "\(answer)")
      #expect(try answer.decoded(as: RunTally.self).updated == 5)
      #expect(world.lines("seen").count == 5)
      #expect(try await world.run("loop", "stats", "l", "--json").stdout.contains("\"locked\": 0"))

      let idle = try world.start([
        "loop", "run", "l", "--batch", "50", "--forever", "--poll", "1h", "--", "sh", "-c", "cat >> rest",
      ])
      try await until("the rest is worked") { world.lines("rest").count == 15 }
      idle.signal(SIGINT)
      #expect(await idle.answer().code == 0)
      #expect(try await world.run("loop", "stats", "l", "--json").stdout.contains("\"locked\": 0"))
    }
  }

  @Test("a second signal stops the command, whose ids stay locked")
  func cancelled() async throws {
    try await World.with { world in
      try await fill(world, 3)
      let call = try world.start([
        "loop", "run", "l", "--batch", "2", "--", "sh", "-c", "cat > seen; touch began; sleep 600",
      ])
      try await world.file("began")
      call.signal(SIGINT)
      try await until("it says so") { call.stderr.contains("once more to stop it") }
      call.signal(SIGINT)
      let answer = await call.answer()
      #expect(answer.code == 6, "\(answer)")
      #expect(answer.stderr.contains("the command ended with signal 15"), "\(answer)")
      #expect(try await world.run("loop", "stats", "l", "--json").stdout.contains("\"locked\": 2"))
    }
  }

  @Test("workers killed at random: every id gets its update once its lock is over", arguments: TestStore.all)
  func killed(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await fill(world, 120)
      let words = [
        "loop", "run", "l", "--batch", "5", "--lock-for", "2s", "--quiet", "--", "sh", "-c",
        "sleep 0.01; cat >> seen",
      ]
      // Killed and started again until three quarters are done.
      func start(_ index: Int) throws -> Call {
        // One of them works several batches at once.
        let together = index == 0 ? ["--workers", "3"] : []
        return try world.start(words.prefix(3) + together + words.dropFirst(3))
      }
      var workers = try (0..<3).map(start)
      for _ in 0..<60 where Set(world.lines("seen")).count < 90 {
        try await Task.sleep(for: .milliseconds(.random(in: 20...150)))
        let index = Int.random(in: workers.indices)
        workers[index].signal(SIGKILL)
        _ = await workers[index].answer()
        workers[index] = try start(index)
      }
      for worker in workers {
        worker.signal(SIGKILL)
        _ = await worker.answer()
      }
      // What they held is handed out again when its locks are over: within that time and one loop all are updated.
      try await noLocks(world)
      let last = try await world.start(words).answer()
      #expect(last.code == 0, "\(last)")
      #expect(Set(world.lines("seen")) == Set((1...120).map(String.init)))
      let rows = try await world.loopRows()
      #expect(rows.count == 120)
      #expect(rows.allSatisfy { $0[1] != .null && $0[2] == .null }, "updated, and unlocked")
    }
  }
}
