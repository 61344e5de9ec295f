import Foundation
import Model
import TestSupport
import Testing

@testable import Eventor

@Suite("Running programs in process")
struct RunningTests {
  struct Broken: Error, CustomStringConvertible {
    let description: String
  }

  @Test("arguments, parameters and results keep their types from step to step", arguments: TestStore.all)
  func values(kind: TestStore.Kind) async throws {
    struct Point: Codable, Sendable, Equatable {
      var x: Double
      var label: String?
    }
    var program = EventProgram("values")
    let factor = program.parameter("factor", default: 2.5)
    let names = program.parameter("names", as: [String].self)
    let start = program.step("start", with: Point(x: 2, label: "é \"q\"\n")) { (point: Point, step) in
      Point(x: try point.x * step.value(of: factor), label: point.label)
    }
    let each = program.forEach("each", over: .parameter(names), after: start, atOnce: 0) {
      (name: String, step) in "\(name) \(step.iteration ?? 0) \(step.sequence)"
    }
    let last = program.step("last", after: each, reading: [start]) { step -> [String] in
      try step.result(of: each).compactMap { $0 } + ["\(try step.result(of: start).x)"]
    }
    try await World.with(kind) { world in
      let run = try await program.run(parameters: [names.set(["a", "b"])], options: world.options).required()
      #expect(try run.result(of: start) == Point(x: 5, label: "é \"q\"\n"))
      #expect(try run.result(of: last) == ["a 1 1/1", "b 2 1/2", "5.0"])
      #expect(try run.result(of: each) == ["a 1 1/1", "b 2 1/2"])
    }
    try await World.with(kind) { world in
      await #expect(throws: RunRefused.self) { try await program.run(options: world.options) }
    }
  }

  @Test("a thrown error is a failure in its words, handled if it raises an event", arguments: TestStore.all)
  func failing(kind: TestStore.Kind) async throws {
    var program = EventProgram("failing")
    let failed = program.event("failed")
    program.step("bad", triggers: .failure(failed)) { _ in throw Broken(description: "out of luck") }
    program.step("mend", on: failed) { _ in }
    try await World.with(kind) { world in
      let run = try await program.run(options: world.options)
      #expect(run.status == .success)
      #expect(run.failures.map(\.message) == ["out of luck"])
    }
    var other = EventProgram("other")
    other.step("bad") { _ in throw Broken(description: "out of luck") }
    try await World.with(kind) { world in
      let error = await #expect(throws: RunFailed.self) {
        try await other.run(options: world.options).required()
      }
      #expect(error?.description.contains("bad/1: out of luck") == true)
    }
  }

  @Test("an attempt that fails is tried again, by its exit code and its number")
  func retries() async throws {
    let attempts = Counter()
    var program = EventProgram("retries")
    let step = program.step("flaky", options: .retry(Retry(attempts: 3))) { step -> Int in
      await attempts.add()
      guard step.attempt == 3 else { throw StepFailure("not yet", exitCode: 75) }
      return step.attempt
    }
    try await World.with { world in
      let run = try await program.run(options: world.options).required()
      #expect(try run.result(of: step) == 3)
      #expect(await attempts.count == 3)
    }
  }

  @Test("a timeout and a silence end what heeds cancellation, as failures")
  func limits() async throws {
    var program = EventProgram("limits")
    program.settings.stopsOnFailure = false
    program.step("long", options: .timeout(.milliseconds(200))) { _ in
      try await Task.sleep(for: .seconds(600))
    }
    program.step("quiet", options: StepOptions { $0.heartbeat = .milliseconds(200) }) { _ in
      try await Task.sleep(for: .seconds(600))
    }
    program.step("beating", options: StepOptions { $0.heartbeat = .seconds(3) }) { step in
      for _ in 0..<90 {
        step.heartbeat()
        try await Task.sleep(for: .milliseconds(40))
      }
    }
    try await World.with { world in
      let run = try await program.run(options: world.options)
      let messages = Dictionary(uniqueKeysWithValues: run.tasks.map { ($0.step, $0.message ?? "") })
      #expect(messages["long"]?.contains("timeout of 0.2s") == true)
      #expect(messages["quiet"]?.contains("no sign of life for 0.2s") == true)
      #expect(run.failures.count == 2 && run.status == .failure)
    }
  }

  @Test("a run in the background is watched to its end", arguments: TestStore.all)
  func watching(kind: TestStore.Kind) async throws {
    var program = EventProgram("watching")
    let first = program.step("first") { _ in }
    program.step("second", after: first) { _ in throw Broken(description: "no") }
    try await World.with(kind) { world in
      let run = try await program.start(options: world.options)
      var seen: [String] = []
      for await event in run.events {
        switch event {
        case .started(let step): seen.append("+\(step.name)/\(step.sequence)")
        case .ended(let step, let status, let message): seen.append("\(step.name) \(status) \(message ?? "")")
        case .over(let status): seen.append("\(status)")
        case .storeLost, .storeFound: break
        }
      }
      #expect(seen == ["+first/1", "first success ", "+second/1", "second failure no", "failure"])
      #expect(try await run.outcome().status == .failure)
    }
  }

  @Test("a run is cancelled from its handle, and its functions learn of it", arguments: TestStore.all)
  func cancelling(kind: TestStore.Kind) async throws {
    let begun = Door()
    let heard = Counter()
    var program = EventProgram("cancelling")
    program.step("waits") { step in
      await begun.open()
      do {
        try await Task.sleep(for: .seconds(600))
      } catch {
        if step.isCancelled { await heard.add() }
        throw error
      }
    }
    try await World.with(kind) { world in
      let run = try await program.start(options: world.options)
      await begun.wait()
      try await run.cancel()
      let outcome = try await run.outcome()
      #expect(outcome.status == .cancelled && outcome.tasks.map(\.status) == [.cancelled])
      #expect(await heard.count == 1)
    }
  }

  @Test("who cancels the task that runs a program has it finish what runs; the run can be continued")
  func draining() async throws {
    let (begun, go) = (Door(), Door())
    var program = EventProgram("draining")
    let first = program.step("first") { _ in
      await begun.open()
      await go.wait()
    }
    program.step("second", after: first) { _ in }
    try await World.with { world in
      let options = world.options
      let task = Task { [program] in try await program.run(options: options) }
      await begun.wait()
      task.cancel()
      await go.open()
      let drained = try await task.value
      #expect(drained.status == .running)
      #expect(drained.tasks.first?.status == .success)
      let run = try await program.run(.continue(), options: options)
      #expect(run.id == drained.id && run.status == .success)
      #expect(run.tasks.count == 2)
    }
  }

  @Test("a wait that is cancelled leaves the run alone")
  func waiting() async throws {
    let (begun, go) = (Door(), Door())
    var program = EventProgram("waiting")
    program.step("only") { _ in
      await begun.open()
      await go.wait()
    }
    try await World.with { world in
      let run = try await program.start(options: world.options)
      await begun.wait()
      let wait = Task { try await run.outcome() }
      wait.cancel()
      await #expect(throws: CancellationError.self) { try await wait.value }
      await go.open()
      #expect(try await run.outcome().status == .success)
    }
  }

  @Test("slices go on where the one before has stopped, and delays are kept", arguments: TestStore.all)
  func slices(kind: TestStore.Kind) async throws {
    var program = EventProgram("slices")
    let (now, later) = (program.event("now"), program.event("later"))
    program.associate(now, to: later, after: .seconds(6))
    program.step("first", on: now) { _ in }
    program.step("second", on: later) { _ in }
    program.start(now)
    try await World.with(kind) { world in
      let slice = world.options { $0.maxLoops = 1 }
      let first = try await program.run(options: slice)
      #expect(first.status == .running && first.tasks.map(\.step) == ["first"])
      let run = try await program.run(.continue(), options: world.options)
      #expect(run.id == first.id && run.status == .success && run.tasks.map(\.step) == ["first", "second"])
    }
  }

  @Test(
    "a recovery runs what had failed, by the functions of now, and repeats what had not",
    arguments: TestStore.all)
  func recovering(kind: TestStore.Kind) async throws {
    let made = Counter()
    func program(isMended: Bool) -> (EventProgram, ParameterHandle<Int>, StepHandle<Int>) {
      var program = EventProgram("recovering")
      let x = program.parameter("x", default: 1)
      let first = program.step("first") { _ -> Int in
        await made.add()
        return 7
      }
      let second = program.step("second", after: first) { step -> Int in
        guard isMended else { throw Broken(description: "not mended") }
        return try step.result(of: first) * step.value(of: x) + step.recovery
      }
      return (program, x, second)
    }
    try await World.with(kind) { world in
      let (broken, _, _) = program(isMended: false)
      let failed = try await broken.run(options: world.options)
      #expect(failed.status == .failure)
      let (mended, x, second) = program(isMended: true)
      let run = try await mended.run(.recover(), parameters: [x.set(3)], options: world.options).required()
      #expect(run.id == failed.id)
      #expect(try run.result(of: second) == 22)
      #expect(await made.count == 1)
      await #expect(throws: (any Error).self) {
        try await EventProgram("unheard-of").run(.recover(), options: world.options)
      }
    }
  }

  @Test("events from outside and from steps start what waits for them", arguments: TestStore.all)
  func events(kind: TestStore.Kind) async throws {
    var program = EventProgram("events")
    let go = program.event("go", external: true)
    let (left, right) = (program.event("left"), program.event("right"))
    let both = program.event("both", when: left && right)
    program.step("waits") { step in try step.trigger(left) }
    program.step("goes", on: go) { step in
      try step.trigger(right)
      #expect(throws: StepValueError.self) { try step.trigger(right, sequence: "no such") }
    }
    program.step("joins", on: both) { _ in }
    // It keeps the run from ending before the event comes.
    let open = Door()
    program.step("stays") { _ in await open.wait() }
    try await World.with(kind) { world in
      let run = try await program.start(options: world.options)
      #expect(try await run.trigger(go))
      #expect(try await run.trigger(go) == false)
      await open.open()
      let outcome = try await run.outcome()
      #expect(outcome.status == .success && outcome.tasks.map(\.step).contains("joins"))
    }
  }

  @Test("what a step asks for that is not there is named, with the way to mend it")
  func missing() async throws {
    var program = EventProgram("missing")
    let none = program.step("none") { _ in }
    let other = program.step("other") { _ in 1 }
    program.step("asks", after: none) { step in
      let wrong = #expect(throws: StepValueError.self) { try step.result(of: none) }
      #expect(wrong?.description.contains("has given no result") == true)
      let undeclared = #expect(throws: StepValueError.self) { try step.result(of: other) }
      #expect(undeclared?.description.contains("reading:") == true)
      let item = #expect(throws: StepValueError.self) { try step.item(as: Int.self) }
      #expect(item?.description.contains("in no loop") == true)
      let typed = #expect(throws: StepValueError.self) { try step.argument(as: Int.self) }
      #expect(typed?.description.contains("which is no Int") == true)
    }
    try await World.with { world in _ = try await program.run(options: world.options).required() }
  }

  @Test("progress, notes and lines of the log are there for those who look", arguments: TestStore.all)
  func notes(kind: TestStore.Kind) async throws {
    let go = Door()
    var program = EventProgram("notes")
    let hush = program.secret("hush")
    program.step("tells") { step in
      let secret = try step.value(of: hush)
      step.logger.warning("the secret is \(secret)", metadata: ["a": "b"])
      step.report(progress: 0.25, "a quarter")
      step.report(progress: 0.5)
      step.heartbeat()
      await go.wait()
    }
    try await World.with(kind) { world in
      let run = try await program.start(parameters: [hush.set("sesame")], options: world.options)
      var note = try await run.now().tasks.first?.note
      while note?.fraction != 0.5 {
        try await Task.sleep(for: .milliseconds(20))
        note = try await run.now().tasks.first?.note
      }
      #expect(note?.message == "a quarter")
      await go.open()
      let task = try #require(try await run.outcome().tasks.first)
      let log = try String(contentsOfFile: try #require(task.logPath), encoding: .utf8)
      #expect(log.contains("the secret is ***") && log.contains("a=b"), "\(log)")
    }
  }

  @Test("a thousand steps fan out and join, no more of them at once than allowed")
  func fanOut() async throws {
    let running = Counter()
    var program = EventProgram("fan")
    let begin = program.step("begin") { _ in Array(1...1000) }
    let each = program.forEach("each", over: .result(of: begin), after: begin, atOnce: 0) {
      (number: Int, _) -> Int in
      await running.enter()
      await Task.yield()
      await running.leave()
      return number * 2
    }
    let join = program.step("join", after: each) { step in
      try step.result(of: each).reduce(0) { $0 + ($1 ?? 0) }
    }
    try await World.with { world in
      let run = try await program.run(options: world.options { $0.maxConcurrent = 16 }).required()
      #expect(try run.result(of: join) == 1_001_000)
      #expect(await running.count == 1000)
      #expect(await running.most <= 16)
    }
  }

  @Test("loops run in sequences of their own, nested ones too")
  func loops() async throws {
    var program = EventProgram("loops")
    let (outer, inner, over) = (program.event("outer"), program.event("inner"), program.event("over"))
    let seen = Seen()
    let first = program.loop("first", over: ["a", "b"], start: [outer], triggers: .success(over))
    let second = program.loop("second", over: .range(1...2), on: outer, start: [inner], atOnce: 0)
    program.step("body", on: inner) { step in
      await seen.add("\(step.sequence) \(try step.item(of: second))")
    }
    program.step("last", on: over) { _ in }
    _ = first
    try await World.with { world in
      let run = try await program.run(options: world.options).required()
      #expect(await seen.all.sorted() == ["1/1/1 1", "1/1/2 2", "1/2/1 1", "1/2/2 2"])
      #expect(run.report.loops.count == 3)
    }
  }

  @Test(
    "what is submitted has its defaults, and of a secret the name of it in a vault alone",
    arguments: TestStore.all
  )
  func submitted(kind: TestStore.Kind) async throws {
    var program = EventProgram("submitted")
    let x = program.parameter("x", default: 1)
    _ = program.parameter("y", default: ["a"])
    let hush = program.secret("hush")
    program.step("reads", host: "s1", options: StepOptions { $0.environment = ["HUSH": hush.reference] }) {
      _ in
    }
    try await World.with(kind) { world in
      let store = world.options.store
      await #expect(throws: RunRefused.self) { try await program.submit(to: store) }
      await #expect(throws: RunRefused.self) {
        try await program.submit(to: store, parameters: [hush.set("in clear")])
      }
      await #expect(throws: RunRefused.self) {
        try await program.run(parameters: [hush.set(fromVault: "name")], options: world.options)
      }
      let run = try await program.submit(
        to: store, parameters: [x.set(2), hush.set(fromVault: "name")], options: RunOptions { $0.runID = "r" }
      )
      let outcome = try await run.now()
      #expect(run.id == "r" && outcome.status == .running)
      #expect(outcome.report.run.parameters["x"] == .integer(2))
      #expect(outcome.report.run.parameters["y"] == .array([.string("a")]))
      #expect(outcome.report.run.parameters["hush"] == .string("@secret:name"))
      try await run.cancel()
      #expect(try await run.outcome().status == .cancelled)
    }
  }

  @Test(
    "several programs of one process keep their runs in one store, side by side", arguments: TestStore.all)
  func sideBySide(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let options = world.options
      try await withThrowingTaskGroup(of: Int?.self) { group in
        for number in 0..<4 {
          group.addTask {
            var program = EventProgram("p\(number)")
            let step = program.step("s", with: number) { (number: Int, _) in number * number }
            return try await program.run(options: options).required().result(of: step)
          }
        }
        var all: [Int] = []
        for try await result in group { all.append(result ?? -1) }
        #expect(all.sorted() == [0, 1, 4, 9])
      }
    }
  }

  @Test("without a word a run is kept in memory, and several go on side by side in one process")
  func memory() async throws {
    try await withThrowingTaskGroup(of: Int?.self) { group in
      for number in 0..<4 {
        group.addTask {
          var program = EventProgram("p\(number)")
          let step = program.step("s", with: number) { (number: Int, _) in number * number }
          return try await program.run().required().result(of: step)
        }
      }
      var all: [Int] = []
      for try await result in group { all.append(result ?? -1) }
      #expect(all.sorted() == [0, 1, 4, 9])
    }
  }
}

/// What was seen, from anywhere.
actor Seen {
  private(set) var all: [String] = []

  func add(_ text: String) { all.append(text) }
}
