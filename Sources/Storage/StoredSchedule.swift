import Calendars
import Database
import Engine
import Model

/// A row of `ev_schedule`.
struct StoredSchedule {
  let key: Int64
  let program: String
  let programKey: Int64
  let schedule: Program.Schedule
  let isActive: Bool
  /// The first firing not decided on, in microseconds; nil if it will never fire again.
  var nextAt: Int64?
  /// The run for whose end that waits.
  var awaits: Int64?
  /// The run that the last firing started.
  let lastRunKey: Int64?
  let isPaused: Bool

  /// The columns from which a row is read, of `ev_schedule s`.
  static let columns = """
    s.schedule_key, s.program, s.program_key, s.name, s.cron, s.timezone, s.event, s.catch_up, s.overlap, s.late_after,
      s.active, s.next_at, s.awaits, s.last_run_key, s.paused_by
    """
  static let columnCount = 15

  init(_ row: Row) throws {
    key = try row.integer(0)
    program = try row.text(1)
    programKey = try row.integer(2)
    var schedule = Program.Schedule(name: try row.text(3), cron: try row.text(4), event: try row.text(6))
    schedule.timeZone = try row.text(5)
    schedule.catchUp = try Program.Schedule.CatchUp(stored: row.text(7))
    schedule.overlap = try Program.Schedule.Overlap(stored: row.text(8))
    schedule.lateAfter = try row.optionalInteger(9).map { TimeSpan(microseconds: $0) }
    self.schedule = schedule
    isActive = try row.bool(10)
    nextAt = try row.optionalInteger(11)
    awaits = try row.optionalInteger(12)
    lastRunKey = try row.optionalInteger(13)
    isPaused = try row.optionalText(14) != nil
  }
}

extension Program.Schedule {
  /// When it fires, by the time zones of this machine.
  ///
  /// - Throws: ``StoreError`` if its cron line or time zone is not known here.
  func timetable() throws(StoreError) -> Timetable {
    do {
      let line = try CronLine(cron)
      return Timetable(line, in: try ZoneDatabase.system.rules(named: timeZone))
    } catch {
      throw StoreError(.invalid, "schedule '\(name)': \(error)")
    }
  }
}

extension Timetable {
  /// The first firing after `moment`, in microseconds since 1970.
  func next(after moment: Int64) -> Int64? {
    firing(after: moment.wholeSeconds).map { $0.moment * 1_000_000 }
  }

  /// The last firing from `first` on and before `end`; `first` if there is no other, which may no longer be a firing
  /// by rules of a time zone that have changed.
  func last(from first: Int64, before end: Int64) -> Int64 {
    let found = lastFiring(after: first.wholeSeconds - 1, through: (end - 1).wholeSeconds)
    return found.map { max(first, $0.moment * 1_000_000) } ?? first
  }

  /// What the clock shows at a firing.
  func local(at moment: Int64) -> (time: LocalTime, isSecondPass: Bool) {
    let firing = self.firing(after: moment.wholeSeconds - 1)
    if let firing, firing.moment * 1_000_000 == moment { return (firing.local, firing.isSecondPass) }
    return (LocalTime(minutes: (moment.wholeSeconds + zone.offset(at: moment.wholeSeconds)) / 60), false)
  }
}

extension Int64 {
  /// Microseconds since 1970, which is past, as whole seconds.
  fileprivate var wholeSeconds: Int64 { self / 1_000_000 }
}

extension Program.Schedule.CatchUp {
  init(stored text: String) throws(DatabaseError) {
    guard let value = Self(rawValue: text) else { throw .unknownWord(text, "catch_up") }
    self = value
  }
}

extension Program.Schedule.Overlap {
  init(stored text: String) throws(DatabaseError) {
    guard let value = Self(rawValue: text) else { throw .unknownWord(text, "overlap") }
    self = value
  }
}
