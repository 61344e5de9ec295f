/// The five fields of a cron line, in the order in which they are written.
enum CronField: Int, CaseIterable {
  case minute, hour, day, month, weekday

  /// The values that may be written; 7 is Sunday too.
  var range: ClosedRange<Int> {
    switch self {
    case .minute: 0...59
    case .hour: 0...23
    case .day: 1...31
    case .month: 1...12
    case .weekday: 0...7
    }
  }

  /// The values that `*` stands for.
  var all: ClosedRange<Int> { self == .weekday ? 0...6 : range }

  /// What it is called in messages.
  var name: String {
    switch self {
    case .minute: "minute"
    case .hour: "hour"
    case .day: "day of the month"
    case .month: "month"
    case .weekday: "day of the week"
    }
  }

  /// Names that may stand for values, the first for ``firstNamed``.
  var names: [String] {
    switch self {
    case .minute, .hour, .day: []
    case .month: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    case .weekday: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
    }
  }

  /// What may be written, as in "must be 0-59".
  var allowed: String {
    let numbers = "\(range.lowerBound)-\(range.upperBound)"
    guard let first = names.first, let last = names.last else { return numbers }
    return "\(numbers) or \(first)-\(last)"
  }

  /// The value of a name, whatever its case.
  func value(named name: String) -> Int? {
    names.firstIndex(of: name.lowercased()).map { $0 + range.lowerBound }
  }
}
