import Model

/// Rows under named columns: what every list is before it is rendered.
public struct Table: Sendable {
  /// To which side a column's text is moved.
  public enum Alignment: Sendable {
    case left, right
  }

  /// One column.
  public struct Column: Sendable, Hashable {
    /// The key: in JSON, for `--columns`, and the heading of CSV and TSV.
    public let name: String
    /// The heading for people.
    public let title: String
    /// To which side its text is moved.
    public let alignment: Alignment
    /// The most columns of a terminal it may take; it is not cut where no width is given.
    public let maximumWidth: Int?

    /// A column called `name`; its heading is the name in capitals with spaces unless `title` says otherwise.
    public init(_ name: String, title: String? = nil, alignment: Alignment = .left, maximumWidth: Int? = nil)
    {
      self.name = name
      self.title = title ?? String(name.uppercased().map { $0 == "_" ? " " : $0 })
      self.alignment = alignment
      self.maximumWidth = maximumWidth
    }
  }

  /// One cell: what people read, and what programs read.
  public struct Cell: Sendable, Hashable, ExpressibleByStringLiteral {
    /// What people read.
    public let text: String
    /// How it looks on a terminal.
    public let style: TextStyle
    /// What JSON, CSV and TSV show.
    public let value: JSONObject.Content

    /// A cell that shows `text`; `value`, if given, is what programs read instead.
    public init(_ text: String?, style: TextStyle = .plain, value: (any JSONRenderable)? = nil) {
      self.text = text ?? ""
      self.style = style
      self.value = (value ?? text).jsonValue
    }

    /// A cell with a number.
    public init(_ number: Int?, style: TextStyle = .plain) {
      self.init(number.map { String($0) }, style: style, value: number.jsonValue)
    }

    /// A plain cell.
    public init(stringLiteral text: String) { self.init(text) }
  }

  /// Thrown where `--columns` names a column that is not there.
  public struct UnknownColumn: Error, Hashable, CustomStringConvertible {
    /// The name given.
    public let name: String
    /// The column probably meant.
    public let nearest: String?
    /// Every column there is.
    public let known: [String]

    /// What is wrong and how to mend it.
    public var description: String {
      let hint = nearest.map { "did you mean \($0)?" } ?? "there are \(known.joined(separator: ", "))"
      return "no column \(neutralised(name, onOneLine: true)); \(hint)"
    }
  }

  /// The columns in the order they are shown.
  public private(set) var columns: [Column]
  /// The rows, each with a cell for every column.
  public private(set) var rows: [[Cell]] = []

  /// An empty table with these columns.
  public init(_ columns: [Column]) { self.columns = columns }

  /// Adds a row; missing cells are empty (`null` in JSON), surplus ones are dropped.
  public mutating func append(_ cells: [Cell]) {
    let missing = max(0, columns.count - cells.count)
    rows.append(Array(cells.prefix(columns.count)) + Array(repeating: Cell(nil as String?), count: missing))
  }

  /// The table with the columns called `names` only, in that order. An empty list leaves all.
  public func selecting(_ names: [String]) throws(UnknownColumn) -> Table {
    guard !names.isEmpty else { return self }
    var places: [Int] = []
    for name in names {
      let wanted = name.lowercased()
      guard let place = columns.firstIndex(where: { $0.name.lowercased() == wanted }) else {
        throw UnknownColumn(name: name, nearest: nearestColumn(to: name), known: columns.map(\.name))
      }
      places.append(place)
    }
    var table = Table(places.map { columns[$0] })
    table.rows = rows.map { row in places.map { row[$0] } }
    return table
  }

  /// The table with the columns of a `--columns` value: names with commas between.
  public func selecting(_ list: String?) throws(UnknownColumn) -> Table {
    try selecting((list ?? "").split(separator: ",").map { $0.trimmingSpaces })
  }

  private func nearestColumn(to name: String) -> String? {
    let known = columns.map(\.name)
    if let near = Name.nearest(to: name, among: known) { return near }
    // People shorten: `start` for `started_at`.
    let start = name.lowercased()
    return known.first { !start.isEmpty && $0.hasPrefix(start) }
  }
}

extension Substring {
  fileprivate var trimmingSpaces: String {
    let rest = drop { $0 == " " }
    return String(rest.reversed().drop { $0 == " " }.reversed())
  }
}
