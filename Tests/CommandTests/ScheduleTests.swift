import Database
import Drivers
import Foundation
import Model
import TestSupport
import Testing

/// The JSON of a schedule, as a client reads it.
private struct Schedule: Decodable {
  let name: String
  let program: String
  let cron: String
  let timezone: String
  let event: String
  let catchUp: String
  let overlap: String
  let lateAfter: Double?
  let nextFiring: String
  let lastFiring: String?
  let lastRun: String?
  let lastStatus: String?
  let pausedBy: String?
  let madeUp: [String]?
}

@Suite("Schedules: registered, listed, paused, resumed and fired by agents")
struct ScheduleTests {
  private static let program = """
    program: nightly
    events: {go: {}, weekly: {}}
    steps: {s: {on: go, run: [echo, hello]}, w: {on: weekly}}
    schedule:
      - {name: weekdays, cron: "0 2 * * 1-5", timezone: Europe/Berlin, event: go, late_after: 30m}
      - {name: yearly, cron: "@yearly", event: weekly, catch_up: all}
    """

  private func schedules(_ world: World) async throws -> [Schedule] {
    try await world.run("schedule", "list", "--json").decoded(as: [Schedule].self)
  }

  /// The schedule's next firing was to come at `moment`.
  private func makeDue(_ name: String, at moment: Int64, in world: World) async throws {
    let pool = Pool(url: world.url, driver: Drivers.driver(for: world.url), size: 1)
    _ = try await pool.run { session in
      try session.execute("UPDATE ev_schedule SET next_at = \(moment) WHERE name = \(name)")
      try session.execute(
        "UPDATE ev_schedule SET due_at = next_at WHERE name = \(name) AND paused_by IS NULL")
    }
    await pool.close()
  }

  @Test("register makes them, says when they fire, and list shows them", arguments: TestStore.all)
  func registration(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.program) { world in
      // Neither a run nor a submission makes a schedule.
      #expect(try await world.run("run", world.program, "--quiet").code == 0)
      #expect(try await schedules(world).isEmpty)
      let registered = try await world.run("program", "register", world.program)
      #expect(registered.code == 0 && registered.lines.count == 1, "\(registered)")
      #expect(registered.errorLines.count == 2, "\(registered)")
      let first = try #require(registered.errorLines.first)
      #expect(
        first.hasPrefix("schedule nightly/weekdays fires next ")
          && first.contains(" 02:00 Europe/Berlin (in "))

      let all = try await schedules(world)
      #expect(all.map(\.name) == ["weekdays", "yearly"])
      #expect(all[0].cron == "0 2 * * 1-5" && all[0].timezone == "Europe/Berlin" && all[0].event == "go")
      #expect(all[0].catchUp == "last" && all[0].overlap == "skip" && all[0].lateAfter == 1800)
      #expect(all[1].nextFiring.hasSuffix("-01-01T00:00:00.000Z") && all[1].lastRun == nil)
      let table = try await world.run("schedule", "list", "--columns", "name,timezone", "--no-header")
      #expect(table.stdout == "weekdays  Europe/Berlin\nyearly    UTC\n", "\(table)")

      let json = try await world.run("program", "register", world.program, "--json")
        .decoded(as: [String: JSONValue].self)
      guard case .array(let items)? = json["schedules"] else {
        Issue.record("\(json)")
        return
      }
      #expect(items.count == 2)
      try world.write("program.yaml", Self.program.split(separator: "\n").dropLast().joined(separator: "\n"))
      let fewer = try await world.run("program", "register", world.program)
      #expect(fewer.errorLines.last == "schedule nightly/yearly is no longer there, and does not fire again")
      let dry = try await world.run("program", "remove", "nightly", "--dry-run")
      #expect(dry.stdout == "would remove 2 versions of program nightly and its 1 schedule\n", "\(dry)")
      #expect(try await world.run("program", "remove", "nightly", "--yes").code == 0)
      #expect(try await schedules(world).isEmpty)
    }
  }

  @Test(
    "pause and resume say what becomes of firings, and names that are none or several",
    arguments: TestStore.all)
  func pauses(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.program) { world in
      try await world.run("program", "register", world.program)
      let paused = try await world.run("schedule", "pause", "yearly")
      #expect(
        paused.code == 0 && paused.stdout.hasPrefix("paused nightly/yearly; it would fire next "), "\(paused)"
      )
      let again = try await world.run("schedule", "pause", "nightly/yearly")
      #expect(
        again.stdout.contains("had been paused by ") && again.stdout.contains("nothing changes"), "\(again)")
      #expect(try await schedules(world)[1].pausedBy?.contains("@") == true)
      // A new year's day each in 2024 and 2025, and perhaps more by now.
      try await makeDue("yearly", at: 1_704_067_200_000_000, in: world)
      let resumed = try await world.run("schedule", "resume", "yearly")
      #expect(
        resumed.stdout.hasPrefix(
          "resumed nightly/yearly; made up (catch_up: all): 2024-01-01 00:00, 2025-01-01 00:00"), "\(resumed)"
      )
      let late = try await world.run("schedule", "list")
      #expect(late.code == 0 && late.stderr.contains("and nobody fires it"), "\(late)")
      #expect(late.stdout.contains(" due\n"), "\(late)")
      #expect(try await world.run("doctor").code == 1)
      #expect(try await world.run("schedule", "resume", "yearly").stdout.contains("was not paused"))
      _ = try await world.run("schedule", "pause", "yearly")
      let json = try await world.run("schedule", "resume", "yearly", "--json").decoded(as: Schedule.self)
      #expect(json.madeUp?.prefix(2) == ["2024-01-01T00:00:00.000Z", "2025-01-01T00:00:00.000Z"])

      let unknown = try await world.run("schedule", "pause", "yearley")
      #expect(unknown.code == 3 && unknown.stderr.contains("did you mean 'yearly'?"), "\(unknown)")
      let other = try world.write(
        "other.yaml", Self.program.replacing("program: nightly", with: "program: other"))
      try await world.run("program", "register", other)
      let several = try await world.run("schedule", "pause", "yearly")
      #expect(
        several.code == 2 && several.stderr.contains("name one of nightly/yearly, other/yearly"), "\(several)"
      )
      #expect(try await world.run("schedule", "list", "--program", "othr").code == 3)
    }
  }

  @Test("agents fire what is due once, and a run is recovered from its firing", arguments: TestStore.all)
  func firing(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.program) { world in
      try await world.run("program", "register", world.program)
      let agents = [try await world.agent("s1"), try await world.agent("s2")]
      // The second of January 2025 was a Thursday; what came since is left out but for the last.
      try await makeDue("weekdays", at: 1_735_779_600_000_000, in: world)
      try await makeDue("yearly", at: 1_704_067_200_000_000, in: world)
      var all: [Schedule] = []
      for _ in 0..<1200 {
        all = try await schedules(world)
        // Nothing is due any more: what one look shows may be the second of three that fire one after the other.
        let now = ISO8601DateFormatter().string(from: Date())
        if all.allSatisfy({ $0.lastStatus == "success" && $0.nextFiring > now }) { break }
        try await Task.sleep(for: .milliseconds(100))
      }
      let daily = try #require(all[0].lastRun)
      let report = try await world.report("status", daily)
      let sequence = try #require(report.tasks.first?.sequence)
      #expect(sequence.hasPrefix("weekdays_20") && sequence.hasSuffix("T02:00"))
      #expect(report.statuses == ["s/\(sequence)": "success"])
      #expect(report.raised == ["go/\(sequence)"])
      for agent in agents { await agent.stop() }
      let runs = try await world.run("runs", "--output", "csv", "--no-header", "--columns", "created_by")
      let yearly = runs.lines.count { $0.hasPrefix("schedule:yearly@s") }
      let next = try #require(Int(all[1].nextFiring.prefix(4)))
      #expect(yearly == next - 2024, "one run for each year: \(runs)")
      #expect(runs.lines.count { $0.hasPrefix("schedule:weekdays@s") } == 1)

      let anew = try await world.report("rerun", daily, "--here", exit: 0)
      #expect(anew.statuses == report.statuses && anew.run.id != daily)
      let again = try await world.report("rerun", daily, "--step", "s", "--here", exit: 0)
      #expect(again.statuses == report.statuses && again.run.recovery == 1)
      try await world.expectConsistency()
    }
  }

  @Test("a bad cron line is refused at validate, register, run and submit, with its place")
  func refused() async throws {
    let text = Self.program.replacing("0 2 * * 1-5", with: "0 2 * * 1-9")
    try await World.with(program: text) { world in
      for words in [["validate"], ["program", "register"], ["run"], ["submit"]] {
        let answer = try await world.start(words + [world.program]).answer()
        #expect(answer.code == 2, "\(answer)")
        #expect(
          answer.stderr.contains(
            "program.yaml:5:39: error: the day of the week must be 0-7 or sun-sat, not '9'"), "\(answer)")
      }
    }
  }
}
