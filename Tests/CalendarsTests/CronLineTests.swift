import Calendars
import Testing

@Suite("Cron lines are read, and every mistake is named with its field and place")
struct CronLineTests {
  /// The first `count` readings of `line` from the beginning of 2026, a Thursday.
  private func readings(_ line: String, _ count: Int) throws -> [String] {
    let line = try CronLine(line)
    var found: [String] = []
    var from = LocalTime(minutes: 29_453_760)
    while found.count < count, let next = line.next(onOrAfter: from) {
      found.append(next.description)
      from = LocalTime(minutes: next.minutes + 1)
    }
    return found
  }

  @Test(
    "a line names its times",
    arguments: [
      ("0 2 * * 1-5", ["2026-01-01T02:00", "2026-01-02T02:00", "2026-01-05T02:00"]),
      ("*/25 23 * * *", ["2026-01-01T23:00", "2026-01-01T23:25", "2026-01-01T23:50", "2026-01-02T23:00"]),
      ("5-20/10,59 0 * * *", ["2026-01-01T00:05", "2026-01-01T00:15", "2026-01-01T00:59"]),
      ("0 0 1 JAN,jul *", ["2026-01-01T00:00", "2026-07-01T00:00", "2027-01-01T00:00"]),
      ("0 0 * feb-apr/2 Mon", ["2026-02-02T00:00", "2026-02-09T00:00"]),
      ("0 0 * * 7", ["2026-01-04T00:00", "2026-01-11T00:00"]),
      ("0 0 * * fri-sun", ["2026-01-02T00:00", "2026-01-03T00:00", "2026-01-04T00:00", "2026-01-09T00:00"]),
      ("0 0 * * sun-mon", ["2026-01-04T00:00", "2026-01-05T00:00", "2026-01-11T00:00"]),
      ("0 0 * * */3", ["2026-01-03T00:00", "2026-01-04T00:00", "2026-01-07T00:00"]),
      ("0 0 31 * *", ["2026-01-31T00:00", "2026-03-31T00:00", "2026-05-31T00:00"]),
      ("0 0 29 2 *", ["2028-02-29T00:00", "2032-02-29T00:00"]),
      (" 0\t0   1 1 * ", ["2026-01-01T00:00", "2027-01-01T00:00"]),
      ("@hourly", ["2026-01-01T00:00", "2026-01-01T01:00"]),
      ("@daily", ["2026-01-01T00:00", "2026-01-02T00:00"]),
      ("@Midnight", ["2026-01-01T00:00", "2026-01-02T00:00"]),
      ("@weekly", ["2026-01-04T00:00", "2026-01-11T00:00"]),
      ("@monthly", ["2026-01-01T00:00", "2026-02-01T00:00"]),
      ("@yearly", ["2026-01-01T00:00", "2027-01-01T00:00"]),
      ("@annually", ["2026-01-01T00:00", "2027-01-01T00:00"]),
    ])
  func times(line: String, expected: [String]) throws {
    #expect(try readings(line, expected.count) == expected)
  }

  @Test(
    "a day matches if the day of the month or of the week does, unless one of them begins with a star",
    arguments: [
      ("0 0 13 * fri", ["2026-01-02T00:00", "2026-01-09T00:00", "2026-01-13T00:00", "2026-01-16T00:00"]),
      ("0 0 13 * *", ["2026-01-13T00:00", "2026-02-13T00:00"]),
      ("0 0 * * fri", ["2026-01-02T00:00", "2026-01-09T00:00"]),
      // As in Vixie cron, where this is the way to say both.
      ("0 0 */2 * fri", ["2026-01-09T00:00", "2026-01-23T00:00", "2026-02-13T00:00"]),
      ("0 0 13 * */5", ["2026-02-13T00:00", "2026-03-13T00:00", "2026-09-13T00:00"]),
      ("0 0 1-31 * fri", ["2026-01-01T00:00", "2026-01-02T00:00", "2026-01-03T00:00"]),
      ("0 0 30 2 mon", ["2026-02-02T00:00", "2026-02-09T00:00"]),
      // The 29th of February is a Monday or a Sunday but once in 28 years; 2100 has none.
      ("0 0 29 2 */7", ["2032-02-29T00:00", "2060-02-29T00:00", "2088-02-29T00:00", "2128-02-29T00:00"]),
    ])
  func dayRule(line: String, expected: [String]) throws {
    #expect(try readings(line, expected.count) == expected)
  }

  static let names = "minute, hour, day of the month, month, day of the week"

  @Test(
    "what is wrong is said with its place",
    arguments: [
      ("", 0, "the cron line is empty; write five fields (\(names)), such as '0 2 * * 1-5'"),
      ("  ", 0, "the cron line is empty; write five fields (\(names)), such as '0 2 * * 1-5'"),
      ("0 2 * *", 7, "the cron line has 4 of five fields (\(names)); '*' is every value"),
      (
        "0 0 2 * * 1-5", 10,
        "the cron line has 6 fields and not five (\(names)); it knows neither seconds nor years, and a list has no spaces"
      ),
      ("60 2 * * *", 0, "the minute must be 0-59, not '60'"),
      ("0 24 * * *", 2, "the hour must be 0-23, not '24'"),
      ("0 2 0 * *", 4, "the day of the month must be 1-31, not '0'"),
      ("0 2 * 13 *", 6, "the month must be 1-12 or jan-dec, not '13'"),
      ("0 2 * juni *", 6, "the month must be 1-12 or jan-dec, not 'juni'"),
      ("0 2 * * 8", 8, "the day of the week must be 0-7 or sun-sat, not '8'"),
      ("0 2 * * mon-fry", 12, "the day of the week must be 0-7 or sun-sat, not 'fry'"),
      ("0 2 * * L", 8, "the day of the week must be 0-7 or sun-sat, not 'L'"),
      ("0 2 ? * *", 4, "the day of the month must be 1-31, not '?'"),
      ("-5 2 * * *", 0, "the minute has no value before '-'"),
      ("5- 2 * * *", 2, "the minute has no value after '-'"),
      ("5-9-12 2 * * *", 3, "the minute has a second '-'; a range has two ends"),
      ("5,,6 2 * * *", 2, "the minute has an empty part; take the surplus comma out"),
      ("5, 2 * * *", 2, "the minute has an empty part; take the surplus comma out"),
      ("0 22-2 * * *", 2, "the range of the hour ends before it begins; write 22-23,0-2"),
      ("0 2 * nov-feb *", 6, "the range of the month ends before it begins; write 11-12,1-2"),
      ("5/15 2 * * *", 0, "the minute has a step from a single value; write a range, such as 5-59/15"),
      ("*/0 2 * * *", 2, "the step of the minute is 0; it must be at least 1"),
      ("*/x 2 * * *", 2, "the step of the minute must be a number, not 'x'"),
      ("*/ 2 * * *", 2, "the step of the minute must be a number, not ''"),
      ("*/5/5 2 * * *", 3, "the minute has a second '/'; one step is enough"),
      (
        "*/90 2 * * *", 2,
        "the step of the minute is 90, more than the 60 values it steps over; a cron line can't count beyond them"
      ),
      (
        "0 2 * * 1-5/6", 12,
        "the step of the day of the week is 6, more than the 5 values it steps over; a cron line can't count beyond them"
      ),
      ("*é 2 * * *", 0, "the minute must be 0-59, not '*é'"),
      ("99999999999999999999 2 * * *", 0, "the minute must be 0-59, not '99999999999999999999'"),
      ("@reboot", 0, "'@reboot' is not known; there are @hourly, @daily, @weekly, @monthly and @yearly"),
      ("@daily 5", 7, "nothing may follow '@daily'; it stands for '0 0 * * *'"),
      (
        "0 0 30 2 *", 4,
        "no month it names has such a day of the month, so it would never come; check both fields"
      ),
      (
        "0 0 31 4,6,9,feb */2", 4,
        "no month it names has such a day of the month, so it would never come; check both fields"
      ),
    ])
  func mistakes(line: String, offset: Int, message: String) {
    do throws(CronError) {
      _ = try CronLine(line)
      Issue.record("'\(line)' was read")
    } catch {
      #expect(error.description == message)
      #expect(error.offset == offset)
    }
  }
}
