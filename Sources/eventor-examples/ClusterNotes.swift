import EventorCommand

/// Four steps on two hosts, the first two of which start the third: whichever ends first, as an event is triggered once.
///
///     eventor-examples cluster-notes submit --store postgresql://eventor@db/eventor --wait
///     eventor-examples cluster-notes run
enum ClusterNotes {
  static var program: EventProgram {
    var program = EventProgram("cluster-notes")

    let runStep1 = program.event("run_step1")
    let runStep2 = program.event("run_step2")
    let runStep3 = program.event("run_step3")

    program.step("s11", on: runStep1, host: "s1", with: "prog11", triggers: .success(runStep2), run: prog)
    program.step("s12", on: runStep1, host: "s2", with: "prog12", triggers: .success(runStep2), run: prog)
    program.step("s2", on: runStep2, host: "s2", with: "prog2", triggers: .success(runStep3), run: prog)
    program.step("s3", on: runStep3, host: "s1", with: "prog3", run: prog)

    program.start(runStep1)
    return program
  }

  @Sendable static func prog(_ name: String, _ step: StepContext) async throws -> String {
    step.logger.info("doing what \(name) is doing")
    step.logger.info("sequence: \(step.sequence)")
    return name
  }
}
