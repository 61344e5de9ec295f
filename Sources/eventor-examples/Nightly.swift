import EventorCommand
import Foundation

/// A nightly run: retries, timeouts, handled failures, clean-up and a notification whatever happens.
///
///     eventor-examples nightly run
///     eventor-examples nightly run --param broken=true     # the tests fail: cleaned up, told; exit code 1
///
/// By itself every working day at two in the morning, once it is registered and while an eventor-agent runs on the store:
///
///     eventor-examples nightly register --store postgresql://eventor@db/eventor
///     coordinator schedule list --store postgresql://eventor@db/eventor
///
/// Works in ./nightly.work.
enum Nightly {
  static var program: EventProgram {
    var program = EventProgram("nightly")
    // Of the whole run: then what runs is stopped, and the run has failed.
    program.settings.timeout = .seconds(3600)
    program.settings.queueTimeout = .seconds(600)  // of waiting until the first step starts

    let broken = program.parameter("broken", default: false, description: "whether the tests fail")
    // One nightly run at a time on a host, over all runs that share the store.
    let workspace = program.resource("workspace", capacity: 1, scope: .host)

    let go = program.event("go")  // by hand a run begins with it too: nothing in the program raises it
    let testsPassed = program.event("tests_passed")
    let trouble = program.event("trouble")
    let archived = program.event("archived")
    let lintFailed = program.event("lint_failed")
    let cleaned = program.event("cleaned")
    let goodNight = program.event("good_night", when: testsPassed && cleaned)
    let badNight = program.event("bad_night", when: trouble && cleaned)

    // Not over by four: a warning of `coordinator schedule list`, and a fault for monitoring.
    program.schedule(
      "weekdays", cron: "0 2 * * 1-5", timeZone: "Europe/Berlin", event: go, lateAfter: .seconds(7200))

    let fetch = program.step(
      "fetch", on: go, triggers: .failure(trouble),
      options: StepOptions {
        $0.acquires = [workspace: 1]
        $0.releases = [:]  // keeps the workspace beyond its own end; `cleanup` gives it back
        $0.timeout = .seconds(10)  // of each attempt
        $0.retry = Retry(
          attempts: 4, delay: .milliseconds(200), backoff: 2, maxDelay: .seconds(5), jitter: 0.1)
        // By default a recovery repeats a success without running it. But `cleanup` takes away what this has made.
        $0.afterSuccess = .rerun
      }
    ) { step in
      // The mirror is busy the first time. Attempts are told apart by their number.
      if step.attempt < 2 { throw StepFailure("mirror is busy", exitCode: 75) }
      try fetchSources()
    }

    let build = program.step(
      "build", after: fetch, triggers: .failure(trouble),
      options: StepOptions {
        $0.timeout = .seconds(300)
        $0.afterSuccess = .rerun
      }
    ) { _ in
      try FileManager.default.copyItem(atPath: "nightly.work/main.c", toPath: "nightly.work/main.o")
    }

    // A failure that raises an event is handled, even if the event starts nothing: lint may fail, the night goes on.
    program.step("lint", after: fetch, triggers: .failure(lintFailed)) { _ in
      let source = try String(contentsOfFile: "nightly.work/main.c", encoding: .utf8)
      if source.contains("(void)") { throw StepFailure("old style") }
    }

    // In a process of its own: should the tests crash, they have failed, and the program goes on.
    let tests = program.step(
      "tests", after: build, triggers: .success(testsPassed).failure(trouble),
      options: StepOptions {
        $0.isolation = .child
        $0.timeout = .seconds(30)  // SIGTERM to everything it started …
        $0.killAfter = .seconds(5)  // … and SIGKILL this much later
        $0.heartbeat = .seconds(10)  // and no longer than this without a word
      }
    ) { step in
      try await runTests(areBroken: step.value(of: broken), step)
    }

    // False preconditions are no failures: the step ends as a success that was skipped.
    program.step(
      "archive", on: testsPassed, triggers: .complete(archived),
      options: StepOptions { $0.precondition = ["test", "-d", "archive"] }
    ) { step in
      try FileManager.default.copyItem(atPath: "nightly.work/main.o", toPath: "archive/\(step.run).o")
    }

    // Every way to the end leads here. It starts once, with the first of the two events.
    program.step(
      "cleanup", on: archived, trouble, triggers: .complete(cleaned),
      options: StepOptions {
        $0.releases = [workspace: 1]
        $0.afterSuccess = .rerun
      }
    ) { _ in
      if FileManager.default.fileExists(atPath: "nightly.work") {
        try FileManager.default.removeItem(atPath: "nightly.work")
      }
    }

    program.step("tell_good", on: goodNight, reading: [tests]) { step in
      let passed = try step.result(of: tests)
      step.logger.info("good morning: \(passed) passed")
    }

    // Handled failures do not fail a run. This step raises nothing when it fails, and so the run is a failure.
    program.step("tell_bad", on: badNight) { step in
      throw StepFailure("bad morning: look at coordinator status \(step.run)")
    }
    return program
  }

  static func fetchSources() throws {
    try? FileManager.default.removeItem(atPath: "nightly.work")
    try FileManager.default.createDirectory(atPath: "nightly.work", withIntermediateDirectories: true)
    try "int main(void) { return 0; }\n".write(
      toFile: "nightly.work/main.c", atomically: true, encoding: .utf8)
  }

  /// Runs 120 tests, and returns how many passed.
  static func runTests(areBroken: Bool, _ step: StepContext) async throws -> Int {
    for test in 1...120 {
      try step.checkCancellation()
      step.report(progress: Double(test) / 120, "test \(test) of 120")
      try await Task.sleep(for: .milliseconds(2))
    }
    if areBroken { throw StepFailure("3 of 120 failed") }
    return 120
  }
}
