/// A graph as a Mermaid flowchart.
struct GraphMermaid {
  private let graph: ProgramGraph

  init(_ graph: ProgramGraph) { self.graph = graph }

  func text() -> String {
    var lines = ["flowchart TD"]
    lines += frame(nil, indent: "  ")
    for edge in graph.edges { lines.append("  " + self.edge(edge)) }
    lines += classes()
    return lines.joined(separator: "\n") + "\n"
  }

  private func frame(_ id: Int?, indent: String) -> [String] {
    graph.children(of: id).flatMap { node -> [String] in
      let label = "\"\(escaped(node))\""
      switch node.kind {
      case .loop:
        return ["\(indent)subgraph n\(node.id)[\(label)]"] + frame(node.id, indent: indent + "  ") + [
          "\(indent)end"
        ]
      case .event: return ["\(indent)n\(node.id)([\(label)])"]
      case .step: return ["\(indent)n\(node.id)[\(label)]"]
      case .forEach: return ["\(indent)n\(node.id)[[\(label)]]"]
      case .and, .or: return ["\(indent)n\(node.id)((\(label)))"]
      case .begin, .end: return ["\(indent)n\(node.id)>\(label)]"]
      }
    }
  }

  private func edge(_ edge: ProgramGraph.Edge) -> String {
    let arrow = edge.kind == .until ? "-.->" : "-->"
    return "n\(edge.from) \(arrow)" + (edge.label.isEmpty ? "" : "|\"\(escaped(edge.label))\"|")
      + " n\(edge.to)"
  }

  private func classes() -> [String] {
    var lines: [String] = []
    let frames = graph.nodes.filter { $0.kind == .loop }
    if !frames.isEmpty { lines.append("  classDef loop stroke-dasharray:5 4") }
    lines += frames.map { "  class n\($0.id) loop" }
    for mark in GraphState.Mark.allCases {
      let ids = graph.nodes.filter { $0.state?.mark == mark }.map { "n\($0.id)" }
      guard !ids.isEmpty else { continue }
      let colours = "fill:\(GraphPalette.fill(of: mark)),stroke:\(GraphPalette.line(of: mark)),color:#1f2933"
      lines.append("  classDef \(mark.rawValue) \(colours)")
      lines.append("  class \(ids.joined(separator: ",")) \(mark.rawValue)")
    }
    return lines
  }

  private func escaped(_ node: ProgramGraph.Node) -> String {
    var parts = [(node.starts.isEmpty ? "" : "▶ ") + node.name + (node.isExternal ? " (from outside)" : "")]
    if node.kind != .loop { parts += node.details.map { DisplayWidth.truncated($0, to: 40) } }
    if let text = node.state?.text { parts.append(text) }
    return parts.map(escaped).joined(separator: "<br/>")
  }

  /// Everything that Mermaid, its Markdown or HTML might read is written as an entity: `#35;`.
  private func escaped(_ text: String) -> String {
    neutralised(text, onOneLine: true).unicodeScalars.map { scalar in
      switch scalar {
      case "\"", "#", "<", ">", "&", "`", "\\", ";", "|": "#\(scalar.value);"
      default: String(scalar)
      }
    }.joined()
  }
}
