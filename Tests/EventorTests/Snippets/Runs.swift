import Eventor

/// Runs in the articles and doc comments: compiled, not carried out.
enum RunSnippets {
  static func first() async throws {
    var program = EventProgram("nightly")
    let built = program.event("built")
    program.step("build", triggers: .success(built)) { step in try await build(step.logger) }
    program.step("test", on: built) { _ in try await test() }
    let run = try await program.run()
    _ = run
  }

  static func modes(_ program: EventProgram, _ limit: ParameterHandle<Int>) async throws {
    // In memory, to its end.
    let run = try await program.run()
    _ = run

    // Kept in a file, so that another process can go on with it or look at it.
    let options = RunOptions(store: .file("nightly.eventor.db"))
    try await program.run(parameters: [limit.set(30)], options: options).required()

    // What an earlier process left, and a run that has failed.
    try await program.run(.continue(), options: options)
    try await program.run(.recover(), parameters: [limit.set(50)], options: options)
  }

  static func results(_ program: EventProgram, _ weigh: StepHandle<Snippets.Sample>) async throws {
    let run = try await program.run()
    if let sample = try run.result(of: weigh) { note("\(sample.name): \(sample.grams) g") }
    for task in run.failures { note("\(task.step): \(task.message ?? "failed")") }
  }

  static func background(_ program: EventProgram) async throws {
    let handle = try await program.start()
    for await event in handle.events {
      switch event {
      case .started(let step): note("\(step.name)/\(step.sequence) has started")
      case .ended(let step, let status, let message): note("\(step.name): \(status) \(message ?? "")")
      case .storeLost, .storeFound, .over: break
      }
    }
    let outcome = try await handle.outcome()
    note("\(outcome.status)")
  }

  static func cluster(_ program: EventProgram, _ limit: ParameterHandle<Int>) async throws {
    let handle = try await program.submit(
      to: "postgresql://eventor@db/eventor", parameters: [limit.set(30)], installedAt: "/opt/lab/bin/farm")
    let outcome = try await handle.outcome().required()
    note("\(outcome.id) has succeeded")
  }

  private static func build(_ logger: Any) async throws {}
  private static func test() async throws {}
  private static func note(_ line: String) {}
}
