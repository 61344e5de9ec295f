import Testing

@testable import Model

@Suite("Programs built in Swift are held to the same rules as files")
struct ValidationTests {
  private func said(_ program: Program) -> [String] {
    program.problems().map { "\($0.severity) \($0.path): \($0.message)" }
  }

  @Test("names written twice, which no file can")
  func duplicates() {
    var program = Program(name: "p")
    program.events = [.init(name: "e"), .init(name: "e")]
    program.steps = [.init(name: "s"), .init(name: "s")]
    program.groups = [.init(name: "g"), .init(name: "g")]
    for index in program.groups.indices { program.groups[index].hosts = ["h"] }
    program.resources = [
      .init(name: "r", capacity: 1, scope: .host), .init(name: "r", capacity: 1, scope: .host),
    ]
    program.parameters = [.init(name: "x", kind: .any), .init(name: "x", kind: .any)]
    #expect(
      said(program) == [
        "error parameters.x: two parameters are called 'x'", "error groups.g: two groups are called 'g'",
        "error resources.r: two resources are called 'r'", "error events.e: two events are called 'e'",
        "error steps.s: two steps are called 's'",
      ])
  }

  @Test("values no file can hold")
  func values() {
    var program = Program(name: "p")
    program.events = [.init(name: "e")]
    var step = Program.Step(name: "s")
    step.on = ["e"]
    step.action = .run(["a\0b"])
    step.killAfter = TimeSpan(microseconds: -1)
    step.priority = .min
    var retry = Program.Retry(attempts: 1)
    retry.backoff = .nan
    retry.delay = TimeSpan(microseconds: -1)
    step.retry = retry
    program.steps = [step]
    program.associations = [.init(event: "e", targets: [], delay: TimeSpan(microseconds: -1))]
    #expect(
      said(program) == [
        "error steps.s.run[0]: a command can't hold a NUL character",
        "error steps.s.kill_after: 'kill_after' can't be negative",
        "error steps.s.retry.delay: 'delay' can't be negative",
        "error steps.s.retry.backoff: 'backoff' must be more than 0",
        "error steps.s.priority: 'priority' must be from -1000000 to 1000000",
        "error associations[0].to: the association starts nothing",
        "error associations[0].delay: 'delay' can't be negative",
      ])
  }

  @Test("a sound program has no problems")
  func sound() {
    var program = Program(name: "p")
    program.events = [.init(name: "e")]
    var step = Program.Step(name: "s")
    step.on = ["e"]
    step.action = .function(Program.FunctionCall(name: "f"))
    program.steps = [step]
    #expect(program.problems().isEmpty)
  }

  @Test("chains longer than a stack is deep, joins of thousands, and rings")
  func large() {
    let count = 20_000
    var program = Program(name: "p")
    program.steps = (0..<count).map { index in
      var step = Program.Step(name: "s\(index)")
      if index > 0 { step.after = ["s\(index - 1)"] }
      return step
    }
    program.events = (0..<count).map { index in
      .init(name: "e\(index)", when: index > 0 ? .event("e\(index - 1)") : nil)
    }
    var join = Program.Step(name: "join")
    join.after = (0..<count).map { "s\($0)" }
    program.steps.append(join)
    #expect(program.problems().isEmpty)

    program.steps[0].after = ["s\(count - 1)"]
    let problems = program.problems()
    #expect(problems.count == 1)
    #expect(problems.first?.path == "steps.s0.after")
  }

  @Test(
    "what a parameter of a type may be",
    arguments: [
      (Program.Parameter.Kind.number, JSONValue.integer(1), true), (.integer, .number(1.5), false),
      (.any, .null, true), (.string, .null, false), (.list, .array([]), true), (.object, .array([]), false),
      (.boolean, .bool(false), true), (.boolean, .string("true"), false),
    ])
  func kinds(_ kind: Program.Parameter.Kind, _ value: JSONValue, _ isAllowed: Bool) {
    #expect(kind.allows(value) == isAllowed)
  }
}
