/// The colours of a graph's states: fills light enough for dark text, lines dark enough for a white page.
enum GraphPalette {
  static func fill(of mark: GraphState.Mark) -> String { colours(of: mark).fill }

  static func line(of mark: GraphState.Mark) -> String { colours(of: mark).line }

  /// The fill and line on a dark page.
  static func dark(of mark: GraphState.Mark) -> (fill: String, line: String) {
    switch mark {
    case .success: ("#173a27", "#4cc37d")
    case .failure: ("#46201f", "#f07171")
    case .running: ("#1b2f55", "#6ea2f5")
    case .ready: ("#15383f", "#4fc3d6")
    case .waiting: ("#2a3039", "#8a94a6")
    case .skipped: ("#3d3414", "#dfb93a")
    case .cancelled: ("#37234a", "#b583e0")
    case .triggered: ("#222b3a", "#8fa3c4")
    case .untouched: ("#171c24", "#475262")
    }
  }

  private static func colours(of mark: GraphState.Mark) -> (fill: String, line: String) {
    switch mark {
    case .success: ("#dff5e6", "#2b9a57")
    case .failure: ("#fde3e2", "#d64545")
    case .running: ("#dfeafd", "#2f6fd6")
    case .ready: ("#dcf3f7", "#1a8ea1")
    case .waiting: ("#eceff3", "#8a94a6")
    case .skipped: ("#fdf3cf", "#b8900b")
    case .cancelled: ("#f1e5f9", "#8e4ec6")
    case .triggered: ("#e8edf5", "#6b7f9f")
    case .untouched: ("#ffffff", "#c3cad4")
    }
  }
}
