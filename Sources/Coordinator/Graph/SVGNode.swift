/// One node of a picture.
struct SVGNode {
  private let node: ProgramGraph.Node
  private let box: GraphLayout.Rect
  private let shape: NodeShape

  init(_ node: ProgramGraph.Node, box: GraphLayout.Rect) {
    self.node = node
    self.box = box
    shape = NodeShape(node)
  }

  func text() -> String {
    let mark = node.state.map { " " + $0.mark.rawValue } ?? ""
    var lines = ["<g class=\"\(kindName)\(mark)\"><title>\(SVG.escaped(neutralised(tooltip)))</title>"]
    switch node.kind {
    case .loop: lines += frame()
    case .step: lines += [rect(corner: 5)] + texts()
    case .forEach: lines += [rect(corner: 5, shift: 4), rect(corner: 5)] + texts()
    case .event:
      lines += [rect(corner: min(13, box.height / 2), extra: node.isExternal ? "external" : nil)] + texts()
    case .and, .or, .begin, .end: lines += [rect(corner: box.height / 2), line(shape.name, "small", at: 0.5)]
    }
    return lines.joined() + "</g>"
  }

  private var kindName: String {
    switch node.kind {
    case .event: "event"
    case .step, .forEach: "step"
    case .loop: "loop"
    case .and, .or: "joint"
    case .begin, .end: "turn"
    }
  }

  private var tooltip: String {
    var parts = [node.name]
    parts += node.details
    if let condition = node.condition { parts.append("when \(condition)") }
    if !node.starts.isEmpty {
      parts.append("starts with the run, in sequence " + node.starts.map(\.text).joined(separator: ", "))
    }
    if let text = node.state?.text { parts.append(text) }
    return parts.joined(separator: "\n")
  }

  private func frame() -> [String] {
    let y = box.y + 19
    var lines = [rect(corner: 10)]
    lines.append(
      "<text class=\"name\" x=\"\(SVG.number(box.x + 12))\" y=\"\(SVG.number(y))\">\(SVG.escaped(shape.name))</text>"
    )
    if let state = shape.state {
      lines.append(
        "<text class=\"state\" text-anchor=\"end\" x=\"\(SVG.number(box.x + box.width - 12))\" "
          + "y=\"\(SVG.number(y))\">\(SVG.escaped(state))</text>")
    }
    return lines
  }

  private func rect(corner: Double, shift: Double = 0, extra: String? = nil) -> String {
    "<rect\(extra.map { " class=\"\($0)\"" } ?? "") x=\"\(SVG.number(box.x + shift))\" "
      + "y=\"\(SVG.number(box.y + shift))\" width=\"\(SVG.number(box.width))\" "
      + "height=\"\(SVG.number(box.height))\" rx=\"\(SVG.number(corner))\"/>"
  }

  /// The lines of text, one under the other, the block in the middle of the box.
  private func texts() -> [String] {
    var entries = [(shape.name, "name")]
    entries += shape.details.map { ($0, "detail") }
    if let state = shape.state { entries.append((state, "state")) }
    var lines: [String] = []
    for (index, entry) in entries.enumerated() {
      lines.append(line(entry.0, entry.1, at: (Double(index) + 0.5) / Double(entries.count)))
    }
    if !node.starts.isEmpty { lines.append(startMark()) }
    return lines
  }

  private func line(_ text: String, _ style: String, at share: Double) -> String {
    let room = box.height - 8
    let y = box.y + 4 + room * share + (style == "name" ? 4.5 : 3.8)
    let shift = style == "name" && !node.starts.isEmpty ? 6.0 : 0
    let x = SVG.number(box.x + box.width / 2 + shift)
    return
      "<text class=\"\(style)\" text-anchor=\"middle\" x=\"\(x)\" y=\"\(SVG.number(y))\">\(SVG.escaped(text))</text>"
  }

  /// A triangle before the name of what starts with the run.
  private func startMark() -> String {
    let x = box.x + box.width / 2 - shape.nameWidth / 2 - 6
    let lines = Double(shape.details.count + (shape.state == nil ? 1 : 2))
    let y = box.y + 4 + (box.height - 8) / lines / 2
    let points = [SVG.pair(x, y - 4.5), SVG.pair(x + 7, y), SVG.pair(x, y + 4.5)].joined(separator: " ")
    return "<polygon class=\"start\" points=\"\(points)\"/>"
  }
}
