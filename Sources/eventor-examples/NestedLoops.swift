import EventorCommand

/// Loops within loops: every test at every site, sites one after the other, two tests at a time.
///
///     eventor-examples nested-loops run
///     eventor-examples nested-loops run --param sites=lab3,lab4,lab5
///
/// Iteration i of a loop in sequence S runs in sequence S/i: the second test at the first site is run_test/1/1/2. The same
/// events and steps serve every iteration, because an event happens once per sequence.
enum NestedLoops {
  static var program: EventProgram {
    var program = EventProgram("nested-loops")
    let siteNames = program.parameter("sites", default: ["lab1", "lab2"])
    let testNames = program.parameter("tests", default: ["smoke", "load", "soak"])

    let go = program.event("go")
    let beginSite = program.event("begin_site")  // once per site, in 1/1, 1/2, …
    let siteReady = program.event("site_ready")
    let beginTest = program.event("begin_test")  // once per test, in 1/1/1, 1/1/2, …
    let testsOver = program.event("tests_over")
    let siteOver = program.event("site_over")
    let allOver = program.event("all_over")

    // The next site begins when `siteOver` is raised in the iteration's sequence. What the end of the loop triggers is
    // raised in the sequence of the loop itself: 1.
    let sites = program.loop(
      "sites", over: .parameter(siteNames), on: go, start: [beginSite], until: [siteOver],
      triggers: .success(allOver))

    // Without `until`, an iteration is over when nothing of it is left.
    let tests = program.loop(
      "tests", over: .parameter(testNames), on: siteReady, start: [beginTest], atOnce: 2,
      triggers: .complete(testsOver))

    // The item is always that of the innermost loop. So the site is handed on as a result: a step reads the results of its
    // own sequence, and else of the nearest one around it.
    let prepare = program.step("prepare", on: beginSite, triggers: .success(siteReady)) { step in
      let site = try step.item(of: sites)
      step.logger.info("site \(step.iteration ?? 0): \(site)")
      return site
    }

    program.step("run_test", on: beginTest, reading: [prepare]) { step in
      let line = "\(try step.item(of: tests)) at \(try step.result(of: prepare))"
      try await Task.sleep(for: .milliseconds(100))
      step.logger.info("\(line), in sequence \(step.sequence)")
      return line
    }

    program.step("leave", on: testsOver, reading: [prepare], triggers: .complete(siteOver)) { step in
      "done with \(try step.result(of: prepare))"
    }

    program.step("report", on: allOver) { step in step.logger.info("all sites done") }
    return program
  }
}
