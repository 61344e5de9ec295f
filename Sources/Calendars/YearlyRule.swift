/// When the clocks of a zone are changed every year: the footer of a TZif file, which is the variable `TZ` of POSIX
/// (IEEE Std 1003.1, 8.3) with the extensions of RFC 8536, 3.3.1, as in `CET-1CEST,M3.5.0,M10.5.0/3`.
struct YearlyRule: Sendable, Hashable {
  /// A moment of every year, by the clock that is valid before it.
  struct Moment: Hashable {
    enum Day: Hashable {
      /// The day of the year from 1, the 29th of February never counted.
      case ofYear(Int)
      /// The day of the year from 0, the 29th of February counted.
      case ofAnyYear(Int)
      /// Week 1 to 5 (the last) of a month, and day of the week from 0 for Sunday.
      case ofWeek(month: Int, week: Int, weekday: Int)
    }
    let day: Day
    /// Seconds after that day's midnight, perhaps negative or more than a day.
    let time: Int64

    /// The clock's reading, in seconds since it read 1970-01-01T00:00.
    func seconds(in year: Int) -> Int64 {
      let newYear = CivilDate(year: year, month: 1, day: 1).days
      let days: Int
      switch day {
      case .ofAnyYear(let number): days = newYear + number
      case .ofYear(let number): days = newYear + number - (CivilDate.isLeap(year) && number >= 60 ? 0 : 1)
      case .ofWeek(let month, let week, let weekday):
        let first = CivilDate(year: year, month: month, day: 1).days
        let found = first + (weekday - CivilDate.weekday(ofDays: first)).modulo(7) + 7 * (week - 1)
        let end = first + CivilDate.length(ofMonth: month, in: year)
        days = found < end ? found : found - 7
      }
      return Int64(days) * 86_400 + time
    }
  }

  /// Summer time.
  struct Summer: Hashable {
    /// Seconds that clocks are ahead of UTC.
    let offset: Int64
    let start: Moment
    let end: Moment
  }

  /// Seconds that clocks are ahead of UTC outside summer time.
  let standard: Int64
  /// Summer time, if there is any; where winter is the exception, as in Ireland's law, that is what this describes.
  let summer: Summer?

  /// The changes of a year in ascending order.
  func changes(in year: Int) -> [ZoneRules.Change] {
    guard let summer else { return [] }
    let start = ZoneRules.Change(at: summer.start.seconds(in: year) - standard, offset: summer.offset)
    let end = ZoneRules.Change(at: summer.end.seconds(in: year) - summer.offset, offset: standard)
    return start.at < end.at ? [start, end] : [end, start]
  }
}
