/// What is written in a node, and the room it needs.
struct NodeShape {
  static let nameSize = 13.0
  static let detailSize = 10.5
  static let labelSize = 10.5
  private static let longest = 34

  let name: String
  /// The smaller lines under the name.
  let details: [String]
  let state: String?
  let nameWidth: Double
  let size: (width: Double, height: Double)

  init(_ node: ProgramGraph.Node) {
    func short(_ text: String) -> String {
      DisplayWidth.truncated(neutralised(text, onOneLine: true), to: Self.longest)
    }
    name = short(node.name)
    state = node.state?.text.map(short)
    var details: [String] = []
    if node.kind == .step || node.kind == .forEach {
      for detail in node.details.map(short) {
        // What is short shares a line: `make test · @s1`.
        if let last = details.last, DisplayWidth.of(last) + DisplayWidth.of(detail) + 3 <= Self.longest {
          details[details.count - 1] = last + " · " + detail
        } else {
          details.append(detail)
        }
      }
    }
    if node.isExternal { details.append("from outside") }
    let sequences = node.starts.filter { $0 != .first }.map(\.text)
    if !sequences.isEmpty { details.append(short("sequence " + sequences.joined(separator: ", "))) }
    self.details = details
    let smaller = details + (state.map { [$0] } ?? [])
    nameWidth = TextMeasure.width(
      name, size: node.kind == .event ? 12 : Self.nameSize, bold: node.kind != .event)
    let inner = smaller.map { TextMeasure.width($0, size: Self.detailSize) }.max() ?? 0
    let mark = node.starts.isEmpty ? 0.0 : 14
    switch node.kind {
    case .and, .or: size = (34, 22)
    case .begin, .end: size = (TextMeasure.width(name, size: Self.labelSize) + 20, 22)
    case .event:
      size = (max(nameWidth + mark, inner) + 24, 26 + 13 * Double(smaller.count))
    case .step, .forEach:
      let outer = max(nameWidth + mark, inner)
      size = (max(64, outer + 24), 30 + 14 * Double(smaller.count))
    case .loop:
      let parts = [name, state].compactMap { $0 }.joined(separator: "   ")
      size = (TextMeasure.width(parts, size: Self.nameSize, bold: true) + 16, 30)
    }
  }

  /// The room for an edge's label; nil if it has none.
  static func labelSize(_ edge: ProgramGraph.Edge) -> (width: Double, height: Double)? {
    edge.label.isEmpty ? nil : (TextMeasure.width(edge.label, size: labelSize) + 8, 14)
  }
}
