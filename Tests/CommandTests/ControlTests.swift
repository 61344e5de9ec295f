import Foundation
import Glibc
import TestSupport
import Testing

@Suite("Runs are controlled from another process")
struct ControlTests {
  static let byHand = """
    program: by-hand
    events: {go_by_hand: {external: true}, other: {external: true}}
    steps:
      a: {run: ["true"]}
      b: {on: go_by_hand, shell: echo $EVENTOR_STEP_SEQUENCE >> order}
    """

  @Test(
    "trigger raises an event once per sequence, and reopens a run that ended well", arguments: TestStore.all)
  func trigger(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.byHand) { world in
      _ = try await world.finish()
      let first = try await world.run("trigger", "r", "go_by_hand")
      #expect(first.code == 0, "\(first)")
      #expect(first.stdout == "triggered go_by_hand\n")
      #expect(try await world.report("status", "r").run.status == "running")
      let second = try await world.run("trigger", "r", "go_by_hand")
      #expect(second.code == 0, "\(second)")
      #expect(second.stdout.contains("before"), "\(second)")
      let elsewhere = try await world.run("trigger", "r", "go_by_hand", "--sequence", "two")
      #expect(elsewhere.stdout == "triggered go_by_hand in sequence two\n", "\(elsewhere)")
      let json = try await world.report("trigger", "r", "other", exit: 0)
      #expect(json.raised == ["go_by_hand/1", "go_by_hand/two", "other/1"])
      let report = try await world.report(
        "run", world.program, "--continue", "--run-id", "r", "--quiet", exit: 0)
      #expect(world.lines("order").sorted() == ["1", "two"])
      #expect(report.run.recovery == 0)
      try await world.expectConsistency()
    }
  }

  @Test("trigger names the nearest event, refuses failed runs, unknown runs and bad sequences")
  func refusedTriggers() async throws {
    let program = """
      program: failing
      events: {go_by_hand: {external: true}}
      steps: {a: {run: ["false"]}, b: {on: go_by_hand}}
      """
    try await World.with(program: program) { world in
      _ = try await world.finish(exit: 1)
      let unknown = try await world.run("trigger", "r", "go_by_hnd")
      #expect(unknown.code == 2, "\(unknown)")
      #expect(unknown.stderr.contains("did you mean 'go_by_hand'?"), "\(unknown)")
      let failed = try await world.run("trigger", "r", "go_by_hand")
      #expect(failed.code == 1, "\(failed)")
      #expect(failed.stderr.contains("coordinator recover r"), "\(failed)")
      #expect(failed.errorLines.count == 1)
      let stranger = try await world.run("trigger", "nix", "go_by_hand")
      #expect(stranger.code == 3, "\(stranger)")
    }
  }

  @Test("trigger takes no sequence that no loop has and none that is no name")
  func badSequences() async throws {
    try await World.with(program: Self.byHand) { world in
      _ = try await world.finish()
      for sequence in ["1/7", "1/", "/", "", "a b", String(repeating: "x", count: 65)] {
        let answer = try await world.run("trigger", "r", "go_by_hand", "--sequence", sequence)
        #expect(answer.code == 2, "sequence '\(sequence)': \(answer)")
      }
      let report = try await world.report("status", "r")
      #expect(report.run.status == "success")
      #expect(report.raised.isEmpty)
    }
  }

  /// A step that ignores SIGTERM, with a child of its own in another session that ignores it too.
  static let stubborn = """
    program: stubborn
    steps:
      a:
        shell: |
          trap '' TERM
          (setsid sh -c 'echo $$ > child; while :; do sleep 0.1; done' &) &
          echo $$ > parent
          while :; do sleep 0.1; done
        kill_after: 0.5
      b: {after: [a]}
    """

  @Test(
    "cancel ends a step that ignores SIGTERM, and its children in other sessions", arguments: TestStore.all)
  func cancel(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.stubborn) { world in
      let call = try world.begin("--json")
      try await until("the step and its child run") {
        !world.lines("parent").isEmpty && !world.lines("child").isEmpty
      }
      let cancel = try await world.run("cancel", "r")
      #expect(cancel.code == 0, "\(cancel)")
      let answer = await call.answer()
      #expect(answer.code == 6, "\(answer)")
      let report = try answer.decoded(as: Report.self)
      #expect(report.run.status == "cancelled")
      #expect(report["a"]?.status == "cancelled")
      #expect(report["a"]?.signal == "SIGKILL")
      #expect(report["b"] == nil)
      let pids = (world.lines("parent") + world.lines("child")).compactMap { pid_t($0) }
      #expect(pids.count == 2)
      try await until("the step's processes are gone") { pids.allSatisfy { kill($0, 0) != 0 } }
      try await until("nothing of the run is left") { Leftovers(mark: world.mark).pids.isEmpty }
      let again = try await world.run("cancel", "r")
      #expect(again.code == 1, "\(again)")
      try await world.expectConsistency()
    }
  }

  @Test("a step that heeds SIGTERM has the time to clean up")
  func politeCancel() async throws {
    let program = """
      program: polite
      steps:
        a:
          shell: |
            trap 'echo cleaned > cleaned; exit 0' TERM
            echo > started
            while :; do sleep 0.1; done
      """
    try await World.with(program: program) { world in
      let call = try world.begin("--json")
      try await world.file("started")
      try await world.run("cancel", "r")
      let answer = await call.answer()
      #expect(answer.code == 6, "\(answer)")
      #expect(world.exists("cleaned"))
      #expect(try answer.decoded(as: Report.self)["a"]?.status == "cancelled")
    }
  }

  @Test("a run that nobody works on any more is cancelled, with what it left running")
  func cancelOfAKilledRun() async throws {
    try await World.with(program: Self.stubborn) { world in
      let call = try world.begin()
      try await until("the step and its child run") {
        !world.lines("parent").isEmpty && !world.lines("child").isEmpty
      }
      call.signal(SIGKILL)
      _ = await call.answer()
      let cancel = try await world.report("cancel", "r", exit: 0)
      #expect(cancel.run.status == "cancelled")
      try await until("nothing of the run is left") { Leftovers(mark: world.mark).pids.isEmpty }
    }
  }

  @Test("pause starts nothing more until resume", arguments: TestStore.all)
  func pause(kind: TestStore.Kind) async throws {
    let program = """
      program: paused
      steps:
        a: {shell: "until [ -e go ]; do sleep 0.05; done; echo a >> order"}
        b: {after: [a], shell: echo b >> order}
      """
    try await World.with(kind, program: program) { world in
      let call = try world.begin()
      try await world.status(until: { $0["a"]?.status == "running" })
      let pause = try await world.run("pause", "r")
      #expect(pause.stdout == "paused r\n", "\(pause)")
      try world.write("go", "")
      let paused = try await world.status(until: { $0["a"]?.status == "success" })
      #expect(paused.run.status == "paused")
      #expect(paused["b"]?.status == "ready")
      let twice = try await world.run("pause", "r")
      #expect(twice.code == 0, "\(twice)")
      #expect(!call.isOver)
      #expect(world.lines("order") == ["a"])
      let resume = try await world.run("resume", "r")
      #expect(resume.stdout == "resumed r\n", "\(resume)")
      #expect(await call.answer().code == 0)
      #expect(world.lines("order") == ["a", "b"])
      let late = try await world.run("pause", "r")
      #expect(late.code == 1, "\(late)")
    }
  }

  @Test("wait ends with the run's exit code, a step's, or 7", arguments: TestStore.all)
  func wait(kind: TestStore.Kind) async throws {
    let program = """
      program: waited
      events: {a_failed: {}}
      steps: {a: {shell: "until [ -e go ]; do sleep 0.05; done; exit 5"}}
      """
    try await World.with(kind, program: program) { world in
      let call = try world.begin()
      try await world.status(until: { $0["a"]?.status == "running" })
      let late = try await world.run("wait", "r", "--timeout", "0.2")
      #expect(late.code == 7, "\(late)")
      #expect(late.stderr.contains("coordinator why r"), "\(late)")
      let json = try await world.run("wait", "latest", "--timeout", "0.1", "--json")
      #expect(json.code == 7)
      #expect(try json.decoded(as: Report.self).run.status == "running")
      let waiting = try world.start(["wait", "r", "--exit-code-from", "a"])
      try world.write("go", "")
      #expect(await call.answer().code == 1)
      let answer = await waiting.answer()
      #expect(answer.code == 5, "\(answer)")
      #expect(answer.stdout.contains("failure"))
      #expect(try await world.run("wait", "r").code == 1)
      let bad = try await world.run("wait", "r", "--timeout", "soon")
      #expect(bad.code == 2, "\(bad)")
    }
  }
}
