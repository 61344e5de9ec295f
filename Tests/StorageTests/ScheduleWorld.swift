import Database
import Documents
import Engine
import Model
import Storage
import Testing

extension World {
  /// Registers a program with an event `go` for each schedule of `schedules`, the inside of a list in YAML.
  @discardableResult
  func registerScheduled(
    _ schedules: String, named name: String = "t", rest: String = "steps: {s: {on: go}, other: {}}",
    events: String = "{go: {}}"
  ) async throws -> [ScheduleRecord] {
    let text = "program: \(name)\nevents: \(events)\n\(rest)\nschedule: [\(schedules)]"
    let program = try ProgramDocument.parse(text, file: "t.yaml").program
    return try await store.registerWithSchedules(program, by: "tester@here").1
  }

  /// The database's clock.
  func now() async throws -> Int64 {
    try await pool.run { session in
      try session.query("SELECT \(raw: session.dialect.now)").first?.integer(0) ?? 0
    }
  }

  /// Makes a firing of a schedule due that was to come at `moment`, in microseconds.
  func makeDue(_ name: String, at moment: Int64) async throws {
    try await execute("UPDATE ev_schedule SET next_at = \(moment), due_at = \(moment) WHERE name = \(name)")
  }

  /// Makes a firing due that was to come a moment ago; another one for each `seconds`.
  func makeDue(_ name: String = "n", ago seconds: Int64 = 20) async throws -> Timestamp {
    let moment = (try await now() / 1_000_000 - seconds) * 1_000_000
    try await makeDue(name, at: moment)
    return Timestamp(microseconds: moment)
  }

  func fire(limit: Int = 100, on index: Int = 0) async throws -> ScheduleFirings {
    try await stores[index].fireSchedules(limit: limit, host: "here")
  }

  func record(_ name: String = "n") async throws -> ScheduleRecord { try await store.schedule(named: name) }

  /// The runs that schedules have started, oldest first.
  func scheduledRuns() async throws -> [RunRecord] {
    try await store.runs(RunFilter()).filter { $0.createdBy.hasPrefix("schedule:") }.reversed()
  }

  /// What was decided on which firings, oldest first.
  func decided(_ name: String = "n") async throws -> [String] {
    try await rows("SELECT outcome, sequence FROM ev_firing WHERE name = \(name) ORDER BY fires_at").map {
      "\(try $0.text(0)) \(try $0.text(1))"
    }
  }
}

extension ScheduleFirings.Outcome {
  var run: String? { if case .fired(let run) = self { run } else { nil } }
}

/// New Year's Day, for schedules that fire once a year: what they miss in ten years is a list one can read.
enum NewYear {
  /// The beginning of `year` in UTC, in microseconds.
  static func moment(_ year: Int) -> Int64 {
    let leapDays = (1970..<year).count { $0 % 4 == 0 && ($0 % 100 != 0 || $0 % 400 == 0) }
    return Int64((year - 1970) * 365 + leapDays) * 86_400_000_000
  }

  /// The years that have begun by `now`, from `first` on.
  static func years(from first: Int, now: Int64) -> [Int] {
    Array((first...9999).prefix { moment($0) <= now })
  }

  static func sequence(_ year: Int) -> String { "n_\(year)-01-01T00:00" }
}
