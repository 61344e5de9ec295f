import Database
import Engine
import Model
import Storage
import TestSupport
import Testing

@Suite("Schedules fire (rule 16)")
struct FiringTests {
  @Test(
    "a firing starts a run with its event alone, in its own sequence, for the agents",
    arguments: TestStore.all)
  func fires(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let rest = """
        parameters: {x: 9, y: {type: list, default: [1, 2]}, z: {type: string}}
        config: {timeout: 1h}
        steps: {s: {on: go}, other: {}}
        """
      let schedule = "{name: n, cron: '0 0 1 1 *', timezone: Europe/Berlin, event: go, late_after: 30m}"
      let registered = try await world.registerScheduled(schedule, rest: rest)
      #expect(registered.map(\.fullName) == ["t/n"])
      #expect(try await world.fire() == ScheduleFirings())
      let at = NewYear.moment(2020) - 3_600_000_000
      try await world.makeDue("n", at: at)
      let result = try await world.fire()
      let last = try #require(NewYear.years(from: 2020, now: try await world.now()).last)
      let sequence = NewYear.sequence(last)
      #expect(result.problems.isEmpty)
      let run = try #require(result.firings.last?.outcome.run)
      let report = try await world.report(run)
      #expect(report.tasks.map { "\($0.step)/\($0.sequence)" } == ["s/\(sequence)"])
      #expect(report.events.map { "\($0.event)/\($0.sequence)" } == ["go/\(sequence)"])
      #expect(report.run.createdBy == "schedule:n@here" && !report.run.isStandalone)
      #expect(report.run.parameters == ["x": .integer(9), "y": .array([.integer(1), .integer(2)])])
      #expect(try await world.store.history(of: run).first?.entry.actor == "schedule:n@here")

      let record = try await world.record()
      let fired = NewYear.moment(last) - 3_600_000_000
      #expect(record.lastRun == run && record.lastStatus == .running)
      #expect(record.lastAt == Timestamp(microseconds: fired))
      #expect(record.lateAt == Timestamp(microseconds: fired + 1_800_000_000))
      #expect(record.nextAt == Timestamp(microseconds: NewYear.moment(last + 1) - 3_600_000_000))
      #expect(record.nextLocal == "\(last + 1)-01-01T00:00")
      #expect(record.version == report.run.version)
      #expect(try await world.fire() == ScheduleFirings())
      #expect(try await world.scheduledRuns().count == 1)
      try await world.expectSound()
    }
  }

  @Test(
    "none leaves out what was missed, last makes up the latest, all each in its own run",
    arguments: TestStore.all)
  func catchUp(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let years = NewYear.years(from: 2019, now: try await world.now())
      func begin(_ catchUp: String) async throws {
        // The run is over at once: nothing is on the event.
        try await world.registerScheduled(
          "{name: n, cron: '@yearly', event: go, catch_up: \(catchUp)}", rest: "steps: {s: {}}")
        try await world.execute("DELETE FROM ev_firing")
        try await world.makeDue("n", at: NewYear.moment(2019))
      }
      let missed = Timestamp(microseconds: NewYear.moment(years[years.count - 1]))

      try await begin("none")
      #expect(try await world.fire().firings.map(\.outcome) == [.missed(through: missed)])
      #expect(try await world.decided() == ["missed \(NewYear.sequence(2019))"])
      #expect(try await world.fire() == ScheduleFirings())
      #expect(try await world.scheduledRuns().isEmpty)
      #expect(try await world.store.lateSchedules().map(\.fault) == [.missed])

      try await begin("last")
      let made = try await world.fire().firings
      #expect(made.count == 2 && made[1].outcome.run != nil && made[1].at == missed)
      #expect(
        try await world.decided() == [
          "missed \(NewYear.sequence(2019))", "fired \(NewYear.sequence(years[years.count - 1]))",
        ])
      #expect(try await world.store.lateSchedules().isEmpty)

      try await begin("all")
      var fired: [Timestamp] = []
      while case let result = try await world.fire(), !result.firings.isEmpty {
        fired += result.firings.map(\.at)
      }
      #expect(fired == years.map { Timestamp(microseconds: NewYear.moment($0)) })
      #expect(try await world.decided() == years.map { "fired \(NewYear.sequence($0))" })
      #expect(try await world.scheduledRuns().count == years.count + 1)
      try await world.expectSound()
    }
  }

  @Test(
    "while the former run goes a firing is left out, waits for its end, or cancels it",
    arguments: TestStore.all)
  func overlap(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      for overlap in ["skip", "queue", "replace"] {
        try await world.registerScheduled(
          "{name: \(overlap), cron: '0 0 1 1 *', event: go, overlap: \(overlap), catch_up: none}",
          named: overlap)
        _ = try await world.makeDue(overlap)
        let first = try #require(try await world.fire().firings.first?.outcome.run)
        let at = try await world.makeDue(overlap, ago: 10)
        let second = try await world.fire().firings
        #expect(second.map(\.at) == [at])
        switch overlap {
        case "skip":
          #expect(second.map(\.outcome) == [.skipped(because: first)])
          #expect(try await world.decided(overlap).map { $0.prefix(7) } == ["fired s", "skipped"])
          #expect(try await world.report(first).run.status == .running)
        case "replace":
          let run = try #require(second.first?.outcome.run)
          #expect(try await world.report(first).run.status == .cancelled)
          #expect(try await world.report(first).run.message == "cancelled by schedule:replace@here")
          #expect(try await world.report(run).run.status == .running)
        default:
          #expect(second.map(\.outcome) == [.waiting(for: first)])
          // It has been said once, and is not due for anybody until the run is over.
          #expect(try await world.fire() == ScheduleFirings())
          #expect(try await world.record(overlap).waitsFor == first)
          let pause = try #require(try await world.store.nextScheduleDue())
          #expect(pause > 0 && pause < 6_000_000)
          try await world.execute("UPDATE ev_schedule SET next_at = next_at - 900000000 WHERE name = 'queue'")
          try await world.worker().drain(first)
          #expect(try await world.store.nextScheduleDue() == 0)
          let made = try await world.fire().firings
          #expect(
            made.count == 1 && made[0].outcome.run != nil, "it came on time, though it fires 15 minutes later"
          )
          #expect(try await world.record(overlap).waitsFor == nil)
        }
      }
      try await world.execute("UPDATE ev_schedule SET due_at = next_at")
      try await world.expectSound()
    }
  }

  @Test(
    "what all makes up waits for the former run, and is neither left out nor cancelled",
    arguments: TestStore.all)
  func catchUpWaits(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      for overlap in ["skip", "replace"] {
        try await world.registerScheduled(
          "{name: n, cron: '@yearly', event: go, overlap: \(overlap), catch_up: all}", named: overlap)
        let years = NewYear.years(from: 2023, now: try await world.now())
        try await world.execute(
          "UPDATE ev_schedule SET next_at = \(NewYear.moment(2023)), due_at = \(NewYear.moment(2023)) WHERE program = \(overlap)"
        )
        var runs: [String] = []
        for _ in years {
          let firings = try await world.fire().firings
          runs.append(try #require(firings.first?.outcome.run))
          let next = try await world.fire().firings
          if runs.count < years.count {
            #expect(next.map(\.outcome) == [.waiting(for: runs[runs.count - 1])])
          }
          try await world.worker().drain(runs[runs.count - 1])
        }
        #expect(try await world.fire() == ScheduleFirings())
        for run in runs { #expect(try await world.report(run).run.status == .success) }
      }
      try await world.expectSound()
    }
  }

  @Test("the latest of those that came meanwhile fires when a wait is over", arguments: TestStore.all)
  func waitedForLast(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      try await world.registerScheduled("{name: n, cron: '@yearly', event: go, overlap: queue}")
      _ = try await world.makeDue()
      let run = try #require(try await world.fire().firings.first?.outcome.run)
      _ = try await world.makeDue(ago: 10)
      #expect(try await world.fire().firings.map(\.outcome) == [.waiting(for: run)])
      try await world.makeDue("n", at: NewYear.moment(2024))
      try await world.worker().drain(run)
      let last = try #require(NewYear.years(from: 2024, now: try await world.now()).last)
      let made = try await world.fire().firings
      #expect(made.last?.at == Timestamp(microseconds: NewYear.moment(last)) && made.last?.outcome.run != nil)
      try await world.expectSound()
    }
  }

  @Test("a clock that is put back shows a reading twice, and the sequences differ", arguments: TestStore.all)
  func secondPass(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      try await world.registerScheduled(
        "{name: n, cron: '30 * * * *', timezone: Europe/Berlin, event: go, catch_up: all}",
        rest: "steps: {s: {}}")
      // 2025-10-26T02:30+02:00.
      try await world.makeDue("n", at: 1_761_438_600_000_000)
      for _ in 0..<3 { _ = try await world.fire() }
      #expect(
        try await world.decided() == [
          "fired n_2025-10-26T02:30", "fired n_2025-10-26T02:30.2", "fired n_2025-10-26T03:30",
        ])
    }
  }

  @Test(
    "a schedule that can't be fired from here is left to others, and keeps nobody from firing",
    arguments: TestStore.all)
  func unfit(kind: TestStore.Kind) async throws {
    try await withWorld(kind, stores: 2) { world in
      try await world.registerScheduled("{name: a, cron: '@yearly', event: go}", named: "p")
      try await world.registerScheduled("{name: b, cron: '@yearly', event: go}", named: "q")
      _ = try await world.makeDue("a")
      try await world.execute("UPDATE ev_schedule SET timezone = 'Mars/Olympus_Mons' WHERE name = 'a'")
      _ = try await world.makeDue("b")
      let result = try await world.fire()
      #expect(result.firings.map(\.schedule) == ["b"])
      #expect(result.problems.map(\.schedule) == ["a"])
      #expect(result.problems.first?.message.contains("unknown time zone 'Mars/Olympus_Mons'") == true)
      #expect(try await world.fire() == ScheduleFirings(), "not asked again for a while")
      #expect(try await world.store.nextScheduleDue().map { $0 > 0 } ?? true)
      // Another host has newer zones.
      #expect(try await world.stores[1].nextScheduleDue() == 0)
      try await world.execute("UPDATE ev_schedule SET timezone = 'UTC' WHERE name = 'a'")
      #expect(try await world.fire(on: 1).firings.map(\.schedule) == ["a"])
    }
  }
}
