import Calendars
import Testing

@Suite("Changes of clocks (rule 16)")
struct ClockChangeTests {
  /// The first firings of `line` in `zone` from `day` of Europe's or America's year on, as `local@UTC`; `'` marks a reading that comes the
  /// second time.
  private func firings(_ line: String, _ zone: String, from start: Int64, _ count: Int) throws -> [String] {
    let table = Timetable(try CronLine(line), in: try ZoneDatabase.system.rules(named: zone))
    return table.firings(after: start - 1, through: .max).prefix(count).map { firing in
      let local = firing.local.description.dropFirst(5)
      let utc = LocalTime(minutes: firing.moment / 60).description.dropFirst(11)
      return "\(local)\(firing.isSecondPass ? "'" : "")@\(utc)"
    }
  }

  /// Berlin's clocks went from 02:00 to 03:00 at 01:00Z of 2026-03-29, and back from 03:00 to 02:00 at 01:00Z of 2026-10-25.
  static let (spring, autumn): (Int64, Int64) = (1_774_738_800, 1_792_879_200)

  @Test(
    "in spring a reading that is left out comes at the first moment after the gap, and one moment is one firing",
    arguments: [
      ("0 2 * * *", ["03-29T03:00@01:00", "03-30T02:00@00:00"]),
      ("30 2 * * *", ["03-29T03:00@01:00", "03-30T02:30@00:30"]),
      ("*/15 2 * * *", ["03-29T03:00@01:00", "03-30T02:00@00:00", "03-30T02:15@00:15"]),
      ("30 2,3 * * *", ["03-29T03:00@01:00", "03-29T03:30@01:30", "03-30T02:30@00:30"]),
      ("0 2,3 * * *", ["03-29T03:00@01:00", "03-30T02:00@00:00"]),
      ("59 1 * * *", ["03-29T01:59@00:59", "03-30T01:59@23:59"]),
      ("0 0-23 * * *", ["03-29T00:00@23:00", "03-29T01:00@00:00", "03-29T03:00@01:00", "03-29T04:00@02:00"]),
    ])
  func spring(line: String, expected: [String]) throws {
    #expect(try firings(line, "Europe/Berlin", from: Self.spring, expected.count) == expected)
  }

  @Test(
    "in autumn a reading that comes twice counts the first time",
    arguments: [
      ("0 2 * * *", ["10-25T02:00@00:00", "10-26T02:00@01:00"]),
      ("30 2 * * *", ["10-25T02:30@00:30", "10-26T02:30@01:30"]),
      (
        "0,30 1-3 * * *",
        [
          "10-25T01:00@23:00", "10-25T01:30@23:30", "10-25T02:00@00:00", "10-25T02:30@00:30",
          "10-25T03:00@02:00",
          "10-25T03:30@02:30",
        ]
      ),
      (
        "0 0-23 * * *",
        [
          "10-25T00:00@22:00", "10-25T01:00@23:00", "10-25T02:00@00:00", "10-25T03:00@02:00",
        ]
      ),
    ])
  func autumn(line: String, expected: [String]) throws {
    #expect(try firings(line, "Europe/Berlin", from: Self.autumn, expected.count) == expected)
  }

  @Test("a starred hour follows the clock: every hour of real time, and what the clock shows twice twice")
  func starred() throws {
    #expect(
      try firings("30 * * * *", "Europe/Berlin", from: Self.spring, 4) == [
        "03-29T00:30@23:30", "03-29T01:30@00:30", "03-29T03:30@01:30", "03-29T04:30@02:30",
      ])
    #expect(
      try firings("30 * * * *", "Europe/Berlin", from: Self.autumn, 5) == [
        "10-25T00:30@22:30", "10-25T01:30@23:30", "10-25T02:30@00:30", "10-25T02:30'@01:30",
        "10-25T03:30@02:30",
      ])
    #expect(
      try firings("0 */2 * * *", "Europe/Berlin", from: Self.spring, 3) == [
        "03-29T00:00@23:00", "03-29T04:00@02:00", "03-29T06:00@04:00",
      ])
    #expect(
      try firings("0 */2 * * *", "Europe/Berlin", from: Self.autumn, 4) == [
        "10-25T00:00@22:00", "10-25T02:00@00:00", "10-25T02:00'@01:00", "10-25T04:00@03:00",
      ])
  }

  @Test("clocks of other kinds: at midnight, by half an hour, a day left out, no change")
  func otherZones() throws {
    // Cairo, 2026-04-24: from midnight to 01:00.
    #expect(
      try firings("0 0 * * *", "Africa/Cairo", from: 1_776_945_600, 3) == [
        "04-24T01:00@22:00", "04-25T00:00@21:00", "04-26T00:00@21:00",
      ])
    // Lord Howe, 2026-10-04: from 02:00 to 02:30.
    #expect(
      try firings("15 2 * * *", "Australia/Lord_Howe", from: 1_791_039_600, 2) == [
        "10-04T02:30@15:30", "10-05T02:15@15:15",
      ])
    // Samoa had no 2011-12-30.
    #expect(
      try firings("0 9 * * *", "Pacific/Apia", from: 1_325_160_000, 3) == [
        "12-29T09:00@19:00", "12-31T00:00@10:00", "12-31T09:00@19:00",
      ])
    #expect(try firings("0 9 * * *", "Asia/Kolkata", from: Self.spring, 1) == ["03-29T09:00@03:30"])
    #expect(try firings("0 2 * * *", "UTC", from: Self.spring, 1) == ["03-29T02:00@02:00"])
  }

  @Test("the last firing of an interval is found without those before it")
  func last() throws {
    let table = Timetable(
      try CronLine("*/5 9 * * 1-5"), in: try ZoneDatabase.system.rules(named: "Europe/Berlin"))
    let year: Int64 = 365 * 86_400
    for start in [Self.spring, Self.autumn] {
      for length: Int64 in [1, 60, 3600, 86_400, 3 * 86_400, year] {
        for end in stride(from: start + length, through: start + length + 7200, by: 511) {
          let all = Array(table.firings(after: max(start, end - 10 * 86_400), through: end))
          #expect(table.lastFiring(after: start, through: end)?.moment == all.last?.moment)
        }
      }
    }
    #expect(table.lastFiring(after: Self.spring, through: Self.spring - 1) == nil)
  }

  @Test("there is an end to time, and no moment that does harm")
  func extremes() throws {
    let zone = try ZoneDatabase.system.rules(named: "Europe/Berlin")
    for line in ["* * * * *", "0 2 * * *", "0 0 29 2 */7", "0 * 29 2 */7"] {
      let table = Timetable(try CronLine(line), in: zone)
      for moment: Int64 in [.max, .max - 1, 253_402_300_800, 1 << 50] {
        #expect(table.firing(after: moment) == nil)
      }
      for moment: Int64 in [.min, -(1 << 59), -(1 << 40), 0] {
        let firing = try #require(table.firing(after: moment))
        #expect(firing.moment > moment)
      }
    }
    #expect(Timetable(try CronLine("0 0 31 12 *"), in: zone).firing(after: 253_402_300_799) == nil)
  }
}
