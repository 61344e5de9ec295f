/// How a table is written: the values of `--output`.
public enum TableFormat: String, Sendable, CaseIterable {
  /// Aligned columns for people.
  case table
  /// One array of objects.
  case json
  /// One object per line.
  case jsonl
  /// RFC 4180, with its CRLF at the end of lines.
  case csv
  /// Columns between tabs; tab, newline, carriage return and backslash in a cell are `\t`, `\n`, `\r` and `\\`.
  case tsv
}

extension Table {
  /// The table as text that ends with a newline, or is empty. `header` matters to `table`, `csv` and `tsv`.
  public func rendered(as format: TableFormat, header: Bool = true, on profile: TerminalProfile) -> String {
    switch format {
    case .table: AlignedTable(self, profile: profile).text(header: header)
    case .json: JSONObject.document(objects)
    case .jsonl: objects.map { $0.line + "\n" }.joined()
    case .csv: lines(header: header, profile, separator: ",", end: "\r\n", field: Self.csvField)
    case .tsv: lines(header: header, profile, separator: "\t", end: "\n", field: Self.tsvField)
    }
  }

  /// The rows as objects with the names of the columns as keys.
  public var objects: [JSONObject] {
    rows.map { row in
      var object = JSONObject()
      for (column, cell) in zip(columns, row) { object.set(column.name, cell.value) }
      return object
    }
  }

  private func lines(
    header: Bool, _ profile: TerminalProfile, separator: String, end: String, field: (String) -> String
  ) -> String {
    let heading = header ? [columns.map { field($0.name) }.joined(separator: separator) + end] : []
    let body = rows.map { row in
      row.map { cell in
        let text = cell.value.bareText
        return field(profile.isTerminal ? neutralised(text) : text)
      }.joined(separator: separator) + end
    }
    return (heading + body).joined()
  }

  /// A field is quoted if it holds a comma, a quote or an end of line; quotes in it are doubled.
  private static func csvField(_ text: String) -> String {
    let isSpecial = { (byte: UInt8) in byte == 0x2C || byte == 0x22 || byte == 0x0A || byte == 0x0D }
    guard text.utf8.contains(where: isSpecial) || text.hasPrefix(" ") || text.hasSuffix(" ") else {
      return text
    }
    return "\"" + text.unicodeScalars.map { $0 == "\"" ? "\"\"" : String($0) }.joined() + "\""
  }

  private static func tsvField(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x5C }) else { return text }
    return text.unicodeScalars.map { scalar in
      switch scalar {
      case "\t": "\\t"
      case "\n": "\\n"
      case "\r": "\\r"
      case "\\": "\\\\"
      default: String(scalar)
      }
    }.joined()
  }
}

extension JSONObject.Content {
  /// The value in a cell of CSV: text bare, `null` empty, the rest as JSON.
  var bareText: String {
    switch self {
    case .plain(let value):
      switch value {
      case .string, .null: value.plainText
      default: line
      }
    default: line
    }
  }
}
