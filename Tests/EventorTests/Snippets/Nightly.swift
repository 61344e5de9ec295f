import EventorCommand

struct Nightly: EventorMain {
  static func program() -> EventProgram {
    var program = EventProgram("nightly")
    program.step("build") { step in try await build(step.logger) }
    return program
  }
}

private func build(_ logger: Any) async throws {}
