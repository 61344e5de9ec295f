import Testing

@testable import Model

@Suite("A plan has one kind of edge for on, after, foreach and associations")
struct PlanTests {
  private func step(_ name: String, _ change: (inout Program.Step) -> Void = { _ in }) -> Program.Step {
    var step = Program.Step(name: name)
    change(&step)
    return step
  }

  @Test("on, after one, after several, and associations with delays")
  func edges() {
    var program = Program(name: "p")
    program.events = [.init(name: "go"), .init(name: "next")]
    program.steps = [
      step("a") { $0.on = ["go"] }, step("b") { $0.after = ["a"] },
      step("c") { $0.after = ["a", "b", "nowhere"] },
      step("d"),
    ]
    program.associations = [
      .init(event: "go", targets: ["next", "d", "nobody"], delay: TimeSpan(seconds: 3))
    ]
    let plan = Plan(program)

    #expect(plan.launches["go"]?.map(\.target) == [.step("a"), .event("next"), .step("d")])
    #expect(plan.launches["go"]?.map(\.delay) == [.zero, TimeSpan(seconds: 3), TimeSpan(seconds: 3)])
    #expect(plan.launches["@ok:a"]?.map(\.target) == [.step("b")])
    #expect(plan.launches["@after:c"]?.map(\.target) == [.step("c")])
    #expect(plan.expressions["@after:c"] == .all([.event("@ok:a"), .event("@ok:b")]))
    #expect(plan.dependents["@ok:b"] == ["@after:c"])
    #expect(plan.steps["a"]?.successMarker == "@ok:a")
    #expect(plan.steps["d"]?.successMarker == nil)
    #expect(plan.starts == [Program.Start(event: "go")])
    #expect(plan.initial.isEmpty)
    #expect(Plan.isInternal("@ok:a"))
    #expect(!Plan.isInternal("ok"))
  }

  @Test("a foreach is a loop that raises what its step says")
  func forEach() {
    var program = Program(name: "p")
    program.events = [.init(name: "done")]
    program.steps = [
      step("a") {
        $0.forEach = Program.ForEach(over: .list([.integer(1)]))
        $0.triggers.success = ["done"]
      }, step("b") { $0.after = ["a"] },
    ]
    let plan = Plan(program)
    #expect(plan.loops["a"]?.body == [.step("a")])
    #expect(plan.loops["a"]?.triggers.success == ["done"])
    #expect(plan.loops["a"]?.successMarker == "@ok:a")
    #expect(plan.steps["a"]?.triggers == Program.Triggers())
    #expect(plan.steps["a"]?.successMarker == nil)
    #expect(plan.initial.map(\.target) == [.loop("a")])
  }

  @Test("what begins a run: unraised events, or what start says, and nodes that nothing starts")
  func beginning() {
    var program = Program(name: "p")
    program.events = [
      .init(name: "a"), .init(name: "b"), .init(name: "c", external: true),
      .init(name: "d", when: .event("a")),
    ]
    program.steps = [step("s") { $0.triggers.success = ["b"] }]
    #expect(program.eventsNothingRaises == ["a"])
    #expect(Plan(program).starts == [Program.Start(event: "a")])
    program.start = [.init(event: "b", sequence: Sequence("7")), .init(event: "a", sequence: Sequence("7"))]
    let plan = Plan(program)
    #expect(plan.initial.map(\.target) == [.step("s")])
    #expect(plan.initial.map(\.sequence) == [Sequence("7")])
    #expect(plan.starts(in: Sequence("x")).events.map(\.sequence) == [Sequence("x"), Sequence("x")])
    #expect(plan.starts(in: nil).events == plan.starts)
  }

  @Test("a group gives what its member leaves unsaid")
  func groups() {
    var program = Program(name: "p")
    var group = Program.Group(name: "g")
    group.hosts = ["h1", "h2"]
    group.environment = ["A": "group", "B": "group"]
    group.timeout = TimeSpan(seconds: 9)
    group.maxConcurrent = 2
    program.groups = [group]
    program.steps = [
      step("s") {
        $0.group = "g"
        $0.environment = ["A": "own"]
        $0.workingDirectory = "/own"
      }
    ]
    let planned = Plan(program).steps["s"]
    #expect(planned?.definition.environment == ["A": "own", "B": "group"])
    #expect(planned?.definition.workingDirectory == "/own")
    #expect(planned?.definition.timeout == TimeSpan(seconds: 9))
    #expect(planned?.groupHosts == ["h1", "h2"])
    #expect(planned?.groupLimit == 2)
  }
}
