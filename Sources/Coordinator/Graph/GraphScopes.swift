import Model

/// Which loop's frame each event, step and loop stands in: the one whose iterations reach it.
///
/// What the top level reaches stands there, and so does what several loops share, for a node is drawn once.
struct GraphScopes {
  private let plan: Plan
  private var frames: [Plan.Target: String] = [:]

  init(_ plan: Plan) {
    self.plan = plan
    let raised = Set(plan.program.eventsNothingRaises)
    var seeds = plan.starts.map { Plan.Target.event($0.event) } + plan.initial.map(\.target)
    seeds += plan.program.events.filter { $0.external || raised.contains($0.name) }.map { .event($0.name) }
    let top = reach(from: seeds)
    let loops = plan.program.loops.map(\.name)
    for loop in loops {
      guard let body = plan.loops[loop]?.body else { continue }
      for target in reach(from: body) where !top.contains(target) && target != .loop(loop) {
        if let other = frames[target], other != loop {
          frames[target] = ""
        } else {
          frames[target] = loop
        }
      }
    }
    // Shared by several loops, or loops that contain each other: both go to the top.
    frames = frames.filter { !$0.value.isEmpty }
    for loop in loops where isCircular(loop) { frames[.loop(loop)] = nil }
  }

  func frame(ofEvent name: String) -> String? { frames[.event(name)] }

  func frame(ofNode name: String) -> String? { frames[.loop(name)] ?? frames[.step(name)] }

  /// Everything that happens in one sequence once `seeds` do; bodies of loops are in others.
  private func reach(from seeds: [Plan.Target]) -> Set<Plan.Target> {
    var seen = Set(seeds)
    var open = seeds
    while let target = open.popLast() {
      for next in successors(of: target) where seen.insert(next).inserted { open.append(next) }
    }
    return seen
  }

  private func successors(of target: Plan.Target) -> [Plan.Target] {
    switch target {
    case .event(let name):
      return (plan.launches[name] ?? []).map(\.target) + (plan.dependents[name] ?? []).map { .event($0) }
    case .step(let name):
      guard let step = plan.steps[name] else { return [] }
      return (step.triggers.all + [step.successMarker].compactMap { $0 }).map { .event($0) }
    case .loop(let name):
      guard let loop = plan.loops[name] else { return [] }
      return (loop.triggers.all + [loop.successMarker].compactMap { $0 }).map { .event($0) }
    }
  }

  private func isCircular(_ loop: String) -> Bool {
    var seen: Set<String> = [loop]
    var current = loop
    while let outer = frames[.loop(current)] {
      if !seen.insert(outer).inserted { return true }
      current = outer
    }
    return false
  }
}
