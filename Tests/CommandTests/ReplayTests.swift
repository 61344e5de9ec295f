import Model
import TestSupport
import Testing

@Suite("Runs are begun again")
struct ReplayTests {
  /// The second step fails while the parameter is not 9, or the file `broken` is there.
  static let program = """
    program: replayed
    parameters: {x: 0}
    events: {b_done: {}}
    steps:
      a: {shell: echo a >> order}
      b: {after: [a], shell: 'echo b >> order; test ${param.x} -eq 9 && test ! -e broken', triggers: {success: [b_done]}}
      c: {on: b_done, shell: echo c >> order}
      d: {after: [c], shell: echo d >> order}
    """

  @Test(
    "recover skips what succeeded and runs what failed, with a changed parameter", arguments: TestStore.all)
  func recover(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.program) { world in
      let failed = try await world.finish(exit: 1)
      #expect(failed.run.status == "failure")
      #expect(failed.statuses == ["a/1": "success", "b/1": "failure"])
      let plan = try await world.run("recover", "r", "--param", "x=9", "--plan", "--json")
        .decoded(as: PlanAnswer.self)
      #expect(plan.actions == ["a/1": "skip", "b/1": "run", "c/1": "run", "d/1": "run"])
      #expect(world.lines("order") == ["a", "b"])
      #expect(try await world.report("status", "r").run.recovery == 0)

      let report = try await world.report("recover", "r", "--param", "x=9", exit: 0)
      #expect(report.run.recovery == 1)
      #expect(report.run.parameters == ["x": .integer(9)])
      #expect(
        report.statuses == ["a/1": "skipped", "b/1": "success", "c/1": "success", "d/1": "success"])
      #expect(world.lines("order") == ["a", "b", "b", "c", "d"])
      let earlier = try await world.report("status", "r", "--recovery", "0")
      #expect(earlier.statuses == ["a/1": "success", "b/1": "failure"])
      #expect(earlier.run.parameters == ["x": .integer(0)])
      #expect(earlier.run.status == "failure")
      let unknown = try await world.run("status", "r", "--recovery", "7")
      #expect(unknown.code == 3, "\(unknown)")
      try await world.expectConsistency()
    }
  }

  @Test("recovery policies of a step are kept")
  func policies() async throws {
    let program = """
      program: policies
      events: {f_failed: {}, s_done: {}}
      steps:
        always: {shell: echo always >> order, recovery: {success: rerun}}
        f: {shell: "echo f >> order; exit 3", recovery: {failure: skip}, triggers: {failure: [f_failed]}}
        s: {on: f_failed, shell: "echo s >> order; test -e mended"}
      """
    try await World.with(program: program) { world in
      _ = try await world.finish("--max-concurrent", "1", exit: 1)
      try world.write("order", "")
      try world.write("mended", "")
      let plan = try await world.run("recover", "r", "--plan", "--json").decoded(as: PlanAnswer.self)
      #expect(plan.actions == ["always/1": "run", "f/1": "skip", "s/1": "run"])
      let report = try await world.report("recover", "r", exit: 0)
      #expect(report["f"]?.status == "failure")
      #expect(report["f"]?.skipped == true)
      #expect(report["f"]?.exitCode == 3)
      #expect(Set(world.lines("order")) == ["always", "s"])
      #expect(report.run.status == "success")
    }
  }

  @Test("rerun of a step runs it and what follows; --only leaves that out", arguments: TestStore.all)
  func rerunOfAStep(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.program) { world in
      _ = try await world.finish("--param", "x=9")
      try world.write("order", "")
      let plan = try await world.run("rerun", "r", "--step", "b", "--plan", "--json")
        .decoded(as: PlanAnswer.self)
      #expect(plan.actions == ["a/1": "reuse", "b/1": "run", "c/1": "run", "d/1": "run"])
      let report = try await world.report("rerun", "r", "--step", "b", exit: 0)
      #expect(world.lines("order") == ["b", "c", "d"])
      #expect(report.run.recovery == 1)
      #expect(report["a"]?.skipped == true)

      try world.write("order", "")
      let only = try await world.report("rerun", "r", "--step", "b", "--only", exit: 0)
      #expect(world.lines("order") == ["b"])
      #expect(
        only.statuses == ["a/1": "skipped", "b/1": "success", "c/1": "skipped", "d/1": "skipped"])
      try await world.expectConsistency()
    }
  }

  @Test("rerun keeps to a sequence, and names what is not there")
  func rerunInASequence() async throws {
    let program = """
      program: sequences
      events: {go: {external: true}}
      start: [{event: go, sequence: one}, {event: go, sequence: two}]
      steps: {s: {on: go, shell: echo $EVENTOR_STEP_SEQUENCE >> order}}
      """
    try await World.with(program: program) { world in
      _ = try await world.finish()
      try world.write("order", "")
      _ = try await world.report("rerun", "r", "--step", "s", "--sequence", "two", exit: 0)
      #expect(world.lines("order") == ["two"])
      let three = try await world.run("rerun", "r", "--step", "s", "--sequence", "three")
      #expect(three.code == 3, "\(three)")
      let unknown = try await world.run("rerun", "r", "--step", "ss")
      #expect(unknown.code == 2, "\(unknown)")
      #expect(unknown.stderr.contains("did you mean 's'?"), "\(unknown)")
      let useless = try await world.run("rerun", "r", "--only")
      #expect(useless.code == 2, "\(useless)")
      #expect(try await world.report("status", "r").run.recovery == 1)
    }
  }

  @Test("rerun without a step is a new run of the same version and parameters", arguments: TestStore.all)
  func rerunAnew(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.program) { world in
      let first = try await world.finish("--param", "x=9")
      let second = try await world.report("rerun", "r", exit: 0)
      #expect(second.run.id != "r")
      #expect(second.run.version == first.run.version)
      #expect(second.run.parameters == ["x": .integer(9)])
      #expect(second.run.recovery == 0)
      #expect(second.statuses == first.statuses)
    }
  }

  @Test("a plan equals the deed where iterations were over and where not")
  func planOfLoops() async throws {
    let program = """
      program: loops
      events: {item: {}, over: {}}
      steps:
        s: {on: item, shell: "echo ${loop.item} >> order; test ${loop.item} != 2 || test -e mended"}
        t: {on: over}
      loops:
        l: {over: [1, 2, 3], start: [item], triggers: {success: [over]}}
      """
    try await World.with(program: program) { world in
      _ = try await world.finish(exit: 1)
      try world.write("mended", "")
      try world.write("order", "")
      let plan = try await world.run("recover", "r", "--plan", "--json").decoded(as: PlanAnswer.self)
      let report = try await world.report("recover", "r", exit: 0)
      let planned = Set(plan.actions.filter { $0.value == "run" }.keys)
      let ran = Set(report.tasks.filter { !$0.skipped }.map(\.name))
      #expect(planned == ran)
      #expect(!world.lines("order").contains("1"))
      #expect(world.lines("order").contains("2"))
    }
  }

  @Test("mark ends a task of a run that is over, and a rerun undoes it", arguments: TestStore.all)
  func markAfterTheEnd(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.program) { world in
      _ = try await world.finish(exit: 1)
      let plan = try await world.run(
        "mark", "r", "b", "success", "--reason", "by hand", "--plan", "--json"
      ).decoded(as: PlanAnswer.self)
      #expect(plan.actions == ["a/1": "skip", "b/1": "mark", "c/1": "run", "d/1": "run"])
      let report = try await world.report("mark", "r", "b", "success", "--reason", "by hand", exit: 0)
      #expect(report.run.status == "success")
      #expect(world.lines("order") == ["a", "b", "c", "d"])
      let marked = try #require(report["b"])
      #expect(marked.status == "success")
      #expect(marked.message?.contains("marked as success by") == true)
      #expect(marked.message?.contains("by hand") == true)
      let again = try await world.report("rerun", "r", "--step", "b", exit: 1)
      #expect(again["b"]?.status == "failure")
      #expect(again["b"]?.message?.contains("marked") != true)
    }
  }

  @Test("mark ends a waiting task of a run that goes on")
  func markWhileItRuns() async throws {
    let program = """
      program: marked
      steps:
        hold: {shell: "until [ -e go ]; do sleep 0.05; done"}
        b: {shell: echo b >> order}
        c: {after: [b], shell: echo c >> order}
      """
    try await World.with(program: program) { world in
      let call = try world.begin("--max-concurrent", "1")
      try await world.status(until: { $0["hold"]?.status == "running" })
      let running = try await world.run("mark", "r", "hold", "success", "--reason", "no")
      #expect(running.code == 1, "\(running)")
      let early = try await world.run("mark", "r", "c", "success", "--reason", "no")
      #expect(early.code == 3, "\(early)")
      let marked = try await world.run("mark", "r", "b", "success", "--reason", "seen")
      #expect(marked.code == 0, "\(marked)")
      #expect(marked.stdout == "marked b as success\n")
      try world.write("go", "")
      #expect(await call.answer().code == 0)
      #expect(world.lines("order") == ["c"])
    }
  }

  @Test("what goes on can't be recovered by somebody else, and what is over can be recovered")
  func recoverOfARunningRun() async throws {
    let program = """
      program: busy
      steps: {hold: {shell: "until [ -e go ]; do sleep 0.05; done"}}
      """
    try await World.with(program: program) { world in
      let call = try world.begin()
      try await world.status(until: { $0["hold"]?.status == "running" })
      let refused = try await world.run("recover", "r")
      #expect(refused.code == 1, "\(refused)")
      #expect(refused.errorLines.count == 1, "\(refused)")
      let rerun = try await world.run("rerun", "r", "--step", "hold")
      #expect(rerun.code == 1, "\(rerun)")
      try world.write("go", "")
      #expect(await call.answer().code == 0)
      let report = try await world.report("recover", "r", exit: 0)
      #expect(report.statuses == ["hold/1": "skipped"])
    }
  }

  @Test(
    "a run whose process was killed is continued, and none of its steps is lost", arguments: TestStore.all)
  func continued(kind: TestStore.Kind) async throws {
    let program = """
      program: killed
      steps:
        a: {shell: echo a >> order}
        b: {after: [a], shell: "echo b >> order; until [ -e go ]; do sleep 0.05; done; exit 0"}
        c: {after: [b], shell: echo c >> order}
      """
    try await World.with(kind, program: program) { world in
      let call = try world.begin()
      try await world.status(until: { $0["b"]?.status == "running" })
      call.signal(9)
      #expect(await call.answer().code == 137)
      try world.write("go", "")
      let answer = try await world.run("run", world.program, "--continue", "--run-id", "r", "--json")
      #expect(answer.code == 0, "\(answer)")
      #expect(world.lines("order") == ["a", "b", "c"])
      try await world.expectConsistency()
    }
  }
}
