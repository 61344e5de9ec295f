/// What can be brought about from some beginning, taking every end of a step and every delay for possible.
private struct Reach {
  private(set) var events: Set<String> = []
  private(set) var steps: Set<String> = []
  private(set) var loops: Set<String> = []

  /// - Parameters:
  ///   - plan: The program.
  ///   - targets: The beginning.
  ///   - outer: Events taken as given, though nothing follows from them here.
  ///   - entersLoops: Whether what happens within iterations counts.
  init(_ plan: Plan, from targets: [Plan.Target], outer: Set<String> = [], entersLoops: Bool) {
    var queue = targets
    // Conditions are judged when nothing else is left to do: once per round, not once per operand.
    var touched: Set<String> = []
    while true {
      while let target = queue.popLast() {
        switch target {
        case .event(let name):
          guard events.insert(name).inserted else { continue }
          queue += (plan.launches[name] ?? []).map(\.target)
          touched.formUnion(plan.dependents[name] ?? [])
        case .step(let name):
          guard steps.insert(name).inserted, let step = plan.steps[name] else { continue }
          queue += (step.triggers.all + (step.successMarker.map { [$0] } ?? [])).map { .event($0) }
        case .loop(let name):
          guard loops.insert(name).inserted, let loop = plan.loops[name] else { continue }
          queue += (loop.triggers.all + (loop.successMarker.map { [$0] } ?? [])).map { .event($0) }
          if entersLoops { queue += loop.body }
        }
      }
      for event in touched where !events.contains(event) {
        let holds = plan.expressions[event]?.holds { events.contains($0) || outer.contains($0) }
        if holds == true { queue.append(.event(event)) }
      }
      touched = []
      if queue.isEmpty { return }
    }
  }
}

/// What nothing can start, raise or end. All of it is a warning: trigger files and people raise events too.
extension Validation {
  mutating func checkReach() {
    let outside = program.events.filter(\.external).map { Plan.Target.event($0.name) }
    let scheduled = (program.schedule ?? []).map { Plan.Target.event($0.event) }
    let beginning =
      plan.starts.map { Plan.Target.event($0.event) } + plan.initial.map(\.target) + outside + scheduled
    let reach = Reach(plan, from: beginning, entersLoops: true)
    checkRaised()
    for step in program.steps where !reach.steps.contains(step.name) {
      warn("steps.\(step.name)", "nothing can start step '\(step.name)'")
    }
    for loop in program.loops where !reach.loops.contains(loop.name) {
      warn("loops.\(loop.name)", "nothing can start loop '\(loop.name)'")
    }
    checkLoops(outer: reach.events)
    checkLoopReferences()
  }

  private mutating func checkRaised() {
    guard let starts = program.start else { return }
    let started = Set(starts.map(\.event) + (program.schedule ?? []).map(\.event))
    for event in program.eventsNothingRaises where !started.contains(event) {
      warn(
        "events.\(event)", "nothing raises event '\(event)'; write 'external: true' if it comes from outside")
    }
  }

  private mutating func checkLoops(outer: Set<String>) {
    let external = Set(program.events.filter(\.external).map(\.name))
    for loop in program.loops {
      let path = "loops.\(loop.name)"
      let body = loop.start.map { Plan.Target.event($0) }
      let within = Reach(plan, from: body, outer: outer, entersLoops: false)
      if within.steps.isEmpty, within.loops.isEmpty {
        warn(path + ".start", "the iterations of loop '\(loop.name)' start no step and no loop")
      }
      for (position, event) in loop.until.enumerated()
      where !within.events.contains(event) && !external.contains(event) {
        warn(
          path + ".until[\(position)]", "nothing in an iteration of loop '\(loop.name)' raises '\(event)'")
      }
      if Reach(plan, from: body, outer: outer, entersLoops: true).loops.contains(loop.name) {
        warn(path, "loop '\(loop.name)' starts itself within its own iterations")
      }
    }
  }

  private mutating func checkLoopReferences() {
    let bodies = plan.loops.values.flatMap(\.body)
    let inLoops = Reach(plan, from: bodies, outer: events, entersLoops: true)
    for step in program.steps where !inLoops.steps.contains(step.name) {
      for (path, reference) in loopReferences(of: step) {
        warn(path, "'${\(reference)}' has no value: no loop starts step '\(step.name)'")
      }
    }
  }
}
