/// A cron line in a time zone: the moments at which it fires.
///
/// Clocks that are changed make some readings come never and others twice. By rule 16 of the semantics of programs
/// a reading fires at **the first moment at which the clock has reached it**: one that is left out at the moment after
/// the gap, one that comes twice the first time. A line whose hour begins with a star follows the clock instead: it
/// fires whenever the clock shows a reading that it names, so that `0 * * * *` comes every hour of real time.
/// Readings of one line that fall on the same moment are one firing.
public struct Timetable: Sendable, Hashable {
  /// One firing.
  public struct Firing: Sendable, Hashable {
    /// When, in seconds since 1970-01-01T00:00:00Z.
    public let moment: Int64
    /// What the clock shows then.
    public let local: LocalTime
    /// Whether the clock has shown that before, an hour or so ago.
    public let isSecondPass: Bool
  }

  /// The times.
  public let line: CronLine
  /// The clock.
  public let zone: ZoneRules

  /// The firings of `line` by the clock of `zone`.
  public init(_ line: CronLine, in zone: ZoneRules) {
    self.line = line
    self.zone = zone
  }

  /// Changes of clocks move them by less than this.
  private static let farthest: Int64 = 2 * 86_400
  /// The first second that is never asked about: the year 9999 is over.
  private static let end: Int64 = 253_402_300_800

  /// The first firing after `moment`, in seconds since 1970-01-01T00:00:00Z; nil if that is after the year 9999.
  public func firing(after moment: Int64) -> Firing? {
    guard moment < Self.end else { return nil }
    // No clock was ever read before 1900 to say when a program shall run.
    let moment = max(moment, -2_208_988_800)
    return line.hasStarredHour ? byClock(after: moment) : byReading(after: moment)
  }

  /// The last firing after `start` and not after `end`; nil if there is none.
  ///
  /// Found by halving, so that its cost does not grow with the number of firings between.
  public func lastFiring(after start: Int64, through end: Int64) -> Firing? {
    guard var last = firing(after: start), last.moment <= end else { return nil }
    var limit = end
    while last.moment < limit {
      let middle = last.moment + (limit - last.moment) / 2
      if let next = firing(after: middle), next.moment <= end { last = next } else { limit = middle }
    }
    return last
  }

  /// All firings after `start` and not after `end`, found one by one as they are asked for.
  public func firings(after start: Int64, through end: Int64) -> UnfoldSequence<Firing, Int64> {
    sequence(state: start) { moment in
      guard let next = firing(after: moment), next.moment <= end else { return nil }
      moment = next.moment
      return next
    }
  }

  // MARK: Readings that fire once

  private func byReading(after moment: Int64) -> Firing? {
    // The clock has reached everything before this.
    var period = zone.period(at: moment)
    var reached = moment + period.offset + 1
    while period.start > moment - Self.farthest {
      period = zone.period(at: period.start - 1)
      reached = max(reached, period.end + period.offset)
    }
    guard let reading = line.next(onOrAfter: LocalTime(seconds: reached + 59)) else { return nil }
    return firing(at: self.moment(reaching: reading))
  }

  /// The first moment at which the clock shows `reading` or more.
  private func moment(reaching reading: LocalTime) -> Int64 {
    var period = zone.period(at: reading.seconds - Self.farthest)
    while period.end < .max, period.end + period.offset <= reading.seconds {
      period = zone.period(at: period.end)
    }
    return max(period.start, reading.seconds - period.offset)
  }

  // MARK: Readings that fire each time

  private func byClock(after moment: Int64) -> Firing? {
    var period = zone.period(at: moment)
    var from = moment + period.offset + 1
    while let reading = line.next(onOrAfter: LocalTime(seconds: from + 59)) {
      let found = reading.seconds - period.offset
      if found < period.end { return firing(at: found) }
      period = zone.period(at: period.end)
      from = period.start + period.offset
    }
    return nil
  }

  private func firing(at moment: Int64) -> Firing {
    let local = LocalTime(seconds: moment + zone.offset(at: moment))
    return Firing(moment: moment, local: local, isSecondPass: self.moment(reaching: local) < moment)
  }
}
