import TestSupport
import Testing

@Suite("Runs are driven in slices")
struct SliceTests {
  static let program = """
    program: slices
    events: {go: {}, later: {}}
    steps:
      a: {on: go, shell: echo a >> order}
      b: {on: later, shell: echo b >> order}
    associations: [{event: go, to: [later], delay: 8s}]
    """

  @Test("a slice does what has matured and ends with 8; another goes on", arguments: TestStore.all)
  func slices(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.program) { world in
      let first = try await world.finish("--max-loops", "1", exit: 8)
      #expect(first.run.status == "running")
      #expect(first.statuses == ["a/1": "success"])
      #expect(world.lines("order") == ["a"])
      let due = try #require(first.run.waitingFor.first)
      #expect(due.contains("delayed until"), "\(due)")
      var last = first
      for _ in 0..<2000 where last.run.status == "running" {
        last = try await world.report(
          "run", world.program, "--continue", "--run-id", "r", "--max-loops", "1", "--quiet")
      }
      #expect(last.run.status == "success")
      #expect(world.lines("order") == ["a", "b"])
      #expect(last.raised == ["go/1", "later/1"])
      try await world.expectConsistency()
    }
  }

  @Test("--continue without an id takes the newest run that is not over")
  func newest() async throws {
    try await World.with(program: Self.program) { world in
      _ = try await world.finish("--max-loops", "1", exit: 8)
      let answer = try await world.run("run", world.program, "--continue", "--json")
      #expect(answer.code == 0, "\(answer)")
      #expect(try answer.decoded(as: Report.self).run.id == "r")
    }
  }

  @Test("--continue needs a run to go on with")
  func nothingToContinue() async throws {
    try await World.with(program: Self.program) { world in
      let none = try await world.run("run", world.program, "--continue")
      #expect(none.code == 3, "\(none)")
      #expect(none.errorLines.count == 1)
      let unknown = try await world.run("run", world.program, "--continue", "--run-id", "nix")
      #expect(unknown.code == 3, "\(unknown)")
      let zero = try await world.run("run", world.program, "--max-loops", "0")
      #expect(zero.code == 2, "\(zero)")
    }
  }

  @Test("several passes work off what matures one after the other, and the end is the run's")
  func passes() async throws {
    try await World.with(program: Self.program) { world in
      let report = try await world.finish("--max-loops", "1000", exit: 0)
      #expect(report.run.status == "success")
      let over = try await world.report("run", world.program, "--continue", "--run-id", "r", exit: 0)
      #expect(over == report)
    }
  }
}
