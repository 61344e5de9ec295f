import Engine
import Model
import Testing

@Suite("Events (rules 1 to 3)")
struct RaisingTests {
  @Test("an event is triggered once per sequence, and a second time changes nothing and says so")
  func oncePerSequence() throws {
    let run = try MemoryRun("events: {e: {external: true}}\nsteps: {s: {on: e}, other: {}}")
    #expect(try run.trigger("e", in: "1"))
    #expect(try !run.trigger("e", in: "1"))
    #expect(run.events == ["e/1"])
    #expect(run.ready == ["other/1", "s/1"])
    try run.end("s/1", "other/1")
    #expect(run.state.status == .success)
  }

  @Test("another sequence is another pass through the graph")
  func otherSequence() throws {
    let run = try MemoryRun("events: {e: {}, done: {}}\nsteps: {s: {on: e, triggers: {success: [done]}}}")
    #expect(try run.trigger("e", in: "2"))
    try run.end("s/1")
    #expect(run.events == ["e/1", "e/2", "done/1"])
    try run.end("s/2")
    #expect(run.events.last == "done/2")
    #expect(run.state.status == .success)
  }

  @Test("a step that two events start has one task")
  func oneTaskForTwoEvents() throws {
    let run = try MemoryRun("events: {a: {}, b: {}}\nsteps: {s: {on: [a, b]}}")
    #expect(run.ready == ["s/1"])
    #expect(run.ledger.tasks.count == 1)
  }

  @Test(
    "an expression is raised as soon as it is true, once",
    arguments: [
      ("a and b", ["a"], false), ("a and b", ["a", "b"], true), ("a or b", ["b"], true),
      ("a and (b or c)", ["b", "c"], false), ("a and (b or c)", ["a", "c"], true),
      ("(a or b) and (b or c)", ["b"], true), ("a or b and c", ["c"], false), ("a or b and c", ["a"], true),
    ])
  func expressions(text: String, triggered: [String], isTrue: Bool) throws {
    let run = try MemoryRun(
      "events: {a: {external: true}, b: {external: true}, c: {external: true}, x: {when: \(text)}}\n"
        + "steps: {s: {on: x}, other: {}}")
    for event in triggered { try run.trigger(event) }
    #expect(run.events.contains("x/1") == isTrue)
    for event in ["a", "b", "c"] { try run.trigger(event) }
    #expect(run.events.filter { $0 == "x/1" }.count == 1)
    #expect(run.ready.filter { $0 == "s/1" }.count == 1)
  }

  @Test("operands of other sequences don't count")
  func operandsOfOneSequence() throws {
    let run = try MemoryRun(
      "events: {a: {external: true}, b: {external: true}, x: {when: a and b}}\nsteps: {s: {on: x}, other: {}}"
    )
    try run.trigger("a", in: "1")
    try run.trigger("b", in: "2")
    #expect(!run.events.contains { $0.hasPrefix("x") })
    try run.trigger("a", in: "2")
    #expect(run.events.last == "x/2")
  }

  @Test("both operands of a join may come in one transition")
  func operandsAtOnce() throws {
    let run = try MemoryRun("steps: {a: {}, b: {}, s: {after: [a, b]}}")
    try run.end("a/1", "b/1")
    #expect(run.ready == ["s/1"])
  }

  @Test("events start events, through any number of associations, and a ring of them ends")
  func chainsAndRings() throws {
    let run = try MemoryRun(
      """
      events: {a: {external: true}, b: {}, c: {}}
      associations: [{event: a, to: [b]}, {event: b, to: [c]}, {event: c, to: [a]}]
      steps: {s: {on: c}, other: {}}
      """)
    try run.trigger("a")
    #expect(run.events == ["a/1", "b/1", "c/1"])
    #expect(run.ready.contains("s/1"))
  }

  @Test("a delayed step waits, and starts when its time has come")
  func delayedStep() throws {
    let run = try MemoryRun(
      "events: {e: {}}\nassociations: [{event: e, to: [s], delay: 10s}]\nsteps: {s: {}}")
    #expect(run.waiting == ["s/1"])
    try run.pass(9)
    #expect(run.waiting == ["s/1"])
    try run.pass(1)
    #expect(run.ready == ["s/1"])
  }

  @Test("an earlier cause brings a delayed step forward, a later one changes nothing")
  func broughtForward() throws {
    let run = try MemoryRun(
      """
      events: {e: {}, soon: {external: true}, now: {external: true}, late: {external: true}}
      associations: [{event: e, to: [s], delay: 60s}, {event: soon, to: [s], delay: 5s}, {event: late, to: [s], delay: 1h}]
      steps: {s: {on: now}}
      """)
    let first = try #require(try run.fact("s/1").dueAt)
    try run.trigger("late")
    #expect(try run.fact("s/1").dueAt == first)
    try run.trigger("soon")
    #expect(try #require(try run.fact("s/1").dueAt) < first)
    try run.trigger("now")
    #expect(run.ready == ["s/1"])
    #expect(run.ledger.tasks.count == 1)
  }

  @Test("a delayed event is waited for, and the run goes on until it has come")
  func delayedEvent() throws {
    let run = try MemoryRun(
      "events: {e: {}, f: {}}\nassociations: [{event: e, to: [f], delay: 10s}]\nsteps: {s: {on: e}, t: {on: f}}"
    )
    try run.end("s/1")
    #expect(run.state.status == .running)
    try run.pass(10)
    #expect(run.events == ["e/1", "f/1"])
    try run.end("t/1")
    #expect(run.state.status == .success)
  }

  @Test("a program that starts nothing is over at once")
  func nothingToDo() throws {
    let run = try MemoryRun("events: {e: {}}")
    #expect(run.state.status == .success)
  }

  @Test("a join of 10,000 asks for a bounded number of events per end, when ends come in order")
  func largeJoin() throws {
    let count = 10_000
    var program = Program(name: "t")
    program.steps = (0..<count).map { Program.Step(name: "s\($0)") }
    var last = Program.Step(name: "all")
    last.after = program.steps.map(\.name)
    program.steps.append(last)
    let run = MemoryRun(of: program)
    try run.beginUnchecked()
    let before = run.ledger.asked
    let sample = 100
    for index in 0..<sample { try run.endUnchecked("s\(index)/1") }
    let perEnd = Double(run.ledger.asked - before) / Double(sample)
    #expect(perEnd <= 16, "\(perEnd) names per end")
  }

  @Test("the last operand of a large join raises it, whichever it is", arguments: [0, 1, 57, 98, 99])
  func largeJoinCompletes(last: Int) throws {
    let steps = (0..<100).map { "  s\($0): {}" }.joined(separator: "\n")
    let names = (0..<100).map { "s\($0)" }.joined(separator: ", ")
    let run = try MemoryRun("steps:\n\(steps)\n  all: {after: [\(names)]}")
    for index in (0..<100).shuffled() where index != last { try run.end("s\(index)/1") }
    #expect(!run.ready.contains("all/1"))
    try run.end("s\(last)/1")
    #expect(run.ready == ["all/1"])
  }
}
