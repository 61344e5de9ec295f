import Model

/// Turns a plan into nodes and edges.
struct GraphBuilder {
  private let plan: Plan
  private(set) var nodes: [ProgramGraph.Node] = []
  private var edges: [ProgramGraph.Edge] = []
  private var events: [String: Int] = [:]
  /// Steps and loops; a `foreach` is both and one node.
  private var actors: [String: Int] = [:]

  init(_ plan: Plan) { self.plan = plan }

  /// The edges, with one for all that leads from the same node to the same node.
  var mergedEdges: [ProgramGraph.Edge] {
    struct Ends: Hashable {
      let from: Int
      let to: Int
    }
    var places: [Ends: Int] = [:]
    var merged: [ProgramGraph.Edge] = []
    for edge in edges {
      if let place = places[Ends(from: edge.from, to: edge.to)] {
        if edge.label.isEmpty || merged[place].label == edge.label { continue }
        merged[place].label += merged[place].label.isEmpty ? edge.label : " or " + edge.label
      } else {
        places[Ends(from: edge.from, to: edge.to)] = merged.count
        merged.append(edge)
      }
    }
    return merged
  }

  mutating func build() {
    addNodes()
    markStarts()
    let scopes = GraphScopes(plan)
    for (name, id) in events { nodes[id].frame = scopes.frame(ofEvent: name).flatMap { actors[$0] } }
    for (name, id) in actors { nodes[id].frame = scopes.frame(ofNode: name).flatMap { actors[$0] } }
    for event in plan.program.events {
      guard let id = events[event.name] else { continue }
      if let condition = event.when { connect(condition, to: id, frame: nodes[id].frame) }
      connectLaunches(of: event.name, from: id, kind: .starts)
    }
    for step in plan.program.steps { connectActor(step.name, triggers: step.triggers) }
    for loop in plan.program.loops {
      connectActor(loop.name, triggers: loop.triggers)
      connectBody(of: loop)
    }
  }

  private mutating func addNodes() {
    for event in plan.program.events where events[event.name] == nil {
      events[event.name] = add(.event, event.name)
      nodes[nodes.count - 1].isExternal = event.external
      nodes[nodes.count - 1].condition = event.when
    }
    for step in plan.program.steps where actors[step.name] == nil {
      let detail = [step.forEach.map { "each of " + Self.text(of: $0.over) }, Self.text(of: step.action)]
      let place = step.host.map { "@" + $0 } ?? step.group.map { "@" + $0 }
      actors[step.name] = add(step.forEach == nil ? .step : .forEach, step.name)
      nodes[nodes.count - 1].details = (detail + [place]).compactMap { $0 }
    }
    for loop in plan.program.loops where actors[loop.name] == nil {
      actors[loop.name] = add(.loop, loop.name)
      nodes[nodes.count - 1].details = ["each of " + Self.text(of: loop.over)]
    }
  }

  private mutating func markStarts() {
    for start in plan.starts { events[start.event].map { nodes[$0].starts.append(start.sequence) } }
    for (target, sequence) in plan.initial { actors[target.name].map { nodes[$0].starts.append(sequence) } }
  }

  private mutating func add(_ kind: ProgramGraph.Node.Kind, _ name: String, frame: Int? = nil) -> Int {
    nodes.append(ProgramGraph.Node(id: nodes.count, kind: kind, name: name, frame: frame))
    return nodes.count - 1
  }

  private mutating func connect(_ from: Int, _ to: Int, _ kind: ProgramGraph.Edge.Kind, _ label: String = "")
  {
    edges.append(ProgramGraph.Edge(from: from, to: to, kind: kind, label: label))
  }

  /// Draws what makes `condition` true into `target`; a joint stands for each `and` and `or` with several parts.
  private mutating func connect(_ condition: Expression, to target: Int, frame: Int?) {
    switch condition {
    case .event(let name):
      if let source = events[name] { connect(source, target, .operand) }
    case .all(let parts), .any(let parts):
      guard parts.count > 1 else {
        if let only = parts.first { connect(only, to: target, frame: frame) }
        return
      }
      var kind = ProgramGraph.Node.Kind.or
      if case .all = condition { kind = .and }
      let joint = add(kind, kind == .and ? "and" : "or", frame: frame)
      for part in parts { connect(part, to: joint, frame: frame) }
      connect(joint, target, .operand)
    }
  }

  private mutating func connectLaunches(of event: String, from source: Int, kind: ProgramGraph.Edge.Kind) {
    for launch in plan.launches[event] ?? [] {
      let target: Int?
      switch launch.target {
      case .event(let name): target = events[name]
      case .step(let name), .loop(let name): target = actors[name]
      }
      guard let target else { continue }
      connect(source, target, kind, launch.delay == .zero ? "" : "after \(launch.delay)")
    }
  }

  private mutating func connectActor(_ name: String, triggers: Program.Triggers) {
    guard let id = actors[name] else { return }
    let raised = [
      (triggers.success, "success"), (triggers.failure, "failure"), (triggers.complete, "complete"),
      (triggers.skipped, "skipped"),
    ]
    for (names, label) in raised {
      for event in names { events[event].map { connect(id, $0, .raises, label) } }
    }
    let marker = Plan.successMarker(of: name)
    connectLaunches(of: marker, from: id, kind: .after)
    for join in plan.dependents[marker] ?? [] where Plan.isInternal(join) {
      connectLaunches(of: join, from: id, kind: .after)
    }
  }

  private mutating func connectBody(of loop: Program.Loop) {
    guard let id = actors[loop.name], nodes[id].kind == .loop else { return }
    let begin = add(.begin, nodes[id].details.first ?? "each", frame: id)
    for event in loop.start { events[event].map { connect(begin, $0, .iterates) } }
    guard loop.until.contains(where: { events[$0] != nil }) else { return }
    let end = add(.end, "iteration over", frame: id)
    for event in loop.until { events[event].map { connect($0, end, .until) } }
  }

  private static func text(of items: Program.Items) -> String {
    switch items {
    case .list(let values):
      let shown = values.prefix(4).map { $0.plainText }.joined(separator: ", ")
      return values.count > 4 ? "\(shown), … (\(values.count))" : shown.isEmpty ? "nothing" : shown
    case .range(let from, let to): return "\(text(of: from)) to \(text(of: to))"
    case .reference(let reference): return reference
    }
  }

  private static func text(of end: Program.RangeEnd) -> String {
    switch end {
    case .value(let value): String(value)
    case .reference(let reference): reference
    }
  }

  private static func text(of action: Program.Action) -> String? {
    switch action {
    case .empty: nil
    case .run(let words): words.joined(separator: " ")
    case .shell(let line): line.split(separator: "\n").first.map { String($0) }
    case .function(let call): call.name + "()"
    }
  }
}
