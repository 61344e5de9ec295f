/// The pieces of SVG that are the same in every picture.
enum SVGStyle {
  /// The style sheet: neutral colours for both kinds of page, and those of the states.
  static let sheet: String = {
    var rules = [
      "text{font-family:ui-sans-serif,system-ui,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2933}",
      ".paper{fill:#ffffff}",
      ".title{font-size:15px;font-weight:600}",
      ".name{font-size:13px;font-weight:600} .event .name{font-size:12px;font-weight:400}",
      ".detail,.state,.small,.label,.legend{font-size:10.5px}",
      ".detail,.small,.label{fill:#66707f}",
      ".label{text-anchor:middle;paint-order:stroke;stroke:#ffffff;stroke-width:5px;stroke-linejoin:round} .label.success{fill:#2b9a57} .label.failure{fill:#d64545}",
      ".edge{fill:none;stroke:#97a1b0;stroke-width:1.3} .edge.failure{stroke:#d98080}",
      ".edge.until{stroke-dasharray:4 3} .head{fill:#97a1b0} .head.failure{fill:#d98080}",
      ".step rect{fill:#f3f5f8;stroke:#8b96a6;stroke-width:1.3}",
      ".event rect{fill:#ffffff;stroke:#a8b1be;stroke-width:1.1} .event .external{stroke-dasharray:4 3}",
      ".loop rect{fill:#7b8794;fill-opacity:.05;stroke:#8b96a6;stroke-width:1.2;stroke-dasharray:6 4}",
      ".joint rect,.turn rect{fill:#e9edf2;stroke:none} .start{fill:#2f6fd6}",
    ]
    for mark in GraphState.Mark.allCases {
      rules.append(rule(mark, fill: GraphPalette.fill(of: mark), line: GraphPalette.line(of: mark)))
    }
    var dark = [
      "text{fill:#e4e8ee} .paper{fill:#12161c} .detail,.small,.label{fill:#9aa5b4}",
      ".label{stroke:#12161c} .label.success{fill:#4cc37d} .label.failure{fill:#f07171}",
      ".edge{stroke:#65707f} .head{fill:#65707f} .edge.failure{stroke:#b35a5a} .head.failure{fill:#b35a5a}",
      ".step rect{fill:#1e252f;stroke:#65707f} .event rect{fill:#12161c;stroke:#56606e}",
      ".joint rect,.turn rect{fill:#2a323d} .start{fill:#6ea2f5}",
    ]
    for mark in GraphState.Mark.allCases {
      let colours = GraphPalette.dark(of: mark)
      dark.append(rule(mark, fill: colours.fill, line: colours.line))
    }
    let night = "@media (prefers-color-scheme:dark){\n" + dark.joined(separator: "\n") + "\n}"
    return "<style>\n" + (rules + [night]).joined(separator: "\n") + "\n</style>"
  }()

  private static func rule(_ mark: GraphState.Mark, fill: String, line: String) -> String {
    let name = mark.rawValue
    let boxes = [".step", ".event", ".swatch"].map { "\($0).\(name) rect" }.joined(separator: ",")
    return "\(boxes){fill:\(fill);stroke:\(line)} .loop.\(name) rect{stroke:\(line)}"
  }
}

/// Numbers and text as SVG writes them.
enum SVG {
  /// A number with at most one decimal.
  static func number(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    let sign = tenths < 0 ? "-" : ""
    let rest = abs(tenths) % 10
    return sign + String(abs(tenths) / 10) + (rest == 0 ? "" : ".\(rest)")
  }

  static func pair(_ x: Double, _ y: Double) -> String { number(x) + "," + number(y) }

  /// Text between tags or in an attribute; what XML 1.0 has no place for becomes U+FFFD.
  static func escaped(_ text: String) -> String {
    text.unicodeScalars.map { scalar in
      switch scalar {
      case "&": "&amp;"
      case "<": "&lt;"
      case ">": "&gt;"
      case "\"": "&quot;"
      case "\t", "\n": String(scalar)
      case _ where scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF: "\u{FFFD}"
      default: String(scalar)
      }
    }.joined()
  }
}

/// What the colours of a run's picture mean.
struct SVGLegend {
  static let height = 30.0
  private let marks: [GraphState.Mark]

  init(_ marks: [GraphState.Mark]) { self.marks = marks }

  var width: Double { marks.reduce(0) { $0 + Self.width(of: $1) } }

  func text(x: Double, y: Double) -> String {
    var lines = ["<g class=\"key\">"]
    var place = x
    for mark in marks {
      lines.append(
        "<g class=\"swatch \(mark.rawValue)\"><rect x=\"\(SVG.number(place))\" y=\"\(SVG.number(y))\" "
          + "width=\"14\" height=\"12\" rx=\"3\"/><text class=\"legend\" x=\"\(SVG.number(place + 20))\" "
          + "y=\"\(SVG.number(y + 10))\">\(Self.word(for: mark))</text></g>")
      place += Self.width(of: mark)
    }
    return lines.joined() + "</g>"
  }

  private static func word(for mark: GraphState.Mark) -> String {
    mark == .untouched ? "not reached" : mark.rawValue
  }

  private static func width(of mark: GraphState.Mark) -> Double {
    TextMeasure.width(word(for: mark), size: 10.5) + 40
  }
}
