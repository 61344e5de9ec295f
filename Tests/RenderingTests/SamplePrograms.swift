import Model

/// Programs in the shapes of the acceptance cases, and some that are hard to draw.
enum SamplePrograms {
  static func chain(_ length: Int = 3) -> Program {
    var program = Program(name: "chain")
    for index in 1...length {
      program.events.append(.init(name: "run_step\(index)"))
      var step = step("s\(index)", on: "run_step\(index)", ["echo", "prog\(index)"])
      if index < length { step.triggers.success = ["run_step\(index + 1)"] }
      program.steps.append(step)
    }
    program.start = [.init(event: "run_step1")]
    return program
  }

  static var delay: Program {
    var program = Program(name: "delay")
    program.events = ["run_step1", "run_step2", "run_step3"].map { .init(name: $0) }
    for index in 1...3 {
      var step = Program.Step(name: "s\(index)")
      step.action = .run(["echo", "prog\(index)"])
      if index < 3 { step.triggers.success = ["run_step\(index + 1)"] }
      program.steps.append(step)
      let delay = index == 1 ? TimeSpan.zero : TimeSpan(seconds: 1)
      program.associations.append(.init(event: "run_step\(index)", targets: ["s\(index)"], delay: delay))
    }
    program.start = [.init(event: "run_step1")]
    return program
  }

  static var handled: Program {
    var program = Program(name: "handled")
    program.events = [.init(name: "go"), .init(name: "s1_failed")]
    var first = Program.Step(name: "s1")
    first.on = ["go"]
    first.action = .shell("exit 7")
    first.triggers.failure = ["s1_failed"]
    program.steps = [first, step("cleanup", on: "s1_failed", ["echo", "cleaning"])]
    program.start = [.init(event: "go")]
    return program
  }

  static var join: Program {
    var program = Program(name: "join")
    let both = Expression.all([.event("done_step1"), .event("done_step2")])
    program.events = [
      .init(name: "run_step1"), .init(name: "done_step1"), .init(name: "run_step2"),
      .init(name: "done_step2"),
      .init(name: "run_step3", when: both),
    ]
    var first = step("s1", on: "run_step1", ["echo", "one"])
    first.triggers.complete = ["done_step1", "run_step2"]
    var second = step("s2", on: "run_step2", ["cat", "one"])
    second.triggers.complete = ["done_step2"]
    program.steps = [first, second, step("s3", on: "run_step3", ["echo", "end"])]
    program.start = [.init(event: "run_step1", sequence: Sequence("3"))]
    return program
  }

  static var nested: Program {
    var program = Program(name: "loop")
    program.events = ["go", "outer_body", "inner_body", "work_done", "inner_over", "outer_over"].map {
      .init(name: $0)
    }
    var outer = Program.Loop(name: "outer", over: .list([.string("a"), .string("b")]))
    outer.on = ["go"]
    outer.start = ["outer_body"]
    outer.until = ["inner_over"]
    outer.triggers.success = ["outer_over"]
    var inner = Program.Loop(name: "inner", over: .list([.integer(1), .integer(2)]))
    inner.on = ["outer_body"]
    inner.start = ["inner_body"]
    inner.until = ["work_done"]
    inner.triggers.success = ["inner_over"]
    program.loops = [outer, inner]
    var work = Program.Step(name: "work")
    work.on = ["inner_body"]
    work.action = .shell("echo \"$outer$EVENTOR_LOOP_ITEM\" >> \"$CASE_DIR/journal\"")
    work.triggers.complete = ["work_done"]
    program.steps = [work, step("last", on: "outer_over", ["echo", "end"])]
    program.start = [.init(event: "go", sequence: Sequence("0"))]
    return program
  }

  /// One event, `width` steps, and one that waits for all of them.
  static func fanOut(_ width: Int = 20) -> Program {
    var program = Program(name: "fan-out")
    program.events = [.init(name: "go")]
    for index in 0..<width { program.steps.append(step("work\(index)", on: "go", ["make", "part\(index)"])) }
    var last = Program.Step(name: "collect")
    last.after = program.steps.map(\.name)
    last.action = .run(["make", "all"])
    program.steps.append(last)
    return program
  }

  /// Something of everything: groups, conditions in conditions, `after`, `foreach`, a loop, failure paths.
  static var nightly: Program {
    var program = Program(name: "nightly")
    let ready = Expression.all([.event("built"), .any([.event("data_ready"), .event("data_old")])])
    program.events = [
      .init(name: "run_build"), .init(name: "built"), .init(name: "build_failed"), .init(name: "data_ready"),
      .init(name: "data_old"), .init(name: "both_done", when: ready),
      .init(name: "go_by_hand", external: true),
      .init(name: "site"), .init(name: "site_over"), .init(name: "all_sites"), .init(name: "a_site_failed"),
    ]
    var build = step("build", on: "run_build", ["make", "-j4"])
    build.host = "s1"
    build.triggers.success = ["built"]
    build.triggers.failure = ["build_failed"]
    var fetch = Program.Step(name: "fetch")
    fetch.group = "builders"
    fetch.action = .shell("curl -sf https://example.org/data | tar xz")
    fetch.triggers.success = ["data_ready"]
    fetch.triggers.failure = ["data_old"]
    var test = Program.Step(name: "test")
    test.after = ["build"]
    test.forEach = .init(over: .list(["unit", "smoke", "slow"].map { .string($0) }))
    test.action = .run(["make", "test-${loop.item}"])
    var sites = Program.Loop(name: "sites", over: .reference("${param.sites}"))
    sites.on = ["both_done"]
    sites.start = ["site"]
    sites.until = ["site_over"]
    sites.triggers.success = ["all_sites"]
    sites.triggers.failure = ["a_site_failed"]
    program.loops = [sites]
    var copy = step("copy", on: "site", ["rsync", "-a", "out/", "${loop.item}:/srv"])
    copy.triggers.failure = ["site_over"]
    var restart = Program.Step(name: "restart")
    restart.after = ["copy"]
    restart.action = .run(["ssh", "${loop.item}", "systemctl restart app"])
    restart.triggers.complete = ["site_over"]
    var report = step(
      "report", on: "all_sites", ["mail", "-s", "done & <dusted> \"now\"", "ops@example.org"])
    report.on.append("go_by_hand")
    var archive = Program.Step(name: "archive")
    archive.after = ["report", "test"]
    program.steps = [
      build, fetch, test, copy, restart, report, archive,
      step("alarm", on: "build_failed", ["page", "ops"]), step("undo", on: "a_site_failed", ["./undo.sh"]),
    ]
    program.associations = [.init(event: "build_failed", targets: ["report"], delay: TimeSpan(seconds: 10))]
    return program
  }

  /// Events that raise each other, under a name full of what formats treat specially.
  static var circle: Program {
    var program = Program(name: "circle <&\"]|\\ \u{1B}[2J")
    program.events = [.init(name: "a"), .init(name: "b"), .init(name: "c")]
    program.associations = [
      .init(event: "a", targets: ["b"]), .init(event: "b", targets: ["c"], delay: TimeSpan(seconds: 5)),
      .init(event: "c", targets: ["a", "s"]),
    ]
    var step = Program.Step(name: "s")
    step.action = .run(["printf", "%s\n", "\"<b>\" & `x` #1; \\ | }"])
    program.steps = [step]
    program.start = [.init(event: "a")]
    return program
  }

  static func step(_ name: String, on event: String, _ words: [String]) -> Program.Step {
    var step = Program.Step(name: name)
    step.on = [event]
    step.action = .run(words)
    return step
  }
}
