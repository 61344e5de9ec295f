/// A graph for Graphviz.
struct GraphDot {
  private let graph: ProgramGraph

  init(_ graph: ProgramGraph) { self.graph = graph }

  func text() -> String {
    var lines = [
      "digraph \(quoted(graph.title)) {",
      "  graph [compound=true, rankdir=TB, fontname=\"Helvetica\", fontsize=12, nodesep=0.3, ranksep=0.4];",
      "  node [fontname=\"Helvetica\", fontsize=11, color=\"#7b8794\", fillcolor=\"#f5f7fa\", style=filled];",
      "  edge [fontname=\"Helvetica\", fontsize=9, color=\"#7b8794\", fontcolor=\"#52606d\", arrowsize=0.7];",
    ]
    lines += frame(nil, indent: "  ")
    for edge in graph.edges { lines.append("  " + self.edge(edge)) }
    lines.append("}")
    return lines.joined(separator: "\n") + "\n"
  }

  private func frame(_ id: Int?, indent: String) -> [String] {
    graph.children(of: id).flatMap { node -> [String] in
      guard node.kind == .loop else { return [indent + self.node(node)] }
      let colour = node.state.map { ", color=\"\(GraphPalette.line(of: $0.mark))\"" } ?? ", color=\"#7b8794\""
      return [
        "\(indent)subgraph cluster_\(node.id) {",
        "\(indent)  graph [label=\(quoted(label(of: node))), style=\"dashed,rounded\"\(colour)];",
      ] + frame(node.id, indent: indent + "  ") + ["\(indent)}"]
    }
  }

  private func node(_ node: ProgramGraph.Node) -> String {
    var attributes = ["label=\(quoted(label(of: node)))"]
    switch node.kind {
    case .event: attributes.append("shape=box, style=\"rounded,filled\(node.isExternal ? ",dashed" : "")\"")
    case .step, .loop: attributes.append("shape=box")
    case .forEach: attributes.append("shape=box3d")
    case .and, .or: attributes.append("shape=circle, fixedsize=true, width=0.4, fontsize=9")
    case .begin, .end: attributes.append("shape=plaintext, style=\"\"")
    }
    if !node.starts.isEmpty { attributes.append("penwidth=2") }
    if let mark = node.state?.mark {
      attributes.append(
        "fillcolor=\"\(GraphPalette.fill(of: mark))\", color=\"\(GraphPalette.line(of: mark))\"")
    }
    return "n\(node.id) [\(attributes.joined(separator: ", "))];"
  }

  private func label(of node: ProgramGraph.Node) -> String {
    var parts = [node.name + (node.isExternal ? " (from outside)" : "")]
    if node.kind != .loop { parts += node.details.map { DisplayWidth.truncated($0, to: 40) } }
    if let text = node.state?.text { parts.append(text) }
    return parts.joined(separator: "\n")
  }

  /// Edges end at nodes in Graphviz; those of a loop are cut at its frame.
  private func edge(_ edge: ProgramGraph.Edge) -> String {
    var attributes = edge.label.isEmpty ? [] : ["label=\(quoted(edge.label))"]
    if edge.label == "failure" { attributes.append("color=\"#d64545\", fontcolor=\"#d64545\"") }
    if edge.kind == .until { attributes.append("style=dashed") }
    var (from, to) = (edge.from, edge.to)
    if graph.nodes[from].kind == .loop {
      attributes.append("ltail=cluster_\(from)")
      from = inner(of: from, .end) ?? inner(of: from, .begin) ?? from
    }
    if graph.nodes[to].kind == .loop {
      attributes.append("lhead=cluster_\(to)")
      to = inner(of: to, .begin) ?? to
    }
    return "n\(from) -> n\(to)" + (attributes.isEmpty ? "" : " [\(attributes.joined(separator: ", "))]") + ";"
  }

  private func inner(of loop: Int, _ kind: ProgramGraph.Node.Kind) -> Int? {
    graph.nodes.first { $0.frame == loop && $0.kind == kind }?.id
  }

  private func quoted(_ text: String) -> String {
    var out = "\""
    for character in neutralised(text) {
      switch character {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      default: out.append(character)
      }
    }
    return out + "\""
  }
}
