/// A graph as a picture that needs nothing else: its own styles, light or dark as the reader's page is.
struct GraphSVG {
  private static let margin = 24.0
  private static let heading = 34.0

  private let graph: ProgramGraph
  private let layout: GraphLayout
  private let marks: [GraphState.Mark]

  init(_ graph: ProgramGraph) {
    self.graph = graph
    layout = GraphLayout.best(for: graph)
    let present = Set(graph.nodes.compactMap { $0.state?.mark })
    marks = graph.isRun ? GraphState.Mark.allCases.filter { present.contains($0) } : []
  }

  func text() -> String {
    let title = DisplayWidth.truncated(neutralised(graph.title, onOneLine: true), to: 90)
    let legend = SVGLegend(marks)
    let inner = max(layout.width, legend.width, TextMeasure.width(title, size: 15, bold: true), 160)
    let width = inner + 2 * Self.margin
    let top = Self.margin + Self.heading
    let height = top + layout.height + Self.margin + (marks.isEmpty ? 0 : SVGLegend.height)
    let shift = Self.margin + (inner - layout.width) / 2

    var lines = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(SVG.number(width)) \(SVG.number(height))\" "
        + "width=\"\(SVG.number(width))\" height=\"\(SVG.number(height))\" role=\"img\">",
      "<title>\(SVG.escaped(title))</title>",
      SVGStyle.sheet,
      "<rect class=\"paper\" width=\"100%\" height=\"100%\"/>",
      "<text class=\"title\" x=\"\(SVG.number(Self.margin))\" y=\"\(SVG.number(Self.margin + 14))\">"
        + SVG.escaped(title) + "</text>",
      "<g transform=\"translate(\(SVG.number(shift)) \(SVG.number(top)))\">",
    ]
    // From the back: frames from the outermost, edges, nodes, and labels over all lines.
    lines += frames(of: nil)
    lines += layout.paths.map(edge)
    lines += graph.nodes.filter { $0.kind != .loop }.compactMap { node in
      layout.boxes[node.id].map { SVGNode(node, box: $0).text() }
    }
    lines += layout.paths.compactMap(label)
    lines.append("</g>")
    if !marks.isEmpty { lines.append(legend.text(x: Self.margin, y: top + layout.height + Self.margin)) }
    lines.append("</svg>")
    return lines.joined(separator: "\n") + "\n"
  }

  private func frames(of frame: Int?) -> [String] {
    graph.children(of: frame).filter { $0.kind == .loop }.flatMap { loop -> [String] in
      guard let box = layout.boxes[loop.id] else { return [] }
      return [SVGNode(loop, box: box).text()] + frames(of: loop.id)
    }
  }

  private func edge(_ path: GraphLayout.Path) -> String {
    let kind = path.edge.label == "failure" ? " failure" : path.edge.kind == .until ? " until" : ""
    var d = ""
    for (index, point) in path.points.enumerated() {
      if index == 0 {
        d = "M" + SVG.pair(point.x, point.y)
      } else if index % 2 == 0 {
        // Through a gap between layers: leaves and arrives in the direction of the layers.
        let from = path.points[index - 1]
        let (a, b): (GraphLayout.Point, GraphLayout.Point)
        if layout.isHorizontal {
          let middle = (from.x + point.x) / 2
          (a, b) = (.init(x: middle, y: from.y), .init(x: middle, y: point.y))
        } else {
          let middle = (from.y + point.y) / 2
          (a, b) = (.init(x: from.x, y: middle), .init(x: point.x, y: middle))
        }
        d +=
          "C" + [SVG.pair(a.x, a.y), SVG.pair(b.x, b.y), SVG.pair(point.x, point.y)].joined(separator: " ")
      } else {
        d += "L" + SVG.pair(point.x, point.y)
      }
    }
    return "<path class=\"edge\(kind)\" d=\"\(d)\"/>" + head(path, kind)
  }

  /// The arrow's head, drawn by itself: markers can't take the colour of their line everywhere.
  private func head(_ path: GraphLayout.Path, _ kind: String) -> String {
    guard let tip = path.points.last, path.points.count > 1 else { return "" }
    let before = path.points.dropLast(2).last ?? path.points[0]
    let (size, half) = (7.0, 3.5)
    let corners: [(Double, Double)]
    if layout.isHorizontal {
      let back = tip.x >= before.x ? -size : size
      corners = [(tip.x, tip.y), (tip.x + back, tip.y - half), (tip.x + back, tip.y + half)]
    } else {
      let back = tip.y >= before.y ? -size : size
      corners = [(tip.x, tip.y), (tip.x - half, tip.y + back), (tip.x + half, tip.y + back)]
    }
    let points = corners.map { SVG.pair($0.0, $0.1) }.joined(separator: " ")
    return "<polygon class=\"head\(kind)\" points=\"\(points)\"/>"
  }

  private func label(_ path: GraphLayout.Path) -> String? {
    guard let place = path.label else { return nil }
    let kind = ["success", "failure"].contains(path.edge.label) ? " " + path.edge.label : ""
    return "<text class=\"label\(kind)\" x=\"\(SVG.number(place.x))\" y=\"\(SVG.number(place.y + 3.5))\">"
      + SVG.escaped(path.edge.label) + "</text>"
  }
}
