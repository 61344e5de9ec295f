import Foundation
import Glibc
import TestSupport
import Testing

extension World {
  /// Starts a program of the probe: `program` and what is to be done with it.
  func probe(_ arguments: [String], env: [String: String] = [:], file: String = Executable.probe) throws
    -> Call
  {
    try start(arguments, env: env, executable: file)
  }

  /// Runs a program of the probe as run `r` to its end, and reads its report.
  func act(
    _ program: String, _ what: String, exit: Int32, env: [String: String] = [:],
    from place: SourceLocation = #_sourceLocation
  ) async throws -> Report {
    let words = [program, "run", "--run-id", "r", "--json", "--quiet", "--param", "what=\(what)"]
    let answer = try await probe(words, env: env).answer(from: place)
    #expect(answer.code == exit, "\(answer)", sourceLocation: place)
    return try answer.decoded(as: Report.self, from: place)
  }
}

@Suite("Programs in Swift, run by themselves")
struct SwiftProgramTests {
  static let programs = ["acts", "child-acts"]

  @Test("a function's result, its log and who it is", arguments: programs)
  func result(program: String) async throws {
    try await World.with { world in
      let report = try await world.act(program, "result", exit: 0)
      #expect(report["act"]?.result == .array([.string("act"), .string("1"), .string("1"), .string("0")]))
      #expect(report["act"]?.exitCode == 0)
      let log = try await world.run("logs", "r", "act")
      #expect(log.stdout.contains("acting what=result"), "\(log)")
    }
  }

  @Test("a thrown error is recorded in its own words", arguments: programs)
  func failure(program: String) async throws {
    try await World.with { world in
      let report = try await world.act(program, "throw", exit: 1)
      #expect(report["act"]?.message == "it is wrong, and “quoted”")
      #expect(report["act"]?.exitCode == 1)
    }
  }

  @Test("a failure may have an exit code, which the command hands on", arguments: programs)
  func exitCode(program: String) async throws {
    try await World.with { world in
      let answer = try await world.probe(
        [program, "run", "--param", "what=exit", "--exit-code-from", "act"]
      ).answer()
      #expect(answer.code == 42, "\(answer)")
      #expect(answer.stdout.contains("a code of its own"), "\(answer)")
    }
  }

  @Test("a trap in a process of its own is a failure with its signal, and harms nobody else")
  func trap() async throws {
    try await World.with { world in
      let report = try await world.act("child-acts", "trap", exit: 1)
      let signal = try #require(report["act"]?.signal)
      #expect(["SIGILL", "SIGTRAP"].contains(signal))
      #expect(report["act"]?.status == "failure")
    }
  }

  @Test(
    "a trap in the program itself ends it; the run is gone on with, and recovered", arguments: [true, false])
  func ownTrap(continues: Bool) async throws {
    try await World.with { world in
      let words = ["acts", "run", "--run-id", "r", "--param", "what=trap"]
      #expect(try await world.probe(words).answer().code > 128)
      if continues {
        // It is lost, and run again: as a trap is no matter of luck, until it is lost for good.
        let again = ["acts", "run", "--continue", "--run-id", "r"]
        for _ in 0..<3 { #expect(try await world.probe(again).answer().code > 128) }
        #expect(try await world.probe(again).answer().code == 1)
        let report = try await world.report("status", "r")
        #expect(report["act"]?.status == "failure")
        #expect(report["act"]?.message?.contains("lost") == true, "\(report)")
      } else {
        let answer = try await world.probe(["acts", "recover", "r", "--param", "what=result"]).answer()
        #expect(answer.code == 0, "\(answer)")
        #expect(try await world.report("status", "r").run.recovery == 1)
      }
    }
  }

  @Test("cancelling reaches the function, which may clean up", arguments: programs)
  func cancelling(program: String) async throws {
    try await World.with { world in
      let call = try world.probe([program, "run", "--run-id", "r", "--param", "what=wait"])
      try await world.file("waiting")
      #expect(try await world.run("cancel", "r").code == 0)
      #expect(await call.answer().code == 6)
      #expect(world.exists("cancelled"))
      #expect(try await world.report("status", "r")["act"]?.status == "cancelled")
    }
  }

  @Test("a child that heeds nothing is killed in the end")
  func deaf() async throws {
    try await World.with { world in
      let call = try world.probe(["child-acts", "run", "--run-id", "r", "--param", "what=deaf"])
      try await world.file("waiting")
      #expect(try await world.run("cancel", "r").code == 0)
      #expect(await call.answer().code == 6)
    }
  }

  @Test("who gives no sign of life for longer than its heartbeat has failed", arguments: programs)
  func silence(program: String) async throws {
    try await World.with { world in
      let report = try await world.act(program, "silence", exit: 1)
      #expect(report["act"]?.message?.contains("gave no sign of life for 8s") == true, "\(report)")
    }
  }

  @Test("a function triggers events, in its own sequence and in others", arguments: programs)
  func triggers(program: String) async throws {
    try await World.with { world in
      let report = try await world.act(program, "trigger", exit: 0)
      #expect(report.raised == ["raised/1", "raised/other"])
      #expect(report.statuses["after/other"] == "success" && report.statuses["after/1"] == "success")
    }
  }

  @Test("a secret is there for a function in process, and never shown")
  func secrets() async throws {
    try await World.with { world in
      let report = try await world.act("acts", "secret", exit: 0, env: ["EVENTOR_PARAM_TOLD": "hush-hush"])
      #expect(report["act"]?.result == .string("***"))
      #expect(report.run.parameters["told"] != .string("hush-hush"))
    }
    try await World.with { world in
      let report = try await world.act(
        "child-acts", "secret", exit: 1, env: ["EVENTOR_PARAM_TOLD": "hush-hush"])
      #expect(report["act"]?.message?.contains("is not in this process") == true, "\(report)")
    }
  }

  @Test("a result that is too large is a failure that says so", arguments: programs)
  func huge(program: String) async throws {
    try await World.with { world in
      let report = try await world.act(program, "huge", exit: 1)
      #expect(report["act"]?.message?.contains("larger than 1 MiB") == true)
    }
  }

  @Test("a step that outlives its program is gone on with, and its result is not lost")
  func outliving() async throws {
    try await World.with { world in
      let first = try world.probe(["watched", "run", "--run-id", "r"])
      try await world.status { $0["slow"]?.note == "half of it" }
      await first.kill()
      let second = try world.probe(["watched", "run", "--continue", "--run-id", "r", "--json"])
      try world.write("go", "")
      let answer = await second.answer()
      #expect(answer.code == 0, "\(answer)")
      let report = try answer.decoded(as: Report.self)
      #expect(report["slow"]?.attempt == 1 && report["slow"]?.result == .integer(1))
      #expect(report["next"]?.result == .integer(2))
    }
  }

  @Test("the command names programs, mistakes and options that make no sense")
  func usage() async throws {
    try await World.with { world in
      let wrong = try await world.probe(["nonsense", "run"]).answer()
      #expect(wrong.code == 2 && wrong.stderr.contains("no program 'nonsense'"), "\(wrong)")
      let broken = try await world.probe(["broken", "validate"]).answer()
      #expect(broken.code == 2 && broken.stderr.contains("twice"), "\(broken)")
      let run = try await world.probe(["broken", "run"]).answer()
      #expect(run.code == 2 && run.stderr.contains("twice"), "\(run)")
      let sound = try await world.probe(["seed", "validate", "--json"]).answer()
      #expect(sound.code == 0 && sound.stdout.contains("\"ok\": true"), "\(sound)")
      let graph = try await world.probe(["seed", "graph", "--format", "dot"]).answer()
      #expect(graph.code == 0 && graph.stdout.contains("s12"), "\(graph)")
      let step = try await world.probe(["seed", "run", "--exit-code-from", "s4"]).answer()
      #expect(step.code == 2, "\(step)")
      let entry = try await world.probe(["--eventor-step", world.path("missing")]).answer()
      #expect(entry.code == 70 && entry.stderr.contains("missing"), "\(entry)")
    }
  }
}

extension Report {
  /// What the first task that has failed says; others may have been cancelled for it.
  fileprivate var firstFailure: String? { tasks.first { $0.status == "failure" }?.message }
}

@Suite("Programs in Swift on many hosts")
struct SwiftClusterTests {
  @Test("the seed's example runs on three agents, each step where it belongs", arguments: TestStore.all)
  func seed(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      for host in ["s1", "s2", "s3"] { try await world.agent(host) }
      let answer = try await world.probe(["seed", "submit", "--run-id", "r", "--wait", "--json"]).answer()
      #expect(answer.code == 0, "\(answer)")
      let report = try answer.decoded(as: Report.self)
      #expect(
        report["s11"]?.result == .string("prog11 on s1") && report["s12"]?.result == .string("prog12 on s2"))
      #expect(report["s2"]?.result == .string("prog2 on s2"))
      #expect(report["s3"]?.result == .string("prog3 after prog2 on s2"))
      #expect(report.tasks.count == 4 && report.tasks.allSatisfy { $0.attempt == 1 })
      let log = try await world.run("logs", "r", "s2")
      #expect(log.stdout.contains("doing what prog2 is doing"), "\(log)")
    }
  }

  @Test(
    "what a running step says of itself is shown, and a killed agent's step is gone on with",
    arguments: TestStore.all)
  func watched(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let agent = try await world.agent("s1", World.shortLocks)
      try await world.agent("s2", World.shortLocks)
      #expect(try await world.probe(["watched", "submit", "--run-id", "r"]).answer().code == 0)
      let report = try await world.status { $0["slow"]?.note == "half of it" }
      #expect(report["slow"]?.progress == 0.5)
      let shown = try await world.run("status", "r")
      #expect(shown.stdout.contains("50 %: half of it"), "\(shown)")
      await agent.kill()
      try await world.agent("s1", World.shortLocks)
      try world.write("go", "")
      let end = try await world.wait()
      #expect(end["slow"]?.attempt == 1 && end["slow"]?.result == .integer(1))
      #expect(end["next"]?.result == .integer(2))
    }
  }

  @Test("another build of the program is refused, with both digests; the same one elsewhere is found")
  func digests() async throws {
    try await World.with { world in
      try await world.agent("s1")
      try await world.agent("s2")
      let other = world.path("other")
      // By another process: what this one has open for writing, a process that is started meanwhile has too for a moment,
      // and a file that is open for writing can't be started.
      let copy = try Process.run(URL(fileURLWithPath: "/bin/cp"), arguments: [Executable.probe, other])
      copy.waitUntilExit()
      try #require(copy.terminationStatus == 0)
      let same = try await world.probe(["seed", "submit", "--wait", "--installed-at", other]).answer()
      #expect(same.code == 0, "\(same)")
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: other))
      try file.seekToEnd()
      try file.write(contentsOf: Data("another build".utf8))
      try file.close()
      let answer = try await world.probe(
        ["seed", "submit", "--run-id", "r", "--wait", "--json", "--installed-at", other]
      ).answer()
      #expect(answer.code == 1, "\(answer)")
      let message = try #require(try answer.decoded(as: Report.self).firstFailure)
      #expect(message.contains("another build") && message.ranges(of: "sha256:").count == 2, "\(message)")
      let missing = try await world.probe(
        ["seed", "submit", "--run-id", "m", "--wait", "--json", "--installed-at", world.path("nowhere")]
      ).answer()
      #expect(missing.code == 1, "\(missing)")
      #expect(
        try missing.decoded(as: Report.self).firstFailure?.contains("can't be read on this host") == true)
    }
  }

  @Test("a program that is registered is submitted by name, from anywhere", arguments: TestStore.servers)
  func registered(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.agent("s1")
      try await world.agent("s2")
      let answer = try await world.probe(["seed", "register"]).answer()
      #expect(answer.code == 0, "\(answer)")
      let run = try await world.run("submit", "seed", "--wait", "--run-id", "r")
      #expect(run.code == 0, "\(run)")
    }
  }

  @Test("a run that its program drives can't be taken over by agents, and says so")
  func foreign() async throws {
    try await World.with { world in
      try await world.agent("s1")
      try await world.agent("s2")
      #expect(try await world.probe(["seed", "run", "--run-id", "r"]).answer().code == 0)
      let answer = try await world.run("rerun", "r", "--step", "s11", "--submit", "--wait", "--json")
      #expect(answer.code == 1, "\(answer)")
      let report = try answer.decoded(as: Report.self)
      // s12 is repeated, so s2 is ready at once too: whichever agent is first, the other's step is not started any more.
      #expect(report.firstFailure?.contains("by that program") == true, "\(report)")
    }
  }
}
