import Model
import Testing

@Suite("The reference interpreter")
struct ReferenceInterpreterTests {
  @Test("A chain runs to its end, each step in the sequence of its cause")
  func chain() {
    let program = Program.of(
      events: ["go", "a_done"],
      steps: [.on("go", "a", success: ["a_done"]), .on("a_done", "b"), .after(["b"], "c")])
    let outcome = ReferenceInterpreter(program).run()
    #expect(outcome.runStatus == .success)
    #expect(outcome.words == ["a/1 success", "b/1 success", "c/1 success"])
    #expect(outcome.events == ["go/1", "a_done/1"])
  }

  @Test("Without a start, what nothing raises begins; what is external or an expression does not")
  func defaultStart() {
    var program = Program.of(events: ["go", "raised", "late"], steps: [.on("go", "a", success: ["raised"])])
    program.events.append(Program.Event(name: "by_hand", external: true))
    program.events.append(Program.Event(name: "both", when: .all([.event("go"), .event("by_hand")])))
    program.associations = [Program.Association(event: "by_hand", targets: ["late"])]
    program.steps.append(Program.Step(name: "idle"))
    let outcome = ReferenceInterpreter(program).run()
    #expect(outcome.events == ["go/1", "raised/1"])
    #expect(outcome.words == ["a/1 success", "idle/1 success"])
  }

  @Test("What nothing starts begins in every sequence of the start, once")
  func startSequences() {
    var program = Program.of(events: ["go", "other"], steps: [.on("go", "a"), .on([], "idle")])
    program.start = [("go", "1"), ("go", "night"), ("other", "night")].map {
      Program.Start(event: $0.0, sequence: Sequence($0.1))
    }
    let outcome = ReferenceInterpreter(program).run()
    #expect(outcome.words == ["a/1 success", "a/night success", "idle/1 success", "idle/night success"])
    #expect(outcome.events == ["go/1", "go/night", "other/night"])
  }

  @Test("An expression holds over the events of one sequence only")
  func expressionPerSequence() {
    var program = Program.of(events: ["x", "y"], steps: [.on("both", "a"), .on("either", "b")])
    program.events.append(Program.Event(name: "both", when: .all([.event("x"), .event("y")])))
    program.events.append(Program.Event(name: "either", when: .any([.event("both"), .event("y")])))
    program.start = [Program.Start(event: "x"), Program.Start(event: "y", sequence: Sequence("2"))]
    #expect(ReferenceInterpreter(program).run().words == ["b/2 success"])
  }

  @Test("A cycle of events ends because each is raised once per sequence")
  func cycle() {
    var program = Program.of(
      events: ["ping", "pong"],
      steps: [.on("ping", "a", success: ["pong"]), .on("pong", "b", success: ["ping"])])
    program.start = [Program.Start(event: "ping")]
    #expect(ReferenceInterpreter(program).run().words == ["a/1 success", "b/1 success"])
  }

  @Test("A step started at once and after a delay has one task")
  func delayedTwice() {
    var program = Program.of(events: ["go"], steps: [.on("go", "a"), .on([], "late")])
    program.associations = [
      Program.Association(event: "go", targets: ["a", "late"], delay: TimeSpan(seconds: 0.02))
    ]
    #expect(ReferenceInterpreter(program).run().words == ["a/1 success", "late/1 success"])
  }

  @Test("A failure that raises something is handled; one that raises nothing fails the run")
  func failures() {
    var program = Program.of(
      events: ["failed", "over"],
      steps: [.on([], "a", failure: ["failed"]), .on([], "b", complete: ["over"]), .on("failed", "c")])
    program.config.stopOnFailure = false
    let handled = ReferenceInterpreter(program, succeeds: failing("a/1", "b/1")).run()
    #expect(handled.runStatus == .success)
    #expect(handled.words == ["a/1 failure", "b/1 failure", "c/1 success"])
    #expect(ReferenceInterpreter(program, succeeds: failing("a/1", "c/1")).run().runStatus == .failure)
  }

  @Test(
    "With stop_on_failure what is ready at an unhandled failure ends as cancelled, and runs when recovered")
  func stop() {
    var program = Program.of(events: ["go"], steps: [.on("go", "late"), .on("go", "a"), .after(["a"], "b")])
    program.steps[0].priority = -1
    program.config.maxConcurrent = 1
    let reference = ReferenceInterpreter(program, succeeds: failing("a/1"))
    let outcome = reference.run()
    #expect(outcome.runStatus == .failure)
    #expect(outcome.words == ["a/1 failure", "late/1 cancelled"])
    let recovered = reference.recover(outcome)
    #expect(recovered.runStatus == .success)
    #expect(recovered.words == ["a/1 success", "b/1 success", "late/1 success"])
  }

  @Test("The last attempt decides, and only it raises")
  func retry() {
    var program = Program.of(events: ["failed"], steps: [.on([], "a", failure: ["failed"])])
    program.steps[0].retry = Program.Retry(attempts: 3)
    let second = ReferenceInterpreter(program, succeeds: { _, _, _, attempt in attempt == 2 }).run()
    #expect(second.words == ["a/1 success"])
    #expect(second.events.isEmpty)
    #expect(ReferenceInterpreter(program, succeeds: { _, _, _, _ in false }).run().events == ["failed/1"])
  }
}

@Suite("Loops of the reference interpreter")
struct ReferenceLoopTests {
  @Test("Nested loops run their steps in sequences of their own, and raise their end in the outer one")
  func nested() {
    var outer = Program.Loop(name: "outer", over: .range(from: .value(1), to: .value(2)))
    outer.start = ["begin"]
    outer.triggers.success = ["all_over"]
    var inner = Program.Loop(name: "inner", over: .list([.string("x")]))
    inner.on = ["begin"]
    inner.start = ["item"]
    var program = Program.of(
      events: ["begin", "item", "all_over"],
      steps: [.on("item", "a"), .after(["inner"], "b"), .on("all_over", "c")])
    program.loops = [outer, inner]
    let outcome = ReferenceInterpreter(program).run()
    #expect(
      outcome.words == [
        "a/1/1/1 success", "a/1/2/1 success", "b/1/1 success", "b/1/2 success", "c/1 success",
      ])
    #expect(outcome.loops["outer/1"] == Outcome.Loop(status: .success, iterations: 2, ended: 2))
    #expect(outcome.loops["inner/1/2"] == Outcome.Loop(status: .success, iterations: 1, ended: 1))
  }

  @Test("An empty loop succeeds at once, whatever it waits for", arguments: Program.ForEach.Wait.allCases)
  func empty(wait: Program.ForEach.Wait) {
    let outcome = ReferenceInterpreter(.loop(over: 0, wait: wait)).run()
    #expect(outcome.loops["l/1"] == Outcome.Loop(status: .success, iterations: 0, ended: 0))
    #expect(outcome.events == ["ok/1", "over/1"])
  }

  @Test("A failed iteration makes the loop fail, and the run too, though the loop's end raises an event")
  func failedIteration() {
    let outcome = ReferenceInterpreter(.loop(over: 3), succeeds: failing("a/1/2")).run()
    #expect(outcome.loops["l/1"] == Outcome.Loop(status: .failure, iterations: 3, ended: 3))
    #expect(outcome.events.isSuperset(of: ["bad/1", "over/1"]))
    #expect(outcome.runStatus == .failure)
  }

  @Test("With wait any or first_failure the first such iteration is the last")
  func early() {
    let any = ReferenceInterpreter(.loop(over: 3, wait: .any), succeeds: failing("a/1/1")).run()
    #expect(any.loops["l/1"] == Outcome.Loop(status: .success, iterations: 3, ended: 2))
    #expect(any.words == ["a/1/1 failure", "a/1/2 success"])
    let none = ReferenceInterpreter(.loop(over: 2, wait: .any), succeeds: { _, _, _, _ in false }).run()
    #expect(none.loops["l/1"] == Outcome.Loop(status: .failure, iterations: 2, ended: 2))
    let first = ReferenceInterpreter(.loop(over: 3, wait: .firstFailure), succeeds: failing("a/1/2")).run()
    #expect(first.loops["l/1"] == Outcome.Loop(status: .failure, iterations: 3, ended: 2))
  }

  @Test("An until event ends the iteration while other steps of it go on")
  func until() {
    var program = Program.loop(over: 2)
    program.events.append(Program.Event(name: "enough"))
    program.steps[0].triggers.success = ["enough"]
    program.loops[0].until = ["enough"]
    program.steps.append(Program.Step(name: "late"))
    program.associations = [
      Program.Association(event: "item", targets: ["late"], delay: TimeSpan(seconds: 60))
    ]
    let ended = ReferenceInterpreter(program, succeeds: failing("late/1/1")).run()
    // The loop was over when the delay had passed: the failure is the run's alone.
    #expect(ended.loops["l/1"] == Outcome.Loop(status: .success, iterations: 2, ended: 2))
    #expect(ended.runStatus == .failure)
    #expect(ended.tasks["late/1/2"]?.status == .success)
  }

  @Test("A foreach with a word about failure answers for its tasks; without one they fail the run")
  func forEach() {
    var program = Program.of(events: ["bad"], steps: [.on([], "f", failure: ["bad"]), .after(["f"], "b")])
    program.config.stopOnFailure = false
    program.steps[0].forEach = Program.ForEach(over: .list([.integer(1), .integer(2)]))
    let answered = ReferenceInterpreter(program, succeeds: failing("f/1/1")).run()
    #expect(answered.words == ["f/1/1 failure", "f/1/2 success"])
    #expect(answered.events == ["bad/1"])
    #expect(answered.runStatus == .success)
    #expect(ReferenceInterpreter(program).run().words.last == "f/1/2 success")
    #expect(ReferenceInterpreter(program).run().tasks["b/1"]?.status == .success)
    program.steps[0].triggers.failure = []
    #expect(ReferenceInterpreter(program, succeeds: failing("f/1/1")).run().runStatus == .failure)
    program.steps[0].forEach?.wait = .any
    #expect(ReferenceInterpreter(program, succeeds: failing("f/1/1")).run().runStatus == .success)
    #expect(ReferenceInterpreter(program, succeeds: { _, _, _, _ in false }).run().runStatus == .failure)
  }
}

@Suite("Recover and rerun of the reference interpreter")
struct ReferenceReplayTests {
  @Test("A recovery repeats successes and runs failures, or as the step says")
  func recover() {
    var program = Program.of(
      events: ["go"], steps: [.on("go", "a"), .on("go", "always"), .on("go", "b"), .after(["a", "b"], "c")])
    program.config.stopOnFailure = false
    program.steps[1].recovery.success = .rerun
    let reference = ReferenceInterpreter(program, succeeds: failing("b/1"))
    let outcome = reference.recover(reference.run())
    #expect(outcome.recovery == 1)
    #expect(outcome.words == ["a/1 success skipped", "always/1 success", "b/1 success", "c/1 success"])
    #expect(reference.recover(outcome).words.filter { $0.hasSuffix("skipped") }.count == 3)
  }

  @Test("A repeated unhandled failure fails the run again without stopping it")
  func repeatedFailure() {
    var program = Program.of(events: ["go"], steps: [.on("go", "a"), .on("go", "b")])
    program.config.maxConcurrent = 1
    program.steps[0].recovery.failure = .skip
    let reference = ReferenceInterpreter(program, succeeds: failing("a/1"))
    let outcome = reference.recover(reference.run())
    #expect(outcome.words == ["a/1 failure skipped", "b/1 success"])
    #expect(outcome.runStatus == .failure)
  }

  @Test("A finished iteration is repeated whatever its steps say; a failed one follows them")
  func finishedIteration() {
    var program = Program.loop(over: 2)
    program.steps[0].recovery.success = .rerun
    let reference = ReferenceInterpreter(program, succeeds: failing("a/1/2"))
    let outcome = reference.recover(reference.run())
    #expect(outcome.words == ["a/1/1 success skipped", "a/1/2 success"])
    #expect(outcome.loops["l/1"]?.status == .success)
    #expect(outcome.runStatus == .success)
  }

  @Test("A rerun runs the named step and what follows; only leaves out what follows")
  func rerun() {
    let program = Program.of(
      events: ["go", "done"],
      steps: [.on("go", "a", success: ["done"]), .on("go", "other"), .on("done", "b"), .after(["b"], "c")])
    let reference = ReferenceInterpreter(program)
    let first = reference.run()
    #expect(
      reference.rerun(first, steps: ["b"]).words
        == ["a/1 success skipped", "b/1 success", "c/1 success", "other/1 success skipped"])
    #expect(
      reference.rerun(first, steps: ["b"], only: true).words
        == ["a/1 success skipped", "b/1 success", "c/1 success skipped", "other/1 success skipped"])
    #expect(!reference.rerun(first, steps: ["a"], sequence: "2").words.contains("a/1 success"))
  }

  @Test("What never ran and does not follow stays out of a rerun")
  func leftOut() {
    var program = Program.of(events: ["go"], steps: [.on("go", "a"), .after(["a"], "b"), .on("go", "late")])
    program.config.maxConcurrent = 1
    let reference = ReferenceInterpreter(program, succeeds: failing("a/1"))
    let first = reference.run()
    #expect(reference.rerun(first, steps: ["a"]).words == ["a/1 success", "b/1 success"])
    #expect(reference.rerun(first, steps: ["a"], only: true).words == ["a/1 success"])
  }

  @Test("A rerun inside one iteration runs what follows the loop, and no other iteration")
  func rerunInLoop() {
    var program = Program.loop(over: 2)
    program.steps += [.on("ok", "next"), .after(["a"], "b")]
    let reference = ReferenceInterpreter(program)
    let first = reference.run()
    #expect(
      reference.rerun(first, steps: ["a"], sequence: "1/2").words
        == [
          "a/1/1 success skipped", "a/1/2 success", "b/1/1 success skipped", "b/1/2 success",
          "next/1 success",
        ])
    #expect(!reference.rerun(first, steps: ["a"]).words.contains { $0.hasSuffix("skipped") })
  }
}

@Suite("Random programs")
struct RandomProgramTests {
  @Test("A seed means one program")
  func repeatable() {
    #expect(RandomProgram(seed: 7).program == RandomProgram(seed: 7).program)
    #expect(RandomProgram(seed: 7).program != RandomProgram(seed: 8).program)
  }

  @Test("Their outcome depends on the order so seldom that few are discarded")
  func confluence() {
    let discarded = (0..<500).filter { !RandomProgram(seed: $0).isConfluent }
    #expect(discarded.count < 100, "order matters for seeds \(discarded.prefix(10))")
  }

  @Test("Where the order matters, the order seeds show it")
  func orderSeeds() {
    // Two iterations at once, one success is enough, and only one of them can succeed: how many are over when the
    // loop is depends on which of them is first.
    var program = Program.loop(over: 2, wait: .any)
    program.loops[0].maxConcurrent = 0
    let outcomes = (0..<20).map {
      ReferenceInterpreter(program, order: $0, succeeds: failing("a/1/1")).run()
    }
    #expect(Set(outcomes).count == 2)
  }

  @Test("They have 3 to 25 steps, and every name in them is legal, known and given once")
  func names() {
    for seed in 0..<500 as Range<UInt64> {
      let program = RandomProgram(seed: seed).program
      let (events, steps) = (program.events.map(\.name), program.steps.map(\.name))
      let nodes = steps + program.loops.map(\.name)
      #expect(program.problems().filter { $0.severity == .error } == [])
      #expect((3...25).contains(steps.count))
      #expect(Set(events + nodes).count == events.count + nodes.count)
      #expect((events + nodes + [program.name]).allSatisfy(Name.isValid))
      let triggers = program.steps.map(\.triggers) + program.loops.map(\.triggers)
      let spoken =
        triggers.flatMap(\.all) + program.steps.flatMap(\.on)
        + program.loops.flatMap { $0.on + $0.start + $0.until }
        + program.associations.map(\.event) + (program.start ?? []).map(\.event)
        + program.events.flatMap { $0.when?.operands ?? [] }
      #expect(Set(spoken).isSubset(of: events))
      #expect(Set(program.associations.flatMap(\.targets)).isSubset(of: events + nodes))
      #expect(Set(program.steps.flatMap(\.after) + program.loops.flatMap(\.after)).isSubset(of: nodes))
    }
  }

  @Test("Together they use everything that is meant to be tried")
  func variety() {
    var seen: [String: Int] = [:]
    for seed in 0..<500 as Range<UInt64> {
      let random = RandomProgram(seed: seed)
      let program = random.program
      let first = random.reference().run()
      let second = random.reference().recover(first)
      let uses: [(String, Bool)] = [
        ("failed run", first.runStatus == .failure),
        ("successful run", first.runStatus == .success && first.tasks.count > 4),
        ("cancelled task", first.tasks.values.contains { $0.status == .cancelled }),
        (
          "handled failure",
          first.runStatus == .success && first.tasks.values.contains { $0.status == .failure }
        ),
        ("repeated failure", second.tasks.values.contains { $0 == .init(status: .failure, skipped: true) }),
        ("loop", !program.loops.isEmpty),
        ("failed loop", first.loops.values.contains { $0.status == .failure }),
        ("nested loop", first.loops.keys.contains { $0.split(separator: "/").count > 2 }),
        ("early end", first.loops.values.contains { $0.ended < $0.iterations }),
        ("until", program.loops.contains { !$0.until.isEmpty }),
        ("foreach", program.steps.contains { $0.forEach != nil }),
        ("shared event", random.shares), ("expression", program.events.contains { $0.when != nil }),
        ("delay", program.associations.contains { $0.delay > .zero }),
        ("after", program.steps.contains { $0.after.count > 1 }),
        ("retry", program.steps.contains { $0.retry != nil }),
        ("several sequences", Set((program.start ?? []).map(\.sequence)).count > 1),
        ("rerun", random.rerun(after: second) != nil),
        ("rerun in one iteration", random.rerun(after: second)?.sequence?.contains("/") ?? false),
        ("rerun only", random.rerun(after: second)?.only ?? false),
      ]
      for (use, holds) in uses { seen[use, default: 0] += holds ? 1 : 0 }
    }
    for (use, count) in seen { #expect(count >= 5, "\(use): \(count) of 500") }
  }

  @Test("A plan starts what the reference starts")
  func planStarts() {
    for seed in 0..<200 as Range<UInt64> {
      let program = RandomProgram(seed: seed).program
      let plan = Plan(program)
      #expect(plan.starts == program.start ?? program.defaultStart.map { Program.Start(event: $0) })
      let initial = program.startSequences.flatMap { at in program.unprompted.map { "\($0)/\(at)" } }
      #expect(Set(plan.initial.map { "\($0.target.name)/\($0.sequence)" }) == Set(initial))
    }
  }

  @Test("The text of a program names its seed and what fails")
  func text() {
    let text = RandomProgram(seed: 3).description
    #expect(text.hasPrefix("# seed 3; fails: "))
    #expect(text.contains("\nprogram: random-3\n") && text.contains("\nsteps:\n"))
  }
}

// MARK: Programs by hand

/// The named tasks, `step/sequence`, fail in a first run.
private func failing(_ tasks: String...) -> ReferenceInterpreter.Judge {
  { step, sequence, recovery, _ in recovery > 0 || !tasks.contains("\(step)/\(sequence)") }
}

extension Outcome {
  /// `step/sequence status`, in the order of the names.
  fileprivate var words: [String] {
    tasks.map { "\($0) \($1.status)\($1.skipped ? " skipped" : "")" }.sorted()
  }
}

extension Program {
  fileprivate static func of(events: [String], steps: [Step]) -> Program {
    var program = Program(name: "by-hand")
    program.events = events.map { Event(name: $0) }
    program.steps = steps
    return program
  }

  /// A loop `l` over `count` items with the one step `a`, which may fail.
  fileprivate static func loop(over count: Int, wait: ForEach.Wait = .all) -> Program {
    var loop = Loop(name: "l", over: .range(from: .value(1), to: .value(count)))
    loop.start = ["item"]
    loop.wait = wait
    loop.triggers.success = ["ok"]
    loop.triggers.failure = ["bad"]
    loop.triggers.complete = ["over"]
    var program = Program.of(events: ["item", "ok", "bad", "over"], steps: [.on("item", "a")])
    program.loops = [loop]
    program.config.stopOnFailure = false
    return program
  }
}

extension Program.Step {
  fileprivate static func on(_ event: String, _ name: String, success: [String] = []) -> Program.Step {
    .on([event], name, success: success)
  }

  fileprivate static func on(
    _ events: [String], _ name: String, success: [String] = [], failure: [String] = [],
    complete: [String] = []
  ) -> Program.Step {
    var step = Program.Step(name: name)
    step.on = events
    step.triggers.success = success
    step.triggers.failure = failure
    step.triggers.complete = complete
    return step
  }

  fileprivate static func after(_ nodes: [String], _ name: String) -> Program.Step {
    var step = Program.Step(name: name)
    step.after = nodes
    return step
  }
}
