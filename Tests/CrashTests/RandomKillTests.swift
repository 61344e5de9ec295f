import Foundation
import TestSupport
import Testing

/// `coordinator run` killed with SIGKILL at random moments, over and over (issue 2: 200 of them).
///
/// `EVENTOR_CRASH_MOMENTS` is how many on each database (200); `EVENTOR_CRASH_SEED` repeats one
/// choice of moments, as far as the machine's own timing allows.
@Suite(
  "A run whose process is killed at random moments comes to the same end", .serialized,
  .timeLimit(.minutes(15)))
struct RandomKillTests {
  @Test("with nothing recorded lost, changed or done again", arguments: TestStore.all)
  func killed(_ kind: TestStore.Kind) async throws {
    let seed = Self.seed
    try await World.with(kind) { world in
      try world.write("program.yaml", CrashProgram.hundred)
      let undisturbed = try world.start(
        ["run", world.path("program.yaml"), "--run-id", "plain", "--quiet"], journalOf: "plain")
      try await undisturbed.succeeded()
      let expected = try #require(try await world.report(on: "plain")?.outcome)
      #expect(expected.tasks.count == 100)

      let wanted = Self.moments
      var random = SplitMix64(seed)
      var kills = 0
      var runs = 0
      while kills < wanted {
        runs += 1
        // Half of the runs are brought to their end by `--continue`, half by `recover`.
        let run = CrashedRun(world: world, id: "r\(runs)", isRecovered: runs.isMultiple(of: 2), seed: seed)
        kills += try await run.crash(
          atMost: min(wanted - kills, Int.random(in: 6...14, using: &random)), &random)
        try await run.finish(as: expected)
      }
      try await world.expectConsistent("seed \(seed)")
      Self.say("\(kind): killed \(kills) times in \(runs) runs; EVENTOR_CRASH_SEED=\(seed)")
    }
  }

  private static let moments =
    ProcessInfo.processInfo.environment["EVENTOR_CRASH_MOMENTS"].flatMap { Int($0) } ?? 200
  private static let seed =
    ProcessInfo.processInfo.environment["EVENTOR_CRASH_SEED"].flatMap { UInt64($0) }
    ?? .random(in: 0...9_999_999)

  /// A line in the output of the tests.
  static func say(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }
}

/// One run that is killed, looked at, and gone on with.
private final class CrashedRun {
  private let world: World
  private let id: String
  private let isRecovered: Bool
  private let context: String
  /// The ends that were recorded at the last look.
  private var ends: [String: String] = [:]
  /// Tasks that ran when a `recover` gave them up.
  private var givenUp: Set<String> = []
  private var isThere = false

  init(world: World, id: String, isRecovered: Bool, seed: UInt64) {
    self.world = world
    self.id = id
    self.isRecovered = isRecovered
    context = "\(world.kind), run \(id), seed \(seed):"
  }

  /// Kills its process at most `limit` times, and returns how often it did: the run may be over before.
  func crash(atMost limit: Int, _ random: inout SplitMix64) async throws -> Int {
    for kills in 0..<limit {
      let process = try begin()
      try await letGo(process, &random)
      guard try await process.crash() else {
        #expect(process.end == .exited(0), "\(context) \(process.stderr)")
        try await look()
        return kills
      }
      if Int.random(in: 0..<4, using: &random) == 0 { try await letStepsEnd() }
      try await look()
    }
    return limit
  }

  private func begin() throws -> Launched {
    let words = ["run", world.path("program.yaml"), "--run-id", id, "--quiet", "--max-concurrent", "6"]
    return try world.start(words + (isThere ? ["--continue"] : []), journalOf: id)
  }

  /// Returns at a random moment: soon after the start, or once the run came on by a few lines and a little more.
  private func letGo(_ process: Launched, _ random: inout SplitMix64) async throws {
    if Int.random(in: 0..<5, using: &random) == 0 {
      return try await Task.sleep(for: .microseconds(Int.random(in: 0...120_000, using: &random)))
    }
    let goal = world.journal(of: id).lines.count + Int.random(in: 1...24, using: &random)
    try await until("\(context) the run goes on; \(process.stderr)", pause: .milliseconds(1)) {
      process.end != nil || world.journal(of: id).lines.count >= goal
    }
    try await Task.sleep(for: .microseconds(Int.random(in: 0...15_000, using: &random)))
  }

  /// Waits until the steps that were left running are over, and their keeper with them.
  private func letStepsEnd() async throws {
    try await until("\(context) the keeper ends") { world.leftovers().isEmpty }
  }

  /// What was recorded must be as it was at the last look, and nothing of it may have been started since.
  private func look() async throws {
    guard let report = try await world.report(on: id) else {
      #expect(!isThere, "\(context) the run is gone")
      return
    }
    isThere = true
    expectKept(report)
    ends = report.ends
  }

  private func expectKept(_ report: Report) {
    for (key, end) in ends where report.run.recovery == 0 {
      #expect(report.ends[key] == end, "\(context) \(key) has changed")
    }
  }

  /// Brings the run to its end, and compares.
  func finish(as expected: Report.Outcome) async throws {
    let position = world.journal(of: id).lines.count
    if isRecovered, isThere {
      let running = try await world.report(on: id)?.tasks.filter { !$0.isOver }.map(\.key) ?? []
      if !world.leftovers().isEmpty { givenUp = Set(running) }
      let recover = try world.start(["recover", id, "--quiet"], journalOf: id)
      try await recover.succeeded(context)
    } else {
      try await begin().succeeded(context)
    }
    let report = try #require(try await world.report(on: id))
    expectKept(report)
    let journal = world.journal(of: id)
    #expect(report.outcome == expected, "\(context) \(expected.difference(to: report.outcome))")
    #expect(journal.doubled == [], "\(context)")
    #expect(journal.starts(of: ends.keys, from: position) == [], "\(context) recorded, and started again")
    for (key, count) in journal.successes where count != 1 && !givenUp.contains(key) {
      Issue.record("\(context) \(key) succeeded \(count) times")
    }
    for task in report.tasks where task.status == "success" {
      #expect(journal.successes[task.key] != nil, "\(context) \(task.key) is recorded and never ran")
    }
  }
}
