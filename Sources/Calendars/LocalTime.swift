/// What the clock on a wall shows, to the minute, in no particular time zone.
public struct LocalTime: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Minutes of the wall clock since 1970-01-01T00:00 on the same clock.
  public let minutes: Int64

  /// The reading `minutes` after 1970-01-01T00:00.
  public init(minutes: Int64) { self.minutes = minutes }

  /// The minute that a clock shows `seconds` after it showed 1970-01-01T00:00:00.
  init(seconds: Int64) { minutes = seconds.dividedDown(by: 60) }

  var seconds: Int64 { minutes * 60 }

  /// `2026-11-21T02:00`.
  public var description: String {
    let date = CivilDate(days: Int(minutes.dividedDown(by: 1440)))
    let time = Int(minutes.modulo(1440))
    func pad(_ number: Int, _ width: Int) -> String {
      let text = String(number)
      return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
    return
      "\(pad(date.year, 4))-\(pad(date.month, 2))-\(pad(date.day, 2))T\(pad(time / 60, 2)):\(pad(time % 60, 2))"
  }

  /// Orders by reading.
  public static func < (left: LocalTime, right: LocalTime) -> Bool { left.minutes < right.minutes }
}
