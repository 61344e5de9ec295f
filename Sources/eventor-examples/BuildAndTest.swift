import EventorCommand
import Foundation

/// Compile, test two flavours at the same time, package, and report either way.
///
///     eventor-examples build-and-test run
///     eventor-examples build-and-test run --param version=2.0.0
///     eventor-examples build-and-test run --param broken=debug     # one flavour fails its tests; exit code 1
///
/// It shows results and arguments with types, one function for two steps, an event that waits for two others, and failures
/// that are handled. The functions below the program know nothing of Eventor: a step's closure gets what they need, and
/// calls them. Works in ./work; the "compiler" is a few lines of Swift, so that it runs anywhere.
enum BuildAndTest {
  static var program: EventProgram {
    var program = EventProgram("build-and-test")

    // The handle of a parameter has the type of its values.
    let version = program.parameter(
      "version", default: "1.10.0", description: "what the package is called")
    let broken = program.parameter(
      "broken", default: "none", choices: ["none", "debug", "release"],
      description: "a flavour whose tests fail")

    let debugPassed = program.event("debug_passed")
    let releasePassed = program.event("release_passed")
    let failed = program.event("failed")
    // Raised as soon as both are, whichever comes last.
    let tested = program.event("tested", when: debugPassed && releasePassed)
    let packaged = program.event("packaged")

    // Nothing starts it, so it starts with the run.
    let checkout = program.step("checkout", triggers: .failure(failed)) { _ in try checkOut() }

    // `after` waits for the success of other steps.
    let compile = program.step(
      "compile", after: checkout, triggers: .failure(failed), options: .timeout(.seconds(60))
    ) { step in
      try build(version: step.value(of: version))
    }

    // Two steps with one function. Each has an argument, which is stored with the program.
    let test: @Sendable (Flavour, StepContext) async throws -> TestReport = { flavour, step in
      try await runTests(of: flavour, broken: step.value(of: broken))
    }
    let testDebug = program.step(
      "test_debug", after: compile, with: Flavour.debug,
      triggers: .success(debugPassed).failure(failed), options: .timeout(.seconds(30)), run: test)
    let testRelease = program.step(
      "test_release", after: compile, with: Flavour.release,
      triggers: .success(releasePassed).failure(failed), options: .timeout(.seconds(30)), run: test)

    let package = program.step(
      "package", on: tested, triggers: .success(packaged).failure(failed)
    ) { step in
      try pack(version: step.value(of: version))
    }

    // A step that is started by an event says whose results it reads.
    program.step("report_success", on: packaged, reading: [package, testDebug, testRelease]) { step in
      let reports = [try step.result(of: testDebug), try step.result(of: testRelease)]
      let path = try step.result(of: package)
      step.logger.info("made \(path), \(reports.map(\.passed).reduce(0, +)) tests passed")
    }

    // `failed` may be raised by several steps; in one sequence it happens once, so this runs at most once. A failure that
    // raised an event is handled, and a run without any other ends as success. This one should not: the report fails in its
    // turn, raises nothing, and so makes the run a failure.
    program.step("report_failure", on: failed) { step in
      throw StepFailure("version \(try step.value(of: version)) is broken")
    }
    return program
  }

  enum Flavour: String, Codable, CaseIterable { case debug, release }

  struct TestReport: Codable {
    let flavour: Flavour
    let passed: Int
  }

  static func checkOut() throws {
    try FileManager.default.createDirectory(atPath: "work/src", withIntermediateDirectories: true)
    try write("hello from", to: "work/src/greeting")
  }

  static func build(version: String) throws {
    let greeting = try read("work/src/greeting")
    for flavour in Flavour.allCases {
      try FileManager.default.createDirectory(
        atPath: "work/build/\(flavour)", withIntermediateDirectories: true)
      try write("\(greeting) \(version) (\(flavour))", to: "work/build/\(flavour)/hello")
    }
  }

  static func runTests(of flavour: Flavour, broken: String) async throws -> TestReport {
    try await Task.sleep(for: .milliseconds(300))
    let isRight = try read("work/build/\(flavour)/hello").hasSuffix("(\(flavour))")
    guard isRight, broken != flavour.rawValue else { throw StepFailure("1 test of \(flavour) failed") }
    return TestReport(flavour: flavour, passed: 12)
  }

  static func pack(version: String) throws -> String {
    let path = "work/hello-\(version)"
    try write(try read("work/build/release/hello"), to: path)
    return path
  }

  private static func read(_ path: String) throws -> String {
    try String(contentsOfFile: path, encoding: .utf8)
  }

  private static func write(_ text: String, to path: String) throws {
    try text.write(toFile: path, atomically: true, encoding: .utf8)
  }
}
