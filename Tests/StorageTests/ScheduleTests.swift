import Database
import Engine
import Model
import Storage
import TestSupport
import Testing

@Suite("Schedules of registered programs")
struct ScheduleTests {
  @Test("a registration makes a program's schedules, and one that runs it does not", arguments: TestStore.all)
  func registration(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let text = "events: {go: {}}\nsteps: {s: {on: go}}\nschedule: [{name: n, cron: '@daily', event: go}]"
      _ = try await world.register(text)
      #expect(try await world.store.schedules(of: nil).isEmpty)
      #expect(try await world.store.nextScheduleDue() == nil)

      let both = try await world.registerScheduled(
        "{name: b, cron: '0 2 * * *', event: go}, {name: a, cron: '@yearly', event: go, catch_up: all}")
      #expect(both.map(\.schedule.name) == ["a", "b"])
      #expect(both[0].schedule.catchUp == .all && both[0].nextLocal?.hasSuffix("-01-01T00:00") == true)
      let due = try #require(try await world.store.nextScheduleDue())
      #expect(due > 0 && due <= 86_400_000_000)
      #expect(try await world.store.schedules(of: "other").isEmpty)
      try await world.expectSound()
    }
  }

  @Test(
    "a later version keeps pauses and last firings, and what is due by the same clock",
    arguments: TestStore.all)
  func versions(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      try await world.registerScheduled(
        "{name: kept, cron: '@yearly', event: go}, {name: moved, cron: '@daily', event: go}, "
          + "{name: gone, cron: '@daily', event: go}, {name: paused, cron: '@daily', event: go}")
      let run = try await world.makeDue("kept").microseconds
      let fired = try #require(try await world.fire().firings.first?.outcome.run)
      _ = try await world.store.pauseSchedule("paused", by: "u@h")
      for name in ["kept", "moved"] { try await world.makeDue(name, at: NewYear.moment(2026)) }
      let records = try await world.registerScheduled(
        "{name: kept, cron: '@yearly', event: go, overlap: queue}, {name: moved, cron: '@monthly', event: go}, "
          + "{name: new, cron: '@daily', event: go}, {name: paused, cron: '@hourly', event: go}")
      #expect(records.map(\.schedule.name) == ["kept", "moved", "new", "paused"])
      #expect(records[0].schedule.overlap == .queue && records[0].lastRun == fired)
      #expect(records[0].lastAt == Timestamp(microseconds: run))
      #expect(records[0].nextAt == Timestamp(microseconds: NewYear.moment(2026)), "still due")
      let now = Timestamp(microseconds: try await world.now())
      #expect(records[1].nextAt > now && records[2].nextAt > now)
      #expect(records[3].pausedBy == "u@h")
      #expect(try await refusal { _ = try await world.store.schedule(named: "gone") }.kind == .notFound)
      // What is no longer there does not fire; when it is there again it remembers.
      try await world.registerScheduled("{name: new, cron: '@daily', event: go}")
      #expect(try await world.fire() == ScheduleFirings())
      let again = try await world.registerScheduled("{name: kept, cron: '@yearly', event: go}")
      #expect(again.map(\.lastRun) == [fired] && again[0].nextAt > now)
      try await world.expectSound()
    }
  }

  @Test("a removed program has no schedules, but for one whose removal is refused", arguments: TestStore.all)
  func removal(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      try await world.registerScheduled("{name: n, cron: '@yearly', event: go}")
      _ = try await world.makeDue()
      let run = try #require(try await world.fire().firings.first?.outcome.run)
      #expect(try await refusal { _ = try await world.store.removeProgram(named: "t") }.kind == .conflict)
      #expect(try await world.store.schedules(of: nil).count == 1)
      try await world.worker().drain(run)
      _ = try await world.store.removeProgram(named: "t")
      #expect(try await world.count("ev_schedule") == 0)
      let new = try await world.registerScheduled("{name: n, cron: '@yearly', event: go}")
      #expect(new.map(\.lastRun) == [nil])
      try await world.expectSound()
    }
  }

  @Test("a schedule that could never start a run is refused, and nothing is stored", arguments: TestStore.all)
  func refused(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      var program = Program(name: "p")
      program.events = [.init(name: "go")]
      func refusedText(_ change: (inout Program) -> Void) async throws -> String {
        program.parameters = []
        program.schedule = [.init(name: "n", cron: "@daily", event: "go")]
        change(&program)
        let asked = program
        let error = try await refusal { _ = try await world.store.registerWithSchedules(asked, by: "u") }
        #expect(error.kind == .invalid)
        #expect(try await world.count("ev_program") == 0)
        #expect(try await world.count("ev_schedule") == 0)
        return error.description
      }
      let site = try await refusedText {
        var parameter = Program.Parameter(name: "site", kind: .string)
        parameter.required = true
        $0.parameters = [parameter]
      }
      #expect(site == "schedule 'n' can't start a run: parameter 'site' is required; give it a default")
      let token = try await refusedText {
        var parameter = Program.Parameter(name: "token", kind: .string)
        parameter.secret = true
        $0.parameters = [parameter]
      }
      #expect(token.contains("parameter 'token' is secret"))
      let cron = try await refusedText { $0.schedule?[0].cron = "61 * * * *" }
      #expect(cron == "schedule 'n': the minute must be 0-59, not '61'")
      let zone = try await refusedText { $0.schedule?[0].timeZone = "Europe/Atlantis" }
      #expect(zone.hasPrefix("schedule 'n': unknown time zone 'Europe/Atlantis'"))
    }
  }

  @Test("a pause keeps what is due for the resumption, which says what is made up", arguments: TestStore.all)
  func pause(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      try await world.registerScheduled(
        "{name: n, cron: '@yearly', event: go, catch_up: all}", rest: "steps: {s: {}}")
      let (paused, isNew) = try await world.store.pauseSchedule("n", by: "ann@h")
      #expect(isNew && paused.pausedBy == "ann@h" && paused.pausedAt != nil)
      let again = try await world.store.pauseSchedule("t/n", by: "bob@h")
      #expect(!again.isNew && again.0.pausedBy == "ann@h")
      try await world.execute("UPDATE ev_schedule SET next_at = \(NewYear.moment(2024))")
      #expect(try await world.fire() == ScheduleFirings())
      #expect(try await world.store.nextScheduleDue() == nil)
      #expect(try await world.store.lateSchedules().isEmpty, "it is paused, not late")

      let years = NewYear.years(from: 2024, now: try await world.now())
      let (resumed, madeUp) = try await world.store.resumeSchedule("n", by: "bob@h")
      #expect(resumed.pausedBy == nil && resumed.pausedAt == nil)
      #expect(madeUp?.firings.map(\.local) == years.map { "\($0)-01-01T00:00" })
      #expect(madeUp?.firings.first?.at == Timestamp(microseconds: NewYear.moment(2024)))
      #expect(madeUp?.isDue == true && madeUp?.hasMore == false)
      #expect(try await world.store.resumeSchedule("n", by: "bob@h").1 == nil)
      #expect(try await world.store.nextScheduleDue() == 0)
      for (catchUp, expected) in [("last", years.suffix(1)), ("none", [])] {
        try await world.registerScheduled("{name: n, cron: '@yearly', event: go, catch_up: \(catchUp)}")
        _ = try await world.store.pauseSchedule("n", by: "ann@h")
        let (_, madeUp) = try await world.store.resumeSchedule("n", by: "ann@h")
        #expect(madeUp?.firings.map(\.local) == expected.map { "\($0)-01-01T00:00" })
      }
      try await world.registerScheduled("{name: n, cron: '@hourly', event: go, catch_up: all}")
      _ = try await world.store.pauseSchedule("n", by: "ann@h")
      try await world.execute("UPDATE ev_schedule SET next_at = \(NewYear.moment(2026))")
      let many = try await world.store.resumeSchedule("n", by: "ann@h").1
      #expect(
        many?.firings.count == 10 && many?.hasMore == true && many?.firings[1].local == "2026-01-01T01:00")
      try await world.expectSound()
    }
  }

  @Test("a name that several programs use must say of which", arguments: TestStore.all)
  func names(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      try await world.registerScheduled("{name: n, cron: '@yearly', event: go}", named: "a")
      try await world.registerScheduled(
        "{name: n, cron: '@yearly', event: go}, {name: weekly, cron: '@weekly', event: go}", named: "b")
      let ambiguous = try await refusal { _ = try await world.store.pauseSchedule("n", by: "u") }
      #expect(ambiguous.kind == .invalid && ambiguous.hint == "name one of a/n, b/n")
      #expect(try await world.store.pauseSchedule("b/n", by: "u").0.program == "b")
      #expect(try await world.store.schedule(named: "weekly").program == "b")
      let unknown = try await refusal { _ = try await world.store.resumeSchedule("weekley", by: "u") }
      #expect(unknown.kind == .notFound && unknown.message.contains("did you mean 'weekly'?"))
      #expect(
        try await refusal { _ = try await world.store.schedule(named: "a/m") }.message.contains(
          "did you mean 'a/n'?"))
    }
  }

  @Test(
    "monitoring is told of firings that did not come and runs that are not over in time",
    arguments: TestStore.all)
  func late(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      try await world.registerScheduled("{name: n, cron: '@yearly', event: go, late_after: 10m}")
      #expect(try await world.store.lateSchedules().isEmpty)
      let at = try await world.makeDue()
      #expect(try await world.store.lateSchedules().isEmpty, "within its tolerance")
      try await world.makeDue("n", at: at.microseconds - 3_600_000_000)
      let hourAgo = Timestamp(microseconds: at.microseconds - 3_600_000_000)
      #expect(
        try await world.store.lateSchedules() == [
          LateSchedule(
            program: "t", schedule: "n", fault: .notFired, firesAt: hourAgo,
            since: hourAgo + TimeSpan(seconds: 60))
        ])
      let run = try #require(try await world.fire().firings.first?.outcome.run)
      #expect(
        try await world.store.lateSchedules() == [
          LateSchedule(
            program: "t", schedule: "n", fault: .notEnded(run: run), firesAt: hourAgo,
            since: hourAgo + TimeSpan(seconds: 600))
        ])
      try await world.worker().drain(run)
      #expect(try await world.store.lateSchedules().isEmpty)
    }
  }

  @Test(
    "a run begun by a schedule is recovered, rerun and begun anew from its event and sequence",
    arguments: TestStore.all)
  func replays(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      try await world.registerScheduled(
        "{name: n, cron: '@yearly', event: go}",
        rest: "steps: {s: {on: go}, after_s: {after: s}, other: {}, told: {on: word}}",
        events: "{go: {}, word: {external: true}}")
      _ = try await world.makeDue()
      let run = try #require(try await world.fire().firings.first?.outcome.run)
      let worker = try await world.worker()
      // Without a sequence an event comes in that of the firing.
      #expect(try await world.store.trigger("word", in: nil, of: run, by: "u"))
      try await worker.drain(run) { Outcome($0.task.step == "after_s" ? .failure : .success) }
      let first = try await world.statuses(run)
      let place = try #require(first.keys.first { $0.hasPrefix("s/") }).dropFirst(2)
      #expect(place.hasPrefix("n_"))
      #expect(first == ["s/\(place)": .success, "after_s/\(place)": .failure, "told/\(place)": .success])

      let planned = try await world.store.plan(ReplayRequest(kind: .recover), of: run, by: "u")
      #expect(Set(planned.map { "\($0.step)/\($0.sequence)" }) == Set(first.keys))
      #expect(try await world.store.replay(ReplayRequest(kind: .recover), of: run, by: "u") == 1)
      #expect(try await worker.drain(run) == ["after_s/\(place)"])
      #expect(Set(try await world.statuses(run).keys) == Set(first.keys))
      var rerun = ReplayRequest(kind: .rerun)
      rerun.steps = ["s"]
      _ = try await world.store.replay(rerun, of: run, by: "u")
      #expect(try await worker.drain(run) == ["s/\(place)", "after_s/\(place)"])
      #expect(
        Set(try await world.report(run).events.map { "\($0.event)/\($0.sequence)" }).contains("go/\(place)"))

      let version = try await world.store.program(named: "t", version: nil).0
      let anew = try await world.store.submit(
        Submission(
          program: version, parameters: [:], isStandalone: true, isUnpinned: true, localHost: "here",
          user: "u"),
        beginningAs: run)
      #expect(try await world.report(anew).tasks.map { "\($0.step)/\($0.sequence)" } == ["s/\(place)"])
      try await world.expectSound()
    }
  }

  @Test("firings and forgotten schedules are purged with the runs of their time", arguments: TestStore.all)
  func purge(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      try await world.registerScheduled(
        "{name: n, cron: '@yearly', event: go}, {name: gone, cron: '@yearly', event: go}",
        rest: "steps: {s: {}}")
      _ = try await world.makeDue()
      _ = try await world.fire()
      try await world.registerScheduled("{name: n, cron: '@yearly', event: go}", rest: "steps: {s: {}}")
      #expect(try await world.store.purge(olderThan: TimeSpan(seconds: 3600)) == 0)
      #expect(try await world.count("ev_firing") == 1)
      #expect(try await world.store.purge(olderThan: .zero) == 1)
      #expect(try await world.count("ev_firing") == 0)
      #expect(try await world.count("ev_start") == 0)
      #expect(try await world.count("ev_schedule") == 1)
      #expect(try await world.record().lastStatus == nil)
      try await world.expectSound()
    }
  }

  @Test("db check finds schedules that would not fire", arguments: TestStore.all)
  func check(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      try await world.registerScheduled("{name: n, cron: '@yearly', event: go}")
      try await world.execute("UPDATE ev_schedule SET due_at = NULL")
      #expect(try await world.store.check() == ["schedule t/n would not be looked at when it is due"])
      try await world.execute("UPDATE ev_schedule SET due_at = next_at")
      try await world.execute("UPDATE ev_program SET removed = 1")
      #expect(try await world.store.check() == ["schedule t/n is active, and its program is not registered"])
    }
  }

  @Test("no statement of schedules reads a whole table that grows", arguments: TestStore.all)
  func cost(kind: TestStore.Kind) async throws {
    let log = RecordingDriver.Log()
    try await withWorld(kind, driver: { RecordingDriver($0, log: log) }) { world in
      try await world.registerScheduled(
        "{name: n, cron: '@yearly', event: go, overlap: replace, catch_up: all}")
      let program = try await world.store.program(named: "t", version: nil).0
      try await world.pool.run { session in
        try PastRuns.write(program: program.key, session)
        try session.insert(
          into: "ev_firing",
          columns: [
            "schedule_key", "fires_at", "program", "name", "sequence", "outcome", "decided_at", "decided_on",
          ],
          rows: (0..<5000).map { number in
            [
              .integer(Int64(1000 + number % 50)), .integer(Int64(number)), .text("t"), .text("n"),
              .text("s"),
              .text("fired"), .integer(Int64(number)), .text("h"),
            ]
          })
        if session.dialect.kind == .mysql { _ = try session.query("ANALYZE TABLE ev_firing") }
        if session.dialect.kind != .mysql { try session.executeScript("ANALYZE") }
      }
      for seconds: Int64 in [20, 10] {
        _ = try await world.makeDue(ago: seconds)
        _ = try await world.fire()
      }
      try await world.makeDue("n", at: NewYear.moment(2025))
      _ = try await world.fire()
      _ = try await world.store.nextScheduleDue()
      _ = try await world.store.lateSchedules()
      _ = try await world.store.schedules(of: nil)
      _ = try await world.store.pauseSchedule("n", by: "u")
      _ = try await world.store.resumeSchedule("n", by: "u")
      try await world.registerScheduled("{name: n, cron: '@daily', event: go}")
      let statements = log.all.filter { $0.text.contains("ev_") }
      #expect(statements.count > 25)
      for sql in statements {
        let found = try await world.pool.run {
          try Explanation(of: sql, $0, growing: PastRuns.growing.union(["ev_firing", "ev_start"])).described
        }
        #expect(found.faults.isEmpty, "\(sql.text)\n\(found.text)")
      }
    }
  }
}
