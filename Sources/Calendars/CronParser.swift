/// Reads cron lines: bits for the values of each field, and every mistake with its place.
struct CronParser {
  /// A field that was read.
  struct Field {
    /// One bit for each value.
    var values: UInt64
    /// Whether it begins with a star.
    let isStarred: Bool
    /// Where it stands in the line.
    let offset: Int
  }

  /// A piece of the line, with its place.
  private struct Piece {
    let text: String
    let offset: Int

    /// The text as messages quote it.
    var shown: String {
      text.unicodeScalars.count > 40
        ? String(String.UnicodeScalarView(text.unicodeScalars.prefix(40))) + "…" : text
    }

    /// The pieces between `separator`s.
    func split(at separator: Unicode.Scalar) -> [Piece] {
      var pieces: [Piece] = []
      var start = offset
      for part in text.unicodeScalars.split(separator: separator, omittingEmptySubsequences: false) {
        pieces.append(Piece(text: String(part), offset: start))
        start += part.count + 1
      }
      return pieces
    }
  }

  private static let shorthands = [
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
  ]

  private var words: [Piece] = []
  private let length: Int

  init(_ text: String) {
    var word = ""
    var offset = 0
    for scalar in text.unicodeScalars {
      if scalar == " " || scalar == "\t" {
        if !word.isEmpty { words.append(Piece(text: word, offset: offset - word.unicodeScalars.count)) }
        word = ""
      } else {
        word.unicodeScalars.append(scalar)
      }
      offset += 1
    }
    if !word.isEmpty { words.append(Piece(text: word, offset: offset - word.unicodeScalars.count)) }
    length = offset
  }

  /// The five fields.
  mutating func fields() throws(CronError) -> [Field] {
    if let first = words.first, first.text.hasPrefix("@") { try expand(first) }
    let names = "minute, hour, day of the month, month, day of the week"
    guard words.count >= CronField.allCases.count else {
      throw CronError(
        words.isEmpty ? 0 : length,
        words.isEmpty
          ? "the cron line is empty; write five fields (\(names)), such as '0 2 * * 1-5'"
          : "the cron line has \(words.count) of five fields (\(names)); '*' is every value")
    }
    guard words.count == CronField.allCases.count else {
      throw CronError(
        words[CronField.allCases.count].offset,
        "the cron line has \(words.count) fields and not five (\(names)); it knows neither seconds nor years, "
          + "and a list has no spaces")
    }
    var fields: [Field] = []
    for (field, word) in zip(CronField.allCases, words) { fields.append(try read(word, field)) }
    return fields
  }

  private mutating func expand(_ word: Piece) throws(CronError) {
    guard let line = Self.shorthands[word.text.lowercased()] else {
      throw CronError(
        word.offset,
        "'\(word.shown)' is not known; there are @hourly, @daily, @weekly, @monthly and @yearly")
    }
    if words.count > 1 {
      throw CronError(words[1].offset, "nothing may follow '\(word.text)'; it stands for '\(line)'")
    }
    words = CronParser(line).words.map { Piece(text: $0.text, offset: word.offset) }
  }

  private func read(_ word: Piece, _ field: CronField) throws(CronError) -> Field {
    var values: UInt64 = 0
    for part in word.split(at: ",") { values |= try self.values(of: part, field) }
    if field == .weekday, values.has(7) { values = values & 0x7f | 1 }
    return Field(values: values, isStarred: word.text.hasPrefix("*"), offset: word.offset)
  }

  /// `*`, `5`, `1-5`, each but the single value perhaps with a step.
  private func values(of part: Piece, _ field: CronField) throws(CronError) -> UInt64 {
    guard !part.text.isEmpty else {
      throw CronError(part.offset, "the \(field.name) has an empty part; take the surplus comma out")
    }
    let pieces = part.split(at: "/")
    guard pieces.count <= 2 else {
      throw CronError(pieces[2].offset - 1, "the \(field.name) has a second '/'; one step is enough")
    }
    let range = try self.range(pieces[0], field, step: pieces.dropFirst().first)
    guard pieces.count == 2 else { return .bits(range) }
    let step = try self.step(pieces[1], over: range, field)
    var values: UInt64 = 0
    for value in stride(from: range.lowerBound, through: range.upperBound, by: step) {
      values |= 1 << UInt64(value)
    }
    return values
  }

  private func range(
    _ piece: Piece, _ field: CronField, step: Piece?
  ) throws(CronError) -> ClosedRange<Int> {
    if piece.text == "*" { return field.all }
    let ends = piece.split(at: "-")
    guard ends.count <= 2 else {
      throw CronError(ends[2].offset - 1, "the \(field.name) has a second '-'; a range has two ends")
    }
    for (end, place) in zip(ends, ["before", "after"]) where ends.count == 2 && end.text.isEmpty {
      throw CronError(end.offset, "the \(field.name) has no value \(place) '-'")
    }
    let first = try value(ends[0], field)
    guard ends.count == 2 else {
      guard let step else { return first...first }
      throw CronError(
        piece.offset,
        "the \(field.name) has a step from a single value; write a range, such as "
          + "\(first)-\(field.all.upperBound)/\(step.shown)")
    }
    var last = try value(ends[1], field)
    // 'fri-sun' is three days: at the end of a range Sunday is the seventh.
    if field == .weekday, last == 0, first > 0 { last = 7 }
    guard first <= last else {
      throw CronError(
        piece.offset,
        "the range of the \(field.name) ends before it begins; write \(first)-\(field.all.upperBound),"
          + "\(field.all.lowerBound)-\(last)")
    }
    return first...last
  }

  private func step(
    _ piece: Piece, over range: ClosedRange<Int>, _ field: CronField
  ) throws(CronError) -> Int {
    guard let step = number(piece) else {
      throw CronError(piece.offset, "the step of the \(field.name) must be a number, not '\(piece.shown)'")
    }
    guard (1...range.count).contains(step) else {
      throw CronError(
        piece.offset,
        step == 0
          ? "the step of the \(field.name) is 0; it must be at least 1"
          : "the step of the \(field.name) is \(step), more than the \(range.count) values it steps over; "
            + "a cron line can't count beyond them")
    }
    return step
  }

  private func value(_ piece: Piece, _ field: CronField) throws(CronError) -> Int {
    let value = number(piece) ?? field.value(named: piece.text)
    if let value, field.range.contains(value) { return value }
    throw CronError(piece.offset, "the \(field.name) must be \(field.allowed), not '\(piece.shown)'")
  }

  /// At most nine digits, so that it always fits.
  private func number(_ piece: Piece) -> Int? {
    let digits = piece.text.utf8
    guard (1...9).contains(digits.count), digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return Int(piece.text)
  }
}
