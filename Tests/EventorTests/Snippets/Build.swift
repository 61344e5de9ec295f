import EventorCommand

struct Build: EventorMain {
  static func program() -> EventProgram {
    var program = EventProgram("build")
    let compile = program.step("compile") { _ in try await make("all") }
    let test = program.forEach("test", over: ["unit", "system", "load"], after: compile, atOnce: 2) {
      suite, _ in try await make("test-\(suite)")
    }
    program.step("publish", after: test) { _ in try await make("publish") }
    return program
  }
}

/// Stands for what a step does.
func make(_ target: String) async throws {}
