import EventorCommand

/// A farm of simulations that share two licences; their results become a list that a summary reads.
///
///     eventor-examples simulation-farm run
///     eventor-examples simulation-farm run --param bad=wing-30     # one simulation fails, the others go on; exit code 1
///
/// Runs of this program that share a store share the licences too: their scope is the cluster. With agents, give `simulate`
/// a group of hosts, and every host of it takes its share:
///
///     eventor-examples simulation-farm submit --store postgresql://eventor@db/eventor --wait
enum SimulationFarm {
  static var program: EventProgram {
    var program = EventProgram("simulation-farm")
    let bad = program.parameter("bad", default: "none", description: "the case that fails")
    let solver = program.resource("solver", capacity: 2, scope: .cluster)
    let simulated = program.event("simulated")
    let someFailed = program.event("some_failed")

    let plan = program.step("plan") { _ in
      [10, 20, 30].flatMap { [Case(part: .wing, load: $0), Case(part: .tail, load: $0)] }
    }

    // Once for each case that `plan` has found. Four are begun at once, two hold a licence, two wait for one.
    //
    // `simulated` or `someFailed` is raised once, by the end of the whole loop. Because it says what its failure raises, a
    // failed case is no failure of the run: the others go on, and the end of the loop tells how they all went.
    let simulate = program.forEach(
      "simulate", over: .result(of: plan), after: plan, atOnce: 4,
      triggers: .success(simulated).failure(someFailed),
      options: StepOptions {
        $0.isolation = .child  // it computes, and so it gets a process, which can be killed
        $0.acquires = [solver: 1]  // held from start to end; waiters are served in order
        $0.priority = 10  // goes before other waiters of lower priority
        $0.timeout = .seconds(60)
        $0.retry = Retry(attempts: 2, delay: .milliseconds(100))
      }
    ) { item, step in
      if try step.value(of: bad) == item.name { throw StepFailure("\(item.name) diverged", exitCode: 3) }
      return try simulation(of: item, step)
    }

    // The result of the loop is the list of the cases' results, in their order.
    program.step("summary", on: simulated, reading: [simulate]) { step in
      let scores = try step.result(of: simulate).compactMap { $0 }
      guard let best = scores.max(by: { $0.value < $1.value }) else { throw StepFailure("no scores") }
      step.logger.info("best: \(best.name) with \(best.value)")
      return best
    }

    // Failed cases have left nil in the list.
    program.step("partial_summary", on: someFailed, reading: [simulate]) { step in
      let scores = try step.result(of: simulate)
      throw StepFailure("not complete: \(scores.compactMap { $0 }.count) of \(scores.count) cases")
    }
    return program
  }

  /// What is simulated.
  struct Case: Codable {
    enum Part: String, Codable { case wing, tail }

    let part: Part
    let load: Int

    var name: String { "\(part)-\(load)" }
  }

  struct Score: Codable {
    let name: String
    let value: Int
  }

  /// Computes in slices, between which it says how far it is and looks whether it is still wanted.
  static func simulation(of item: Case, _ step: StepContext) throws -> Score {
    var value = item.load
    for slice in 1...20 {
      try step.checkCancellation()
      for _ in 0..<10_000 { value = (value * 7 + 3) % 9973 }
      step.report(progress: Double(slice) / 20, item.name)
    }
    return Score(name: item.name, value: value)
  }
}
