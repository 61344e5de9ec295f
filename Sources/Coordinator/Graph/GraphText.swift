import Model

/// A graph as an outline: every step and loop once, in an order in which causes come first, each with what starts it
/// and what it raises; the body of a loop stands under it.
struct GraphText {
  private let graph: ProgramGraph
  private let profile: TerminalProfile
  private let incoming: [[ProgramGraph.Edge]]
  private let outgoing: [[ProgramGraph.Edge]]
  private let order: [Int]

  init(_ graph: ProgramGraph, profile: TerminalProfile) {
    self.graph = graph
    self.profile = profile
    var incoming = [[ProgramGraph.Edge]](repeating: [], count: graph.nodes.count)
    var outgoing = incoming
    for edge in graph.edges {
      incoming[edge.to].append(edge)
      outgoing[edge.from].append(edge)
    }
    self.incoming = incoming
    self.outgoing = outgoing
    order = TopologicalOrder.of(graph)
  }

  func text() -> String {
    let counts = [(graph.stepCount, "step"), (graph.eventCount, "event"), (graph.loopCount, "loop")]
      .filter { $0.0 > 0 }.map { "\($0.0) \($0.1)\($0.0 == 1 ? "" : "s")" }
    var lines = [styled(graph.title, .strong) + styled("  " + counts.joined(separator: ", "), .faint)]
    lines += outline(of: nil, indent: "")
    return lines.joined(separator: "\n") + "\n"
  }

  private func outline(of frame: Int?, indent: String) -> [String] {
    let inside = order.filter { graph.nodes[$0].frame == frame }
    var lines: [String] = []
    // Events appear where they act; on lines of their own only where they come from outside the graph.
    for id in inside where graph.nodes[id].kind == .event {
      let node = graph.nodes[id]
      if !node.starts.isEmpty || node.isExternal { lines.append(indent + eventLine(node)) }
    }
    var depth: [Int: Int] = [:]
    for id in inside {
      let node = graph.nodes[id]
      guard [.step, .forEach, .loop].contains(node.kind) else { continue }
      let level = min(8, (causes(of: id).compactMap { depth[$0] }.max() ?? -1) + 1)
      depth[id] = level
      lines += block(of: node, indent: indent + String(repeating: "  ", count: level))
    }
    return lines
  }

  private func eventLine(_ node: ProgramGraph.Node) -> String {
    var line = styled(profile.unicode ? "▶ " : "> ", .faint) + styled(node.name, TextStyle(.cyan))
    let sequences = node.starts.filter { $0 != .first }.map(\.text)
    if !sequences.isEmpty { line += styled("  in sequence " + sequences.joined(separator: ", "), .faint) }
    if node.isExternal { line += styled("  from outside", .faint) }
    return line + stateText(node)
  }

  private func block(of node: ProgramGraph.Node, indent: String) -> [String] {
    let bullets: [ProgramGraph.Node.Kind: String] = [.step: "■", .forEach: "⟳", .loop: "⟳"]
    let bullet = profile.unicode ? bullets[node.kind] ?? "■" : node.kind == .step ? "*" : "@"
    let style = node.state.map { Self.style(of: $0.mark) } ?? .plain
    var lines = [indent + styled(bullet, style) + " " + styled(node.name, .strong)]
    for detail in node.details {
      lines[0] +=
        "  " + styled(DisplayWidth.truncated(clean(detail), to: 60, ellipsis: profile.ellipsis), .faint)
    }
    lines[0] += stateText(node)
    let inner = indent + "    "
    let begins = node.starts.isEmpty || !incoming[node.id].isEmpty ? [] : ["with the run"]
    let awaited = incoming[node.id].filter { $0.kind == .after }.map { clean(graph.nodes[$0.from].name) }
    let causes =
      begins + incoming[node.id].filter { $0.kind != .after }.map { cause($0) }
      + (awaited.isEmpty ? [] : ["success of " + Self.listed(awaited)])
    if !causes.isEmpty { lines.append(inner + arrow(in: true) + causes.joined(separator: " or ")) }
    for (label, names) in raised(by: node.id) {
      lines.append(inner + arrow(in: false) + styled(label, Self.style(ofLabel: label)) + ": " + names)
    }
    if node.kind == .loop { lines += outline(of: node.id, indent: inner) }
    return lines
  }

  /// `run_s2`, `both (a and b), after 10s`, `success of s1`.
  private func cause(_ edge: ProgramGraph.Edge) -> String {
    let source = graph.nodes[edge.from]
    var text = source.name
    if let condition = source.condition { text += " (\(condition))" }
    // An event that other events raise is explained where it is used.
    let relays = incoming[source.id].filter { $0.kind == .starts && source.kind == .event }
    if !relays.isEmpty {
      let names = relays.map { graph.nodes[$0.from].name + ($0.label.isEmpty ? "" : " " + $0.label) }
      text += " (from \(names.joined(separator: ", ")))"
    }
    return clean(edge.label.isEmpty ? text : text + " " + edge.label)
  }

  /// `a`, `a and b`, `a, b and c`.
  private static func listed(_ names: [String]) -> String {
    guard let last = names.last, names.count > 1 else { return names.joined() }
    return names.dropLast().joined(separator: ", ") + " and " + last
  }

  private func raised(by id: Int) -> [(label: String, names: String)] {
    var groups: [(label: String, names: [String])] = []
    for edge in outgoing[id] where edge.kind == .raises {
      let name = graph.nodes[edge.to].name
      let ends = outgoing[edge.to].contains { $0.kind == .until } ? " (ends the iteration)" : ""
      if let place = groups.firstIndex(where: { $0.label == edge.label }) {
        groups[place].names.append(name + ends)
      } else {
        groups.append((edge.label, [name + ends]))
      }
    }
    return groups.map { ($0.label, clean($0.names.joined(separator: ", "))) }
  }

  /// The steps and loops that lead to `id` through events and joints alone.
  private func causes(of id: Int) -> Set<Int> {
    var found: Set<Int> = []
    var seen: Set<Int> = [id]
    var open = incoming[id].map(\.from)
    while let next = open.popLast() {
      guard seen.insert(next).inserted else { continue }
      switch graph.nodes[next].kind {
      case .step, .forEach, .loop: found.insert(next)
      default: open += incoming[next].map(\.from)
      }
    }
    return found
  }

  private func stateText(_ node: ProgramGraph.Node) -> String {
    guard let state = node.state else { return "" }
    let text = state.text ?? (state.mark == .triggered ? "triggered" : "")
    return text.isEmpty ? "" : "  " + styled(text, Self.style(of: state.mark))
  }

  private func arrow(in isIn: Bool) -> String {
    styled(profile.unicode ? (isIn ? "← " : "→ ") : (isIn ? "<- " : "-> "), .faint)
  }

  private func styled(_ text: String, _ style: TextStyle) -> String {
    style.applied(to: clean(text), on: profile)
  }

  private func clean(_ text: String) -> String { neutralised(text, onOneLine: true) }

  private static func style(ofLabel label: String) -> TextStyle {
    switch label {
    case "success": .good
    case "failure": TextStyle(.red)
    default: .faint
    }
  }

  private static func style(of mark: GraphState.Mark) -> TextStyle {
    switch mark {
    case .failure: .bad
    case .cancelled: TextStyle(.magenta)
    case .running: .busy
    case .ready, .triggered: TextStyle(.cyan)
    case .waiting, .untouched: .faint
    case .skipped: .notable
    case .success: .good
    }
  }
}
