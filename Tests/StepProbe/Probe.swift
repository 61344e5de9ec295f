import EventorCommand
import Foundation

enum Probe {
  struct Wrong: Error, CustomStringConvertible {
    let description: String
  }

  /// One step that does what the parameter says.
  static func acts(_ name: String, _ options: StepOptions) -> EventProgram {
    var program = EventProgram(name)
    let what = program.parameter("what", default: "result")
    let told = program.secret("told", required: false)
    let raised = program.event("raised")
    var options = options
    options.heartbeat = .seconds(8)
    options.killAfter = .seconds(5)
    program.step("act", options: options) { step -> [String] in
      let act = try step.value(of: what)
      step.logger.info("acting", metadata: ["what": "\(act)"])
      switch act {
      case "result": return [step.name, step.sequence, "\(step.attempt)", "\(step.recovery)"]
      case "throw": throw Wrong(description: "it is wrong, and “quoted”")
      case "exit": throw StepFailure("a code of its own", exitCode: 42)
      case "trap":
        let none: [Int] = []
        return ["\(none[step.attempt])"]
      case "wait":
        try mark("waiting")
        while !step.isCancelled {
          step.heartbeat()
          try? await Task.sleep(for: .milliseconds(20))
        }
        try mark("cancelled")
        throw CancellationError()
      case "silence":
        step.report(progress: 0.25, "going quiet")
        try await Task.sleep(for: .seconds(600))
        return []
      case "deaf":
        // Heeds nothing: only a kill ends it.
        try mark("waiting")
        let end = Date.now.addingTimeInterval(600)
        while Date.now < end {
          step.heartbeat()
          usleep(10_000)
        }
        return []
      case "trigger":
        try step.trigger(raised)
        try step.trigger(raised, sequence: "other")
        return []
      case "secret": return [try step.value(of: told)]
      case "huge": return [String(repeating: "x", count: 2 << 20)]
      default: throw Wrong(description: "no such act")
      }
    }
    program.command("after", ["true"], on: raised)
    return program
  }

  /// Leaves a file in the directory of the run.
  private static func mark(_ name: String) throws { try Data().write(to: URL(fileURLWithPath: name)) }

  /// The example of the seed: who does what on which host.
  static var seed: EventProgram {
    var program = EventProgram("seed")
    let (run1, run2, run3) = (
      program.event("run_step1"), program.event("run_step2"), program.event("run_step3")
    )
    program.step("s11", on: run1, host: "s1", with: "prog11", triggers: .success(run2), run: prog)
    program.step("s12", on: run1, host: "s2", with: "prog12", triggers: .success(run2), run: prog)
    let s2 = program.step("s2", on: run2, host: "s2", with: "prog2", triggers: .success(run3), run: prog)
    program.step("s3", on: run3, host: "s1", with: "prog3", reading: [s2]) { (name: String, step) in
      "\(name) after \(try step.result(of: s2))"
    }
    return program
  }

  @Sendable static func prog(_ name: String, _ step: StepContext) async throws -> String {
    step.logger.info("doing what \(name) is doing")
    return "\(name) on \(step.host)"
  }

  /// A step that says how far it is until a file lets it end, and one after it on any of two hosts.
  static var watched: EventProgram {
    var program = EventProgram("watched")
    let both = program.group("both", hosts: ["s1", "s2"])
    let slow = program.step("slow", host: "s1", options: .child) { step -> Int in
      step.report(progress: 0.5, "half of it")
      while !FileManager.default.fileExists(atPath: "go") {
        step.heartbeat()
        try await Task.sleep(for: .milliseconds(20))
      }
      return step.attempt
    }
    program.step("next", after: slow, options: StepOptions { $0.group = both }) { step in
      try step.result(of: slow) + 1
    }
    return program
  }

  /// A program that can't be run.
  static var broken: EventProgram {
    var program = EventProgram("broken")
    program.step("twice") { _ in }
    program.step("twice", host: "not a host\n") { _ in }
    return program
  }
}
