/// A moment of the database's clock, in microseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Microseconds since 1970-01-01T00:00:00Z.
  public let microseconds: Int64

  /// The moment `microseconds` after 1970-01-01T00:00:00Z.
  public init(microseconds: Int64) { self.microseconds = microseconds }

  /// RFC 3339 in UTC with milliseconds: `2026-11-21T02:00:00.123Z`.
  ///
  /// The civil date is found with Howard Hinnant's `civil_from_days`
  /// (https://howardhinnant.github.io/date_algorithms.html), without a calendar library.
  public var description: String {
    let milliseconds = (microseconds / 1000) - (microseconds % 1000 < 0 ? 1 : 0)
    var days = milliseconds / 86_400_000
    var rest = milliseconds % 86_400_000
    if rest < 0 {
      rest += 86_400_000
      days -= 1
    }
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    func pad(_ number: Int64, _ width: Int) -> String {
      let text = String(number)
      return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
    return pad(year, 4) + "-" + pad(month, 2) + "-" + pad(day, 2) + "T" + pad(rest / 3_600_000, 2) + ":"
      + pad(rest / 60_000 % 60, 2) + ":" + pad(rest / 1000 % 60, 2) + "." + pad(rest % 1000, 3) + "Z"
  }

  /// The moment `span` later.
  public static func + (moment: Timestamp, span: TimeSpan) -> Timestamp {
    Timestamp(microseconds: moment.microseconds + span.microseconds)
  }

  /// The time from `earlier` to `later`, in seconds; negative if they are the other way round.
  public static func - (later: Timestamp, earlier: Timestamp) -> Double {
    Double(later.microseconds - earlier.microseconds) / 1_000_000
  }

  /// Orders by time.
  public static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }
}
