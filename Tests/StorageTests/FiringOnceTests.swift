import Database
import Engine
import Model
import Storage
import TestSupport
import Testing

@Suite("Each firing happens once, over any number of agents")
struct FiringOnceTests {
  private static let programs = 10

  @Test(
    "eight fire at once, and commits fail, lose their connection or their answer", arguments: TestStore.all)
  func eight(kind: TestStore.Kind) async throws {
    let crashes = CrashingDriver.Crashes()
    try await withWorld(kind, stores: 4, driver: { CrashingDriver($0, crashes) }) { world in
      let years = NewYear.years(from: 2021, now: try await world.now())
      for number in 0..<Self.programs {
        // Runs are over at once, so that the next of the missed ones need not wait.
        try await world.registerScheduled(
          "{name: n, cron: '@yearly', event: go, catch_up: all}", named: "p\(number)", rest: "steps: {s: {}}")
      }
      try await world.makeDue("n", at: NewYear.moment(2021))
      crashes.begin()
      let told = try await withThrowingTaskGroup(of: [String].self) { group in
        for index in 0..<8 { group.addTask { try await Self.fireAll(world, on: index % 4) } }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      #expect(crashes.end() >= Self.programs, "hardly anything went wrong")
      // Who was killed after a commit has told nobody.
      #expect(Set(told).count == told.count && told.count <= Self.programs * years.count)
      let rows = try await world.rows(
        "SELECT program, outcome, sequence FROM ev_firing ORDER BY program, fires_at")
      var decided: [String: [String]] = [:]
      for row in rows {
        decided[try row.text(0), default: []].append("\(try row.text(1)) \(try row.text(2))")
      }
      #expect(decided.count == Self.programs)
      for (program, firings) in decided {
        #expect(firings == years.map { "fired \(NewYear.sequence($0))" }, "\(program)")
      }
      for table in ["ev_run", "ev_start", "ev_event"] {
        #expect(try await world.count(table) == Self.programs * years.count)
      }
      try await world.expectSound()
    }
  }

  /// Fires until nothing is due; what goes wrong on the way is tried again, as agents do.
  private static func fireAll(_ world: World, on index: Int) async throws -> [String] {
    var runs: [String] = []
    var errors = 0
    while true {
      do {
        runs += try await world.fire(on: index).firings.compactMap(\.outcome.run)
        if try await world.stores[index].nextScheduleDue() != 0 { return runs }
      } catch let error as DatabaseError {
        errors += 1
        if errors > 2000 { throw error }
      }
    }
  }

  @Test(
    "a pause, a removal and a new version come before or after a firing, never between",
    arguments: TestStore.all)
  func racing(kind: TestStore.Kind) async throws {
    try await withWorld(kind, stores: 4) { world in
      for round in 0..<6 {
        try await world.registerScheduled("{name: n, cron: '@yearly', event: go}", rest: "steps: {s: {}}")
        _ = try await world.makeDue(ago: 20 - Int64(round))
        try await withThrowingTaskGroup(of: Void.self) { group in
          for index in 0..<3 { group.addTask { _ = try await world.fire(on: index) } }
          group.addTask {
            switch round % 3 {
            case 0: _ = try await world.stores[3].pauseSchedule("n", by: "u")
            case 1: _ = try await world.stores[3].removeProgram(named: "t")
            default:
              try await world.registerScheduled(
                "{name: n, cron: '@daily', event: go}", rest: "steps: {s: {}}")
            }
          }
          try await group.waitForAll()
        }
        try await world.expectSound()
        if round % 3 == 0 { _ = try await world.store.resumeSchedule("n", by: "u") }
      }
      let fired = try await world.count("ev_firing", where: "outcome = 'fired'")
      let runs = try await world.scheduledRuns()
      #expect(fired == runs.count)
    }
  }
}
