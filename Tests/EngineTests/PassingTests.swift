import Engine
import Model
import Testing

@Suite("Steps without an action, passed as they are found")
struct PassingTests {
  @Test("what follows from a step is decided where it is passed, over joins and expressions")
  func follows() throws {
    let run = try MemoryRun(
      """
      events: {go: {external: true}, both: {when: go and x}, x: {}}
      steps:
        a: {triggers: {success: [x]}}
        b: {after: [a]}
        c: {after: [a], run: [x]}
        d: {after: [b, c]}
        e: {on: both}
      """, begin: false)
    run.passes = { _ in "here" }
    try run.begin()
    #expect(run.statuses == ["a/1": .success, "b/1": .success, "c/1": .ready])
    try run.trigger("go")
    #expect(run.statuses["e/1"] == .success)
    try run.end("c/1")
    #expect(run.statuses["d/1"] == .success && run.state.status == .success)
  }

  @Test("what is ready already is passed where it is found, and ends a run")
  func ready() throws {
    let run = try MemoryRun("steps: {a: {}, b: {after: [a]}, p: {run: [x]}}")
    #expect(run.ready == ["a/1", "p/1"])
    run.passes = { _ in "here" }
    #expect(try run.pass(named: "a/1") && !run.pass(named: "p/1"))
    #expect(run.statuses == ["a/1": .success, "b/1": .success, "p/1": .ready])
    try run.end("p/1")
    #expect(run.state.status == .success)
  }

  @Test(
    "a step that checks something first, holds something, or is of another host is not passed",
    arguments: [
      "steps: {a: {precondition: [x]}}", "steps: {a: {host: elsewhere}}",
      "config: {max_concurrent: 1}\nsteps: {a: {}}",
      "resources: {r: {capacity: 1, scope: program}}\nsteps: {a: {acquires: {r: 1}}}",
      "groups: {g: {hosts: [elsewhere], max_concurrent: 1}}\nsteps: {a: {group: g}}",
    ])
  func notPassed(text: String) throws {
    let run = try MemoryRun(text, begin: false)
    run.passes = { $0 == .host("here") ? "here" : nil }
    try run.begin()
    #expect(run.statuses == ["a/1": .ready])
  }

  @Test("nothing is passed in a run that has stopped, and what a stop finds passed stays a success")
  func stopped() throws {
    let run = try MemoryRun(
      """
      events: {x: {}, y: {}}
      config: {stop_on_failure: true}
      steps:
        p: {run: [x], triggers: {failure: [x]}}
        q: {run: [x]}
        a: {on: x}
        b: {after: [q]}
      """, begin: false)
    run.passes = { _ in "here" }
    try run.begin()
    try run.end([("p/1", .failure), ("q/1", .failure)])
    #expect(run.statuses["a/1"] == .success && run.statuses["b/1"] == nil)
    #expect(run.state.status == .failure)
  }

  @Test(
    "loops of steps without an action go through their iterations, one or all at a time",
    arguments: [0, 1, 3])
  func loops(atOnce: Int) throws {
    let run = try MemoryRun(
      "steps: {each: {foreach: {from: 1, to: 20}, at_once: \(atOnce)}, z: {after: [each]}}", begin: false)
    run.passes = { _ in "here" }
    try run.begin()
    #expect(run.statuses.count == 21 && run.statuses.values.allSatisfy { $0 == .success })
    #expect(run.state.status == .success)
    #expect(try run.loop("each/1").ended == 20)
  }

  @Test("one transition passes no more than its part, and what is left is ready")
  func part() throws {
    let count = Transition.passesAtOnce + 40
    let steps = (2...count).map { ", s\($0): {after: [s\($0 - 1)]}" }.joined()
    let run = try MemoryRun("steps: {s1: {}\(steps)}", begin: false)
    run.passes = { _ in "here" }
    try run.begin()
    #expect(run.names(.success).count == Transition.passesAtOnce)
    let next = "s\(Transition.passesAtOnce + 1)/1"
    #expect(run.ready == [next])
    #expect(try run.pass(named: next))
    #expect(run.state.status == .success)
  }

  @Test("a long chain is asked for in a few questions")
  func questions() throws {
    let steps = (2...200).map { ", s\($0): {after: [s\($0 - 1)]}" }.joined()
    let run = try MemoryRun("steps: {s1: {}\(steps)}", begin: false)
    run.passes = { _ in "here" }
    try run.begin()
    #expect(run.state.status == .success)
    #expect(run.ledger.questions < 40, "\(run.ledger.questions)")
  }
}
