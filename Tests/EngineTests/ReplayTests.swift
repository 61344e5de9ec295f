import Engine
import Model
import Testing

@Suite("Recovery and rerun (rules 9 and 10)")
struct ReplayTests {
  @Test("a recovery repeats what succeeded and runs what failed and what never ran")
  func recover() throws {
    let run = try MemoryRun("steps: {a: {}, b: {after: a}, c: {after: b}}")
    try run.end("a/1")
    try run.end("b/1", as: .failure)
    try run.recover()
    #expect(run.run == ["b/1"])
    #expect(run.ready == ["b/1"])
    try run.drain()
    #expect(run.statuses == ["a/1": .success, "b/1": .success, "c/1": .success])
    #expect(run.state.status == .success)
  }

  @Test("policies turn that round")
  func policies() throws {
    let run = try MemoryRun(
      """
      events: {bad: {}}
      steps:
        a: {recovery: {success: rerun}}
        b: {after: a, recovery: {failure: skip}, triggers: {failure: bad}}
        c: {on: bad}
      """)
    try run.end("a/1")
    try run.end("b/1", as: .failure)
    try run.end("c/1", as: .failure)
    try run.recover()
    #expect(run.ready == ["a/1"])
    try run.end("a/1")
    #expect(run.statuses == ["a/1": .success, "b/1": .failure, "c/1": .ready])
    #expect(run.events == ["bad/1"])
  }

  @Test("a skipped unhandled failure fails the recovery, and stops nothing")
  func skippedFailure() throws {
    let run = try MemoryRun("steps: {a: {recovery: {failure: skip}}, b: {}, c: {after: b}}")
    try run.end([("a/1", .failure)])
    try run.recover()
    #expect(!run.state.isStopped)
    try run.drain()
    #expect(run.statuses == ["a/1": .failure, "b/1": .success, "c/1": .success])
    #expect(run.state.status == .failure)
  }

  @Test("delays keep their first start")
  func delays() throws {
    let run = try MemoryRun(
      "events: {e: {}}\nassociations: [{event: e, to: [s], delay: 60s}]\nsteps: {a: {}, s: {}}")
    try run.pass(20)
    try run.end([("a/1", .failure)])
    let started = run.state.now
    try run.recover()
    let due = try #require(try run.fact("s/1").dueAt)
    #expect(due - started == 40)
    try run.pass(40)
    try run.end("s/1", as: .failure)
    try run.recover()
    #expect(run.ready.contains("s/1"))
  }

  @Test("what was triggered from outside is triggered again, with its trigger files' events")
  func outside() throws {
    let run = try MemoryRun(
      """
      events: {word: {external: true}, filed: {external: true}}
      steps: {a: {}, s: {on: word}, f: {on: filed}}
      """)
    try run.trigger("word", in: "7")
    try run.end("a/1") { $0.fileTriggers = [.init(event: "filed", sequence: "3")] }
    try run.end("f/3")
    try run.end("s/7", as: .failure)
    try run.recover()
    #expect(run.events.sorted() == ["filed/3", "word/7"])
    #expect(run.ready == ["s/7"])
  }

  @Test("a finished iteration is not run again, a failed one is")
  func iterations() throws {
    let run = try MemoryRun(
      """
      config: {stop_on_failure: false}
      events: {go: {}}
      steps: {s: {on: go, recovery: {success: rerun}}}
      loops: {l: {over: [1, 2, 3], max_concurrent: 0, start: go}}
      """)
    try run.end([("s/1/1", .success), ("s/1/2", .failure), ("s/1/3", .success)])
    try run.recover()
    #expect(run.run == ["s/1/2"])
    try run.drain()
    #expect(try run.loop("l/1").status == .success)
    #expect(run.state.status == .success)
  }

  @Test("a rerun runs the named step and what follows, and lets the rest stand")
  func rerun() throws {
    let run = try MemoryRun("steps: {a: {}, b: {after: a}, c: {after: b}, d: {after: a}}")
    try run.drain()
    try run.rerun("b/1")
    #expect(run.ready == ["b/1"])
    try run.drain()
    #expect(run.run == ["b/1", "c/1"])
    #expect(run.statuses.count == 4)
    try run.rerun("b/1", only: true)
    try run.drain()
    #expect(run.run == ["b/1"])
    #expect(run.state.status == .success)
  }

  @Test("a rerun leaves out what had never run and does not follow from it")
  func leavesOut() throws {
    let run = try MemoryRun(
      "config: {stop_on_failure: false}\nsteps: {a: {}, b: {}, c: {after: b}, d: {after: c}}")
    try run.end("a/1")
    try run.end("b/1", as: .failure)
    try run.rerun("a/1")
    try run.drain()
    #expect(run.run == ["a/1"])
    #expect(run.statuses == ["a/1": .success, "b/1": .failure])
    #expect(run.state.status == .failure)
  }

  @Test("a mark stands in the replay and releases what follows")
  func mark() throws {
    let run = try MemoryRun("steps: {a: {}, b: {after: a}}")
    try run.end("a/1", as: .failure)
    let mark = Replay.Mark(step: "a", sequence: "1", status: .success, by: "someone: seen by eye")
    try run.replay(Replay(kind: .rerun, marks: [mark]))
    #expect(run.statuses["a/1"] == .success)
  }

  @Test(
    "what a replay decides", arguments: [TaskStatus.success, .failure],
    [Program.RecoveryPolicy.Choice.skip, .rerun])
  func decisions(status: TaskStatus, choice: Program.RecoveryPolicy.Choice) {
    var step = Program.Step(name: "s")
    step.recovery.success = choice
    step.recovery.failure = choice
    let earlier = EarlierEnd(number: 1, status: status, host: nil, fileTriggers: [])
    let recover = Replay(kind: .recover)
    #expect(
      recover.decision(for: step, in: "1", earlier: earlier, isInRepeatedIteration: false)
        == (choice == .skip ? .repeat(earlier) : .run))
    #expect(
      recover.decision(for: step, in: "1", earlier: earlier, isInRepeatedIteration: true) == .repeat(earlier))
    #expect(recover.decision(for: step, in: "1", earlier: nil, isInRepeatedIteration: false) == .run)
    let rerun = Replay(kind: .rerun)
    #expect(
      rerun.decision(for: step, in: "1", earlier: earlier, isInRepeatedIteration: false) == .repeat(earlier))
    #expect(rerun.decision(for: step, in: "1", earlier: nil, isInRepeatedIteration: false) == .leaveOut)
    let mark = Replay.Mark(step: "s", sequence: "1", status: .failure, by: "me")
    let marked = Replay(kind: .recover, marks: [mark])
    #expect(marked.decision(for: step, in: "1", earlier: earlier, isInRepeatedIteration: true) == .mark(mark))
    #expect(marked.decision(for: step, in: "2", earlier: nil, isInRepeatedIteration: false) == .run)
  }

  // MARK: What follows

  private func follows(_ text: String, _ roots: [(String, Sequence)], only: Bool = false) throws -> [String:
    Set<String>]
  {
    let plan = try MemoryRun(text, begin: false).plan
    return RerunSet(roots: roots.map { (step: $0.0, sequence: $0.1) }, only: only, in: plan).steps
  }

  @Test("what follows: a chain, a diamond, a join of one changed operand, a delayed event")
  func closureOfGraphs() throws {
    #expect(
      try follows("steps: {a: {}, b: {after: a}, c: {after: b}, d: {}}", [("b", "1")]) == [
        "b": ["1"], "c": ["1"],
      ])
    #expect(
      try follows("steps: {a: {}, b: {after: a}, c: {after: a}, d: {after: [b, c]}}", [("b", "1")]).keys
        .sorted()
        == ["b", "d"])
    #expect(
      try follows(
        """
        events: {x: {}, y: {}, j: {when: x and y}, late: {}}
        associations: [{event: j, to: [late], delay: 1h}]
        steps: {a: {triggers: {failure: x}}, b: {triggers: {success: y}}, c: {on: late}, d: {on: y}}
        """, [("a", "1")]) == ["a": ["1"], "c": ["1"]])
    #expect(try follows("steps: {a: {}, b: {after: a}}", [("a", "1")], only: true) == ["a": ["1"]])
  }

  @Test("what follows out of a loop, into a loop, and through nested ones")
  func closureOfLoops() throws {
    let nested = """
      events: {outer: {}, inner: {}, all: {}}
      steps: {before: {}, s: {on: inner}, t: {after: s}, beside: {on: outer}, last: {on: all}}
      loops:
        o: {after: before, over: [1, 2], start: outer, triggers: {success: all}}
        i: {on: outer, over: [1, 2], start: inner}
      """
    #expect(try follows(nested, [("t", "1/2/1")]) == ["t": ["1/2/1"], "last": ["1"]])
    #expect(
      try follows(nested, [("before", "1")])
        == ["before": ["1"], "s": ["1/*/*"], "t": ["1/*/*"], "beside": ["1/*"], "last": ["1"]])
  }

  @Test("patterns match sequences component by component")
  func patterns() throws {
    let plan = try MemoryRun("steps: {a: {}, s: {after: a, foreach: [1, 2, 3]}, z: {after: s}}", begin: false)
      .plan
    let set = RerunSet(roots: [(step: "a", sequence: "1")], only: false, in: plan)
    #expect(set.contains(step: "s", in: "1/3"))
    #expect(
      !set.contains(step: "s", in: "2/3") && !set.contains(step: "s", in: "1")
        && !set.contains(step: "s", in: "1/3/1"))
    #expect(set.contains(step: "z", in: "1") && set.contains(loop: "s", in: "1"))
    #expect(!set.contains(loop: "s", in: "2"))
  }
}
