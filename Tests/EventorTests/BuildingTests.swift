import Documents
import Model
import Testing

@testable import Eventor

@Suite("Building programs")
struct BuildingTests {
  @Test("what is built is what a file says")
  func sameAsFile() throws {
    var program = EventProgram("p")
    program.settings.maxConcurrent = 4
    program.settings.stopsOnFailure = false
    program.settings.defaultHost = "h"
    program.settings.timeout = .seconds(3600)
    let (a, b, c) = (program.event("a"), program.event("b"), program.event("c"))
    let hand = program.event("hand", external: true)
    let both = program.event("both", when: a && (b || c) && hand)
    let x = program.parameter("x", default: 9, choices: [9, 10])
    _ = program.parameter("list", default: ["a"], description: "what to do")
    let builders = program.group("builders", hosts: ["s1", "s2"], maxConcurrent: 2)
    let licence = program.resource(
      "licence", capacity: 2, scope: .cluster, sensor: ["lmfree"], every: .seconds(60))
    program.command(
      "one", ["echo", x.reference], on: a, host: "s1", triggers: .success(b).failure(c).complete(both),
      options: StepOptions {
        $0.timeout = .seconds(90)
        $0.retry = Retry(
          attempts: 3, delay: .milliseconds(500), backoff: 2, maxDelay: .seconds(60), jitter: 0.1,
          onExit: [.exit(75), .signal], notOnExit: [.timeout])
        $0.acquires = [licence: 1]
        $0.environment = ["A": "1"]
        $0.onCutOff = .stop
        $0.rerunsWhenLost = false
        $0.afterSuccess = .rerun
        $0.priority = 3
        $0.memoryLimit = 1 << 30
        $0.coreLimit = 1.5
        $0.precondition = ["test", "-e", "/"]
      })
    let two = program.shell("two", "echo 2", on: both, options: StepOptions { $0.group = builders })
    program.empty("three", after: two)
    let each = program.loop(
      "each", over: .range(1...3), on: c, start: [a], until: [b], atOnce: 2, wait: .any, triggers: .success(c)
    )
    program.empty("four", after: each, two)
    program.associate(a, to: c, after: .seconds(10))
    program.start(a, sequence: "night")
    program.schedule(
      "daily", cron: "0 2 * * *", timeZone: "Europe/Berlin", event: a, missed: .all, overlap: .queue,
      lateAfter: .seconds(1800))
    let file = """
      program: p
      config: {max_concurrent: 4, stop_on_failure: false, default_host: h, timeout: 1h}
      events: {a: {}, b: {}, c: {}, hand: {external: true}, both: {when: (a and (b or c)) and hand}}
      parameters: {x: {type: integer, default: 9, choices: [9, 10]}, list: {type: list, default: [a], description: what to do}}
      groups: {builders: {hosts: [s1, s2], max_concurrent: 2}}
      resources: {licence: {capacity: 2, scope: cluster, sensor: [lmfree], every: 60s}}
      steps:
        one:
          on: a
          host: s1
          run: [echo, "${param.x}"]
          triggers: {success: b, failure: c, complete: both}
          timeout: 90s
          retry: {attempts: 3, delay: 0.5, backoff: 2, max_delay: 1m, jitter: 0.1, on_exit: [75, signal], not_on_exit: [timeout]}
          acquires: {licence: 1}
          env: {A: "1"}
          on_cut_off: stop
          on_lost: fail
          recovery: {success: rerun}
          priority: 3
          limits: {memory: 1G, cpu: 1.5}
          precondition: [test, -e, /]
        two: {on: both, shell: echo 2, group: builders}
        three: {after: [two]}
        four: {after: [each, two]}
      loops: {each: {over: {from: 1, to: 3}, on: c, start: a, until: b, max_concurrent: 2, wait: any, triggers: {success: c}}}
      associations: [{event: a, to: c, delay: 10s}]
      start: [{event: a, sequence: night}]
      schedule: [{name: daily, cron: "0 2 * * *", timezone: Europe/Berlin, event: a, catch_up: all, overlap: queue, late_after: 30m}]
      """
    let read = try ProgramDocument.parse(file, file: "p.yaml").program
    let built = program.finished
    #expect(built.events == read.events)
    #expect(built.parameters == read.parameters)
    #expect(built.groups == read.groups)
    #expect(built.resources == read.resources)
    for (ours, theirs) in zip(built.steps, read.steps) { #expect(ours == theirs) }
    #expect(built.loops == read.loops)
    #expect(built.associations == read.associations && built.start == read.start)
    #expect(built.schedule == read.schedule)
    #expect(built.config == read.config)
    #expect(built == read)
    #expect(program.problems().filter { $0.severity == .error }.isEmpty)
  }

  @Test("everything wrong is named at once, and keeps the program from running")
  func problems() async throws {
    var program = EventProgram("p")
    program.step("s") { _ in }
    program.step("s", host: "no host\n") { _ in }
    program.step("nan", with: Double.nan) { (_: Double, _) in }
    program.step("late", options: StepOptions { $0.heartbeat = .zero }) { _ in }
    program.command("deaf", ["true"], options: StepOptions { $0.heartbeat = .seconds(1) })
    let problems = program.problems().filter { $0.severity == .error }
    let text = problems.map { "\($0.path): \($0.message)" }.joined(separator: "\n")
    #expect(problems.count == 5, "\(text)")
    #expect(text.contains("steps.nan.argument") && text.contains("heartbeat"), "\(text)")
    await #expect(throws: InvalidProgram.self) { try await program.run() }
    await #expect(throws: InvalidProgram.self) { try await program.submit(to: .memory) }
  }

  @Test("conditions are what their operators say, and print as a file has them")
  func conditions() {
    var program = EventProgram("p")
    let (a, b, c) = (program.event("a"), program.event("b"), program.event("c"))
    #expect((a && b).description == "a and b")
    #expect((a || b && c).description == "a or b and c")
    #expect(((a || b) && c).description == "(a or b) and c")
    #expect((a && (b || c)) == .all([EventCondition(a), .any([EventCondition(b), EventCondition(c)])]))
  }

  @Test("a step reads what it waits for and what it says it reads, and nothing else")
  func reads() {
    var program = EventProgram("p")
    let one = program.step("one") { _ in 1 }
    let two = program.step("two") { _ in 2 }
    program.step("three", after: one, reading: [two]) { _ in 3 }
    guard case .function(let call) = program.finished.steps[2].action else {
      Issue.record("no function")
      return
    }
    #expect(call.reads == ["one", "two"])
  }
}
