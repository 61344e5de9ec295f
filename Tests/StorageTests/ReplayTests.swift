import Database
import Engine
import Model
import Storage
import TestSupport
import Testing

@Suite("Recovery and rerun (rules 9 and 10)")
struct ReplayTests {
  struct Graph: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let text: String
    var failing: Set<String> = []
    var rerun: [String] = []
  }

  static let graphs = [
    Graph(
      testDescription: "a chain", text: "steps: {a: {}, b: {after: a}, c: {after: b}}", failing: ["b/1"],
      rerun: ["b"]),
    Graph(
      testDescription: "a diamond with policies",
      text:
        "steps: {a: {recovery: {success: rerun}}, b: {after: a}, c: {after: a, recovery: {failure: skip}}, d: {after: [b, c]}}",
      failing: ["c/1"], rerun: ["b"]),
    Graph(
      testDescription: "handled failures and expressions",
      text: """
        config: {stop_on_failure: false}
        events: {x: {}, y: {}, j: {when: x or y}, late: {}}
        associations: [{event: j, to: [late], delay: 0.000001s}]
        steps:
          a: {triggers: {success: x, failure: y}}
          b: {on: x}
          c: {on: j, recovery: {success: rerun}}
          d: {on: late}
          e: {}
          f: {after: e}
        """, failing: ["a/1", "e/1"], rerun: ["c", "e"]),
    Graph(
      testDescription: "loops",
      text: """
        config: {stop_on_failure: false}
        events: {go: {}, inner: {}, all: {}}
        steps: {s: {on: inner}, t: {after: s}, u: {on: go, recovery: {success: rerun}}, z: {on: all}}
        loops:
          o: {over: [1, 2], max_concurrent: 0, start: go, triggers: {complete: all}}
          i: {on: go, over: [1, 2, 3], start: inner}
        """, failing: ["s/1/2/2", "t/1/1/1"], rerun: ["t"]),
    Graph(
      testDescription: "foreach",
      text: "steps: {a: {}, s: {after: a, foreach: [1, 2, 3], at_once: 2}, b: {after: s}}",
      failing: ["s/1/2"], rerun: ["s"]),
  ]

  @Test("the plan is the deed", arguments: TestStore.all, graphs)
  func planIsDeed(kind: TestStore.Kind, graph: Graph) async throws {
    try await withWorld(kind) { world in
      let worker = try await world.worker()
      var rerun = ReplayRequest(kind: .rerun)
      rerun.steps = graph.rerun
      var only = rerun
      only.only = true
      for request in [ReplayRequest(kind: .recover), rerun, only] {
        let run = try await world.start(graph.text)
        try await worker.drain(run, slots: 2) {
          Outcome(graph.failing.contains($0.name) ? .failure : .success)
        }
        let plan = try await world.store.plan(request, of: run, by: "u")
        #expect(try await world.report(run).run.recovery == 0, "a plan writes nothing")
        #expect(try await world.store.replay(request, of: run, by: "u") == 1)
        try await worker.drain(run, slots: 3)
        let done = try await world.report(run)
        #expect(done.run.status.isOver)
        let planned = Dictionary(plan.map { ("\($0.step)/\($0.sequence)", $0.action == .run) }) { $1 }
        #expect(planned.count == plan.count, "each task is planned once")
        let happened = Dictionary(
          uniqueKeysWithValues: done.tasks.map { ("\($0.step)/\($0.sequence)", !$0.skipped) })
        #expect(planned == happened)
      }
      try await world.expectSound()
    }
  }

  @Test("every recovery stays readable, with its parameters and what it repeated", arguments: TestStore.all)
  func recoveries(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(
        "parameters: {x: 1}\nsteps: {a: {}, b: {after: a, run: [echo, \"${steps.a.result}\"]}}",
        parameters: ["x": .integer(1)])
      let worker = try await world.worker()
      try await worker.drain(run) { claim in
        var outcome = Outcome(claim.task.step == "b" ? .failure : .success)
        outcome.exitCode = claim.task.step == "b" ? 3 : 0
        outcome.result = .string("of \(claim.task.step)")
        outcome.tail = .init(text: "output of \(claim.task.step)", totalBytes: 11)
        return outcome
      }
      #expect(try await refusal { try await world.store.cancel(run, by: "u") }.kind == .conflict)
      var request = ReplayRequest(kind: .recover)
      request.parameters = ["x": .integer(2)]
      #expect(try await world.store.replay(request, of: run, by: "u") == 1)
      #expect(
        try await refusal { _ = try await world.store.replay(request, of: run, by: "u") }.kind == .conflict)
      let claim = try #require(try await worker.claim(run).first)
      #expect(claim.name == "b/1" && claim.results == ["a": .string("of a")] && claim.recovery == 1)
      try await worker.end(run, [claim])
      let now = try await world.report(run)
      #expect(now.run.status == .success && now.run.recovery == 1 && now.run.parameters == ["x": .integer(2)])
      #expect(now.tasks.map(\.skipped) == [true, false])
      #expect(now.tasks[0].result == .string("of a") && now.tasks[0].exitCode == 0)
      let before = try await world.report(run, recovery: 0)
      #expect(
        before.run.status == .failure && before.run.recovery == 0
          && before.run.parameters == ["x": .integer(1)])
      #expect(before.tasks.map(\.status) == [.success, .failure] && before.tasks[1].exitCode == 3)
      #expect(try await refusal { _ = try await world.report(run, recovery: 7) }.kind == .notFound)
      #expect(try await world.store.outputs(of: run, OutputFilter()).first?.tail?.text == "output of a")
      try await world.expectSound()
    }
  }

  @Test("a mark on a run that is over stands in its replay, and a rerun undoes it", arguments: TestStore.all)
  func mark(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start("steps: {a: {}, b: {after: a}}")
      let worker = try await world.worker()
      try await worker.drain(run) { _ in Outcome(.failure) }
      var request = ReplayRequest(kind: .recover)
      request.marks = [.init(step: "a", sequence: "1", status: .success, by: "u: known")]
      #expect(try await world.store.plan(request, of: run, by: "u").map(\.action) == [.mark, .run])
      _ = try await world.store.replay(request, of: run, by: "u")
      #expect(try await worker.drain(run) == ["b/1"])
      #expect(try await world.report(run).tasks[0].message == "marked as success by u: known")
      var again = ReplayRequest(kind: .rerun)
      again.steps = ["a"]
      _ = try await world.store.replay(again, of: run, by: "u")
      #expect(try await worker.drain(run) == ["a/1", "b/1"])
      again.steps = ["nothing"]
      #expect(try await refusal { _ = try await world.store.plan(again, of: run, by: "u") }.kind == .invalid)
      (again.steps, again.sequence) = (["a"], "9")
      #expect(try await refusal { _ = try await world.store.plan(again, of: run, by: "u") }.kind == .notFound)
      try await world.expectSound()
    }
  }
}
