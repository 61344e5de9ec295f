/// Rule 6: a step that names no place runs where its cause ran; two certain causes on two hosts leave none.
extension Validation {
  /// Hosts that are certain to be among those of the causes; nil while no way to bring it about is known.
  private typealias Hosts = Set<String>?

  /// Something brought about by events and steps, on whose hosts steps without a place run.
  private enum Cause: Hashable {
    case event(String)
    case loop(String)
  }

  mutating func checkHosts() {
    guard program.config.defaultHost == nil else { return }
    let causes = certainHosts()
    var launchers: [String: [String]] = [:]
    for (event, launches) in plan.launches {
      for launch in launches where launch.target == .step(launch.target.name) {
        launchers[launch.target.name, default: []].append(event)
      }
    }
    let initial = Set(plan.initial.map(\.target.name))
    for step in program.steps where step.host == nil && step.group == nil && !initial.contains(step.name) {
      let hosts: Hosts =
        step.forEach == nil
        ? Self.common((launchers[step.name] ?? []).map { causes[.event($0)] ?? nil })
        : causes[.loop(step.name)] ?? nil
      guard let hosts, hosts.count > 1 else { continue }
      let names = hosts.sorted().map { "'\($0)'" }.joined(separator: " and ")
      error(
        "steps.\(step.name)",
        "step '\(step.name)' has no certain host: what starts it always comes from \(names); "
          + "give it 'host' or 'group', or the program 'config.default_host'")
    }
  }

  /// The greatest solution of "certain is what is common to all ways": sets only shrink, so this ends.
  private func certainHosts() -> [Cause: Set<String>?] {
    var fixed: [String: [Set<String>]] = [:]
    for step in plan.steps.values {
      let hosts: Set<String> = place(of: step).map { [$0] } ?? []
      for event in step.triggers.all + (step.successMarker.map { [$0] } ?? []) {
        fixed[event, default: []].append(hosts)
      }
    }
    for start in plan.starts { fixed[start.event, default: []].append([]) }
    for event in program.events where event.external { fixed[event.name, default: []].append([]) }
    for schedule in program.schedule ?? [] { fixed[schedule.event, default: []].append([]) }
    let initial = Set(plan.initial.map(\.target))

    var sources: [Cause: [Cause]] = [:]
    var followers: [Cause: [Cause]] = [:]
    func connect(_ source: Cause, _ target: Cause) {
      sources[target, default: []].append(source)
      followers[source, default: []].append(target)
    }
    for (event, launches) in plan.launches {
      for launch in launches {
        switch launch.target {
        case .event(let name): connect(.event(event), .event(name))
        case .loop(let name): connect(.event(event), .loop(name))
        case .step: break
        }
      }
    }
    for (name, loop) in plan.loops {
      for case .event(let event) in loop.body { connect(.loop(name), .event(event)) }
      for event in loop.triggers.all + (loop.successMarker.map { [$0] } ?? []) {
        connect(.loop(name), .event(event))
      }
    }
    for (event, dependents) in plan.dependents {
      for dependent in dependents { followers[.event(event), default: []].append(.event(dependent)) }
    }

    var hosts: [Cause: Set<String>?] = [:]
    var queue = fixed.keys.map { Cause.event($0) } + plan.loops.keys.map { .loop($0) }
    while let cause = queue.popLast() {
      var ways: [Hosts] = (sources[cause] ?? []).map { hosts[$0] ?? nil }
      switch cause {
      case .event(let name):
        ways += fixed[name] ?? []
        if let condition = plan.expressions[name] { ways.append(certain(of: condition, hosts)) }
      case .loop(let name):
        if initial.contains(.loop(name)) { ways.append([]) }
      }
      let common = Self.common(ways)
      guard common != (hosts[cause] ?? nil) else { continue }
      hosts[cause] = .some(common)
      queue += followers[cause] ?? []
    }
    return hosts
  }

  private func certain(of condition: Expression, _ hosts: [Cause: Set<String>?]) -> Hosts {
    switch condition {
    case .event(let name): return hosts[.event(name)] ?? nil
    case .any(let parts): return Self.common(parts.map { certain(of: $0, hosts) })
    case .all(let parts):
      var union: Set<String> = []
      for part in parts {
        guard let some = certain(of: part, hosts) else { return nil }
        union.formUnion(some)
      }
      return union
    }
  }

  private static func common(_ ways: [Hosts]) -> Hosts {
    ways.compactMap { $0 }.reduce(nil) { common, way in common?.intersection(way) ?? way }
  }

  /// The one host where a step is certain to run, if it says so itself.
  private func place(of step: Plan.Step) -> String? {
    if let host = step.definition.host { return host.contains("${") ? nil : host }
    if step.definition.group != nil { return step.groupHosts.count == 1 ? step.groupHosts[0] : nil }
    return nil
  }
}
