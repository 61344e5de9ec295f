/// The times a cron line names, on a clock that nobody ever changes.
///
/// The language is that of Vixie cron (crontab(5)): five fields, `*`, lists, ranges and steps, names of months and of
/// days, 7 for Sunday, `@daily` and its like. Two rules turn on whether a field **begins with a star**, so that
/// `*/2` counts too, as there: where neither the day of the month nor the day of the week does, a day matches if
/// either does, else both must; and a line whose hour does keeps its even spacing over changes of the clock
/// (``Timetable``).
public struct CronLine: Sendable, Hashable, CustomStringConvertible {
  /// The line as it was written.
  public let description: String
  /// Whether the hour is starred.
  public let hasStarredHour: Bool

  /// One bit for each value that matches.
  private let minutes: UInt64
  private let hours: UInt64
  private let days: UInt64
  private let months: UInt64
  private let weekdays: UInt64
  /// Whether a day of the month and a day of the week must both match.
  private let needsBothDays: Bool

  /// The last year in which anything is looked for.
  static let lastYear = 9999

  /// Reads `text`.
  ///
  /// - Throws: ``CronError``, also for a line that never comes, such as one for the 30th of February.
  public init(_ text: String) throws(CronError) {
    var parser = CronParser(text)
    let fields = try parser.fields()
    description = text
    (minutes, hours, days, months, weekdays) = (
      fields[0].values, fields[1].values, fields[2].values, fields[3].values, fields[4].values
    )
    hasStarredHour = fields[1].isStarred
    needsBothDays = fields[2].isStarred || fields[4].isStarred
    // Every date of a year falls on each day of the week in some year, so only the length of months can rule a line out.
    guard needsBothDays, !hasDayInSomeMonth else { return }
    throw CronError(
      fields[2].offset,
      "no month it names has such a day of the month, so it would never come; check both fields")
  }

  private var hasDayInSomeMonth: Bool {
    (1...12).contains { month in
      months.has(month) && days & UInt64.bits(1...CivilDate.length(ofMonth: month, in: 2000)) != 0
    }
  }

  /// The first time at or after `time` that the line names; nil if that is after the year 9999.
  public func next(onOrAfter time: LocalTime) -> LocalTime? {
    let day = Int(time.minutes.dividedDown(by: 1440))
    if let minute = minuteOfDay(from: Int(time.minutes.modulo(1440))), self.day(onOrAfter: day) == day {
      return LocalTime(minutes: Int64(day * 1440 + minute))
    }
    guard let next = self.day(onOrAfter: day + 1), let minute = minuteOfDay(from: 0) else { return nil }
    return LocalTime(minutes: Int64(next * 1440 + minute))
  }

  /// The first minute of a day at or after `start` that matches, counted from midnight.
  private func minuteOfDay(from start: Int) -> Int? {
    let (hour, minute) = (start / 60, start % 60)
    if hours.has(hour), let found = minutes.first(from: minute) { return hour * 60 + found }
    guard let next = hours.first(from: hour + 1), let first = minutes.first(from: 0) else { return nil }
    return next * 60 + first
  }

  /// The first day at or after `start` that matches. Goes from month to month, in each of which it is a matter of a
  /// few bits: a 29th of February on a Monday is up to 40 years, or 480 steps, away.
  private func day(onOrAfter start: Int) -> Int? {
    let date = CivilDate(days: start)
    var (year, month, first) = (date.year, date.month, date.day)
    while year <= Self.lastYear {
      if months.has(month) {
        let beginning = CivilDate(year: year, month: month, day: 1).days
        if let day = matches(inMonth: month, of: year, beginning: beginning).first(from: first) {
          return beginning + day - 1
        }
      }
      first = 1
      month += 1
      if month > 12 { (year, month) = (year + 1, 1) }
    }
    return nil
  }

  /// One bit for each day of a month that matches.
  private func matches(inMonth month: Int, of year: Int, beginning: Int) -> UInt64 {
    let month = UInt64.bits(1...CivilDate.length(ofMonth: month, in: year))
    // The days of the week from the first on, again and again.
    let shift = UInt64(CivilDate.weekday(ofDays: beginning))
    let week = (weekdays >> shift | weekdays << (7 - shift)) & 0x7f
    let byWeekday = (week | week << 7 | week << 14 | week << 21 | week << 28) << 1
    return month & (needsBothDays ? days & byWeekday : days | byWeekday)
  }
}

extension UInt64 {
  static func bits(_ range: ClosedRange<Int>) -> UInt64 {
    (UInt64.max >> UInt64(63 - range.upperBound)) & (UInt64.max << UInt64(range.lowerBound))
  }

  func has(_ value: Int) -> Bool { self >> UInt64(value) & 1 == 1 }

  /// The lowest bit that is set, from `start` on.
  func first(from start: Int) -> Int? {
    let rest = start > 63 ? 0 : self & UInt64.max << UInt64(start)
    return rest == 0 ? nil : rest.trailingZeroBitCount
  }
}
