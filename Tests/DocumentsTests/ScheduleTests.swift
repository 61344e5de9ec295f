import Documents
import Foundation
import Model
import Testing

@Suite("Schedules in program files")
struct ScheduleTests {
  private static let rest = "events: {go: {}, other: {}}\nsteps: {s: {on: go}, t: {on: other}}\n"

  @Test("a schedule is read with its defaults, one may stand alone, and none is no content")
  func reading() throws {
    let text = """
      program: x
      schedule:
        - {name: weekdays, cron: "0 2 * * 1-5", timezone: Europe/Berlin, event: go, catch_up: all, overlap: replace,
           late_after: 30m}
        - name: hourly
          cron: '@hourly'
          event: other

      """
    let schedules = try #require(try document(text + Self.rest).program.schedule)
    var weekdays = Program.Schedule(name: "weekdays", cron: "0 2 * * 1-5", event: "go")
    (weekdays.timeZone, weekdays.catchUp, weekdays.overlap) = ("Europe/Berlin", .all, .replace)
    weekdays.lateAfter = TimeSpan(seconds: 1800)
    #expect(schedules == [weekdays, Program.Schedule(name: "hourly", cron: "@hourly", event: "other")])
    #expect(schedules[1].timeZone == "UTC" && schedules[1].catchUp == .last && schedules[1].overlap == .skip)
    #expect(schedules[1].lateAfter == nil)

    let one = "program: x\nschedule: {name: n, cron: 0 2 * * *, event: go}\n" + Self.rest
    #expect(try document(one).program.schedule?.map(\.cron) == ["0 2 * * *"])

    let none = try document("program: x\n" + Self.rest)
    #expect(none.program.schedule == nil)
    #expect(!none.canonicalJSON.contains("schedule"))
    #expect(try document("program: x\nschedule: []\n" + Self.rest).version == none.version)
    #expect(try document("program: x\nschedule:\n" + Self.rest).version == none.version)
  }

  @Test("schedules are content, in whatever order; what was stored before there were any still reads")
  func versions() throws {
    let first = "  - {name: a, cron: \"0 1 * * *\", event: go}\n"
    let second = "  - {name: b, cron: \"0 2 * * *\", event: go, late_after: 1h}\n"
    let both = try document("program: x\nschedule:\n" + first + second + Self.rest)
    #expect(try document("program: x\nschedule:\n" + second + first + Self.rest).version == both.version)
    let later = second.replacing("0 2", with: "0 3")
    #expect(try document("program: x\nschedule:\n" + first + later + Self.rest).version != both.version)
    #expect(try ProgramCoding.decode(both.canonicalJSON) == both.program)
    // As an earlier version of this program wrote it, with the version it gave it.
    let stored = """
      {"associations":[],"config":{"environmentPrefix":"EVENTOR_","maxConcurrent":0,"stopOnFailure":true},\
      "events":[{"external":false,"name":"go"}],"groups":[],"loops":[],"name":"x","parameters":[],"resources":[],\
      "steps":[]}
      """
    let program = try ProgramCoding.decode(stored)
    #expect(program.schedule == nil)
    #expect(try ProgramCoding.canonicalJSON(program) == stored)
    // sha256sum of it.
    #expect(
      ProgramCoding.version(of: stored)
        == "sha256:367a1bad0c23a74fe577df76bdf034f4a6959de19ad475e82197bda625673a61")
  }

  private static let names = "minute, hour, day of the month, month, day of the week"

  @Test(
    "what is wrong in it is named with its place, all at once",
    arguments: [
      Case(
        "cron lines",
        """
        program: x
        events: {go: {}}
        schedule:
          - {name: a, cron: "0 25 * * *", event: go}
          - {name: b, cron: 0 2 * foo *, event: go}
          - {name: c, cron: "0 0 30 feb *", event: go}
          - {name: d, cron: "0 2 * *", event: go}
          - {name: e, cron: [0, 2], event: go}
          - {name: f, cron: , event: go}
          - {name: g, cron: "*/5 * * * * *", event: go}
          - {name: h, cron: 5, event: go}
        """,
        "p:4:24: error: the hour must be 0-23, not '25'",
        "p:5:27: error: the month must be 1-12 or jan-dec, not 'foo'",
        "p:6:26: error: no month it names has such a day of the month, so it would never come; check both fields",
        "p:7:29: error: the cron line has 4 of five fields (\(names)); '*' is every value",
        "p:8:21: error: 'cron' must be text, not a list",
        "p:9:21: error: 'cron' is empty; write text",
        "p:10:34: error: the cron line has 6 fields and not five (\(names)); it knows neither seconds nor years, "
          + "and a list has no spaces",
        "p:11:22: error: the cron line has 1 of five fields (\(names)); '*' is every value"),
      Case(
        "names and the rest",
        """
        program: x
        parameters: {site: {type: string, required: true}, other: 1}
        events: {going: {}}
        steps: {s: {on: going}}
        schedule:
          - {name: a, cron: "0 2 * * *", event: gong, timezone: Europe/Berln}
          - {name: a, cron: "0 2 * * *", event: s, timezone: Nowhere/At/All}
          - {name: "a b", cron: "0 2 * * *", event: going, timezone: europe/berlin, catch_up: alll, overlap: stop}
          - {name: abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrst, cron: "0 2 * * *", event: going, late_after: 0}
          - {nam: b, cron: "0 2 * * *", event: going}
        """,
        "p:6:3: error: no schedule could start a run: parameter 'site' is required; give it a default",
        "p:6:41: error: unknown event 'gong'; did you mean 'going'?",
        "p:6:57: error: unknown time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?",
        "p:7:12: error: two schedules are called 'a'",
        "p:7:41: error: 's' is a step, not an event; 'after' waits for steps and loops",
        "p:7:54: error: unknown time zone 'Nowhere/At/All'; write a name such as Europe/Berlin, or UTC",
        "p:8:12: error: 'a b' is not a valid name of a schedule; use 1 to 45 of A-Z a-z 0-9 _ . -",
        "p:8:62: error: unknown time zone 'europe/berlin'; did you mean 'Europe/Berlin'?",
        "p:8:87: error: 'catch_up' must be none, last or all, not 'alll'; did you mean 'all'?",
        "p:8:102: error: 'overlap' must be skip, queue or replace, not 'stop'; did you mean 'skip'?",
        "p:9:12: error: 'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrst' is not a valid name of a schedule; "
          + "use 1 to 45 of A-Z a-z 0-9 _ . -",
        "p:9:105: error: 'late_after' must be more than 0",
        "p:10:5: error: the schedule has no 'name'; write, for example, name: weekdays",
        "p:10:6: error: unknown key 'nam'; did you mean 'name'?"),
    ])
  func mistakes(_ example: Case) { #expect(said(example.text) == example.said) }

  @Test("what a schedule starts is started, and comes from no host")
  func reach() {
    let text = """
      program: x
      events: {go: {}, nightly: {}, e: {}}
      start: go
      schedule: {name: n, cron: "0 2 * * *", event: nightly}
      steps:
        a: {on: go, host: h1, triggers: {success: e}}
        b: {on: nightly, host: h2, triggers: {success: e}}
        c: {on: [e, nightly]}
      """
    #expect(said(text) == [])
    #expect(
      said(text.replacing("schedule:", with: "#")).filter { $0.contains("warning") } == [
        "p:2:18: warning: nothing raises event 'nightly'; write 'external: true' if it comes from outside",
        "p:7:3: warning: nothing can start step 'b'",
      ])
  }

  @Test("the longest name leaves room for its sequences")
  func sequences() {
    let name = String(repeating: "n", count: Program.Schedule.maximumNameLength)
    let schedule = Program.Schedule(name: name, cron: "@daily", event: "e")
    let sequence = schedule.sequence(at: "2026-10-25T02:00", isSecondPass: true)
    #expect(sequence.text == name + "_2026-10-25T02:00.2")
    #expect(Sequence.isValidFromOutside(sequence.text))
    #expect(schedule.sequence(at: "2026-10-25T02:00", isSecondPass: false).text == name + "_2026-10-25T02:00")
  }

  @Test("the keys are explained, and their examples read")
  func explained() throws {
    let text = try #require(Schema.describe(.program, path: "schedule"))
    for key in ["name", "cron", "timezone", "event", "catch_up", "overlap", "late_after"] {
      #expect(text.contains("\n  \(key) "))
    }
    #expect(Schema.describe(.program, path: "schedule.timezone")?.contains("default: UTC") == true)
    let schema = try JSONDecoder().decode(JSONValue.self, from: Data(Schema.programJSONSchema().utf8))
    let overlap = "properties.schedule.anyOf.1.items.properties.overlap.enum.2".split(separator: ".")
    #expect(schema.value(at: overlap) == .string("replace"))
  }
}
