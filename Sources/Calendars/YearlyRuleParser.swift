/// Reads the footer of a TZif file; anything it does not understand makes the whole file unreadable.
struct YearlyRuleParser {
  private var rest: ArraySlice<UInt8>

  /// The rule written as `text`; nil if it is none.
  static func rule(_ text: ArraySlice<UInt8>) -> YearlyRule? {
    var parser = YearlyRuleParser(rest: text)
    guard let rule = parser.rule(), parser.rest.isEmpty else { return nil }
    return rule
  }

  private mutating func rule() -> YearlyRule? {
    guard name(), let west = time(upTo: 24) else { return nil }
    if rest.isEmpty { return YearlyRule(standard: -west, summer: nil) }
    guard name() else { return nil }
    var offset = 3600 - west
    if rest.first != UInt8(ascii: ",") {
      guard let written = time(upTo: 24) else { return nil }
      offset = -written
    }
    guard take(","), let start = moment(), take(","), let end = moment() else { return nil }
    return YearlyRule(standard: -west, summer: .init(offset: offset, start: start, end: end))
  }

  /// Letters, or anything between angle brackets; what it is does not matter here.
  private mutating func name() -> Bool {
    if take("<") {
      guard let end = rest.firstIndex(of: UInt8(ascii: ">")) else { return false }
      rest = rest[(end + 1)...]
      return true
    }
    let letters = rest.prefix { (65...90).contains($0 & 0xdf) }
    rest = rest.dropFirst(letters.count)
    return letters.count >= 3
  }

  private mutating func moment() -> YearlyRule.Moment? {
    guard let day = day() else { return nil }
    guard take("/") else { return .init(day: day, time: 7200) }
    // A week on either side: RFC 8536, 3.3.1.
    return time(upTo: 167).map { .init(day: day, time: $0) }
  }

  private mutating func day() -> YearlyRule.Moment.Day? {
    if take("M") {
      guard let month = number(1...12), take("."), let week = number(1...5), take("."),
        let weekday = number(0...6)
      else { return nil }
      return .ofWeek(month: month, week: week, weekday: weekday)
    }
    if take("J") { return number(1...365).map { .ofYear($0) } }
    return number(0...365).map { .ofAnyYear($0) }
  }

  /// `[+-]hh[:mm[:ss]]`, in seconds.
  private mutating func time(upTo hours: Int) -> Int64? {
    let isNegative = take("-")
    if !isNegative { _ = take("+") }
    guard var seconds = number(0...hours).map({ $0 * 3600 }) else { return nil }
    for unit in [60, 1] where take(":") {
      guard let part = number(0...59) else { return nil }
      seconds += part * unit
    }
    return Int64(isNegative ? -seconds : seconds)
  }

  private mutating func number(_ range: ClosedRange<Int>) -> Int? {
    let digits = rest.prefix(4).prefix { (48...57).contains($0) }
    rest = rest.dropFirst(digits.count)
    guard let number = Int(String(decoding: digits, as: UTF8.self)), range.contains(number) else {
      return nil
    }
    return number
  }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard rest.first == UInt8(ascii: scalar) else { return false }
    rest = rest.dropFirst()
    return true
  }
}
