/// A table in aligned columns: two spaces between them, none at the end of a line.
///
/// Where the terminal's width is known the widest columns give way until all fits; nothing is cut elsewhere.
struct AlignedTable {
  private static let gap = 2
  /// A column is not made narrower than this.
  private static let least = 6

  private let table: Table
  private let profile: TerminalProfile
  private let texts: [[String]]

  init(_ table: Table, profile: TerminalProfile) {
    self.table = table
    self.profile = profile
    texts = table.rows.map { row in row.map { neutralised($0.text, onOneLine: true) } }
  }

  func text(header: Bool) -> String {
    let widths = widths(header: header)
    var out = ""
    if header {
      let titles = table.columns.map { ($0.title, TextStyle.faint) }
      out += line(titles, widths)
    }
    for (row, texts) in zip(table.rows, texts) {
      out += line(zip(texts, row).map { ($0, $1.style) }, widths)
    }
    return out
  }

  private func line(_ cells: [(text: String, style: TextStyle)], _ widths: [Int]) -> String {
    var line = ""
    var pending = 0
    for (place, cell) in cells.enumerated() {
      let width = widths[place]
      let text = DisplayWidth.truncated(cell.text, to: width, ellipsis: profile.ellipsis)
      let fill = width - DisplayWidth.of(text)
      let isRight = table.columns[place].alignment == .right
      pending += isRight ? fill : 0
      if !text.isEmpty {
        line += String(repeating: " ", count: pending) + cell.style.applied(to: text, on: profile)
        pending = 0
      }
      pending += (isRight ? 0 : fill) + Self.gap
    }
    return line + "\n"
  }

  private func widths(header: Bool) -> [Int] {
    var widths = table.columns.indices.map { place in
      let title = header ? DisplayWidth.of(table.columns[place].title) : 0
      return texts.reduce(title) { max($0, DisplayWidth.of($1[place])) }
    }
    guard let room = profile.width else { return widths }
    for (place, column) in table.columns.enumerated() {
      if let most = column.maximumWidth { widths[place] = min(widths[place], max(most, Self.least)) }
    }
    // The widest column gives way first, down to the next widest: short cells stay whole.
    var excess = widths.reduce(0, +) + Self.gap * max(0, widths.count - 1) - room
    while excess > 0, let widest = widths.max(), widest > Self.least {
      let places = widths.indices.filter { widths[$0] == widest }
      let next = max(Self.least, widths.filter { $0 < widest }.max() ?? Self.least)
      let cut = min(excess, (widest - next) * places.count)
      for (rank, place) in places.enumerated() {
        widths[place] -= cut / places.count + (rank < cut % places.count ? 1 : 0)
      }
      excess -= cut
    }
    return widths
  }
}
