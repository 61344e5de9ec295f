import Eventor

/// The programs in the articles and doc comments: `DocumentationTests` holds each block of code against these lines.
enum Snippets {
  static var programs: [EventProgram] {
    [Build.program(), chain(), events(), values(), arguments(), loops(), placed(), commands(), limits()]
  }

  static func chain() -> EventProgram {
    var program = EventProgram("build")
    let compile = program.step("compile") { _ in try await make("all") }
    let test = program.step("test", after: compile) { _ in try await make("test") }
    program.step("publish", after: test) { _ in try await make("publish") }
    return program
  }

  static func events() -> EventProgram {
    var program = EventProgram("events")
    let passed = program.event("passed")
    let broken = program.event("broken")
    program.step("lint", triggers: .success(passed).failure(broken)) { _ in try await make("lint") }
    program.step("tell", on: broken) { step in step.logger.error("lint has found something") }

    let documented = program.event("documented")
    let excused = program.event("excused", external: true)
    program.step("docs", triggers: .success(documented)) { _ in try await make("docs") }

    let mayShip = program.event("may_ship", when: passed && (documented || excused))
    program.step("ship", on: mayShip) { _ in try await make("ship") }

    let shipped = program.event("shipped")
    program.step("deliver", on: mayShip, triggers: .success(shipped)) { _ in try await make("deliver") }
    let ask = program.step("ask") { _ in try await make("ask-for-opinion") }
    program.associate(shipped, to: ask, after: .seconds(3 * 24 * 3600))

    program.schedule("weekdays", cron: "0 2 * * 1-5", timeZone: "Europe/Berlin", event: passed)
    return program
  }

  struct Sample: Codable {
    let name: String
    let grams: Int
  }

  static func values() -> EventProgram {
    var program = EventProgram("values")
    let limit = program.parameter("limit", default: 20, description: "grams that are too many")

    let weigh = program.step("weigh") { _ in Sample(name: "first", grams: 12) }

    program.step("judge", after: weigh) { step in
      let sample = try step.result(of: weigh)
      guard sample.grams <= (try step.value(of: limit)) else {
        throw StepFailure("\(sample.name) is too heavy", exitCode: 3)
      }
    }
    return program
  }

  enum Side: String, Codable { case left, right }

  static func arguments() -> EventProgram {
    var program = EventProgram("arguments")
    let weigh: @Sendable (Side, StepContext) async throws -> Int = { side, step in
      step.logger.info("weighing \(side)")
      return try await grams(of: side.rawValue)
    }
    program.step("weigh_left", with: .left, run: weigh)
    program.step("weigh_right", with: .right, run: weigh)
    return program
  }

  static func loops() -> EventProgram {
    var program = EventProgram("loops")
    let weights = program.forEach("weigh", over: ["a", "b", "c"], atOnce: 2) { name, _ in
      try await grams(of: name)
    }
    program.step("sum", after: weights) { step in
      try step.result(of: weights).compactMap { $0 }.reduce(0, +)
    }

    let begin = program.event("begin_site")
    let over = program.event("site_over")
    let sites = program.loop("sites", over: ["lab1", "lab2"], start: [begin], until: [over], atOnce: 0)
    let arrive = program.step("arrive", on: begin) { step in try step.item(of: sites) }
    program.step("work", after: arrive, triggers: .complete(over)) { step in
      let site = try step.result(of: arrive)
      step.logger.info("at \(site), in sequence \(step.sequence)")
    }
    return program
  }

  static func placed() -> EventProgram {
    var program = EventProgram("placed")
    let farm = program.group("farm", hosts: ["s1", "s2", "s3"], maxConcurrent: 8)
    let licence = program.resource("licence", capacity: 2, scope: .cluster)

    let options = StepOptions {
      $0.group = farm
      $0.acquires = [licence: 1]
      $0.timeout = .seconds(600)
    }
    let solve = program.forEach("solve", over: .range(1...100), atOnce: 0, options: options) { number, _ in
      try await solution(number)
    }

    program.step("collect", after: solve, host: "s1") { step in
      try step.result(of: solve).compactMap { $0 }.count
    }
    return program
  }

  static func commands() -> EventProgram {
    var program = EventProgram("commands")
    let size = program.shell("size", "du -sk . | cut -f 1 > \"$EVENTOR_RESULT_FILE\"", result: Int.self)
    program.command("echo", ["echo", "the folder has ${steps.size.result} KiB"], after: size)
    program.step("judge", after: size) { step in
      if try step.result(of: size) > 1_000_000 { throw StepFailure("the folder is full") }
    }
    return program
  }

  static func limits() -> EventProgram {
    var program = EventProgram("limits")
    program.step("render", options: .child) { _ in try await make("pictures") }

    let careful = StepOptions {
      $0.timeout = .seconds(3600)
      $0.heartbeat = .seconds(30)
      $0.killAfter = .seconds(5)
      $0.retry = Retry(attempts: 4, delay: .seconds(2), backoff: 2, maxDelay: .seconds(60), jitter: 0.1)
    }
    program.step("copy", options: careful) { step in
      for chunk in 1...100 {
        try step.checkCancellation()
        try await copy(chunk)
        step.report(progress: Double(chunk) / 100, "chunk \(chunk)")
      }
    }

    let inspected = program.event("inspected")
    let alarm = program.event("alarm", external: true)
    program.step("inspect", triggers: .complete(inspected)) { step in
      if try await grams(of: "probe") > 20 { try step.trigger(alarm) }
    }
    program.step("evacuate", on: alarm) { _ in try await make("evacuate") }

    let session = StepOptions {
      $0.afterSuccess = .rerun  // a session does not outlive a run, so a recovery opens a new one
    }
    program.step("open_session", options: session) { step in "session of recovery \(step.recovery)" }
    return program
  }
}

func grams(of name: String) async throws -> Int { name.utf8.count }
func solution(_ number: Int) async throws -> Int { number }
func copy(_ chunk: Int) async throws {}
