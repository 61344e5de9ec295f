import Database
import Engine
import Foundation
import Model
import Storage
import TestSupport
import Testing

/// Random programs on the real engine and store, against the reference interpreter: same tasks, same statuses, same
/// events, same loops. A seed that fails is printed with its program; add it to `knownSeeds`.
@Suite(.serialized) struct EngineAgainstReferenceTests {
  /// Seeds that have failed once.
  static let knownSeeds: [UInt64] = [12, 21, 30, 78, 341]

  /// `EVENTOR_PROPERTY_SEED` moves the window of seeds, `EVENTOR_PROPERTY_COUNT` widens it.
  private static func number(_ name: String, _ standard: Int) -> Int {
    ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? standard
  }

  private static var first: UInt64 { UInt64(number("EVENTOR_PROPERTY_SEED", 1)) }

  @Test("a thousand random programs end on SQLite as the reference says")
  func sqlite() async throws {
    let count = Self.number("EVENTOR_PROPERTY_COUNT", 1000)
    print("seeds \(Self.first)..<\(Self.first + UInt64(count))")
    try await withSQLStore(StoreURL("sqlite::memory:")) { store in
      var passed = 0
      for seed in Self.knownSeeds + (Self.first..<Self.first + UInt64(count)) {
        passed += try await compare(seed, on: store)
      }
      #expect(passed > count, "steps without an action are among them")
    }
  }

  @Test("random programs end on the servers as the reference says", arguments: TestStore.servers)
  func servers(_ kind: TestStore.Kind) async throws {
    try await withStore(kind) { url in
      try await withSQLStore(url) { store in
        for seed in Self.first..<Self.first + 60 { _ = try await compare(seed, on: store) }
      }
    }
  }

  /// One program: its run, a recovery, and a rerun of some steps. Returns how many steps were passed.
  private func compare(_ seed: UInt64, on store: SQLStore) async throws -> Int {
    var random = RandomProgram.confluent(seed: seed).random
    // Steps that do nothing are ended by the agent itself; here every outcome comes from the seed. In every other program
    // about half of those that never fail do nothing, and are passed.
    let passes =
      seed.isMultiple(of: 2) && (!random.program.config.stopOnFailure || random.fragile.isEmpty)
    // A limit on all tasks counts those that do nothing too: they are taken then.
    if passes { random.program.config.maxConcurrent = 0 }
    for position in random.program.steps.indices {
      let isPassed =
        passes && !random.fragile.contains(random.program.steps[position].name)
        && !(seed / 2 + UInt64(position)).isMultiple(of: 2)
      random.program.steps[position].action = isPassed ? .empty : .run(["true"])
    }
    let reference = random.reference()
    var harness = try await EngineHarness(random, store)
    harness.passes = passes
    try await compare(random, reference, harness)
    return harness.passed.sum
  }

  private func compare(
    _ random: RandomProgram, _ reference: ReferenceInterpreter, _ harness: EngineHarness
  ) async throws {

    let expected = reference.run()
    let run = try await harness.run()
    var isSame = try await check("run", run, expected, harness)
    guard isSame else { return }

    let recovered = reference.recover(expected)
    var request = ReplayRequest(kind: .recover)
    _ = try await harness.store.replay(request, of: run, by: "test")
    try await harness.work(run)
    isSame = try await check("recover", run, recovered, harness)
    guard isSame, let rerun = random.rerun(after: recovered) else { return }

    let again = reference.rerun(recovered, steps: rerun.steps, sequence: rerun.sequence, only: rerun.only)
    request = ReplayRequest(kind: .rerun)
    request.steps = rerun.steps
    request.sequence = rerun.sequence.map { Sequence($0) }
    request.only = rerun.only
    _ = try await harness.store.replay(request, of: run, by: "test")
    try await harness.work(run)
    _ = try await check("rerun of \(rerun)", run, again, harness)
  }

  private func check(_ what: String, _ run: String, _ expected: Outcome, _ harness: EngineHarness)
    async throws -> Bool
  {
    let found = try await harness.observed(run)
    let wanted = Observation(expected)
    guard found != wanted else { return true }
    Issue.record(
      """
      seed \(harness.random.seed), \(what):
      \(found.differences(from: wanted))
      \(harness.random.description)
      """)
    return false
  }

  @Test("what --plan shows of a recovery and of a rerun is what is then done, on 200 random programs")
  func plans() async throws {
    try await withSQLStore(StoreURL("sqlite::memory:")) { store in
      for seed in (Self.first + 5000)..<(Self.first + 5200) {
        var random = RandomProgram.confluent(seed: seed).random
        for position in random.program.steps.indices {
          random.program.steps[position].action = .run(["true"])
        }
        var harness = try await EngineHarness(random, store)
        let run = try await harness.run()
        // A plan shows what happens if everything that runs succeeds.
        harness.succeeds = { _, _, _, _ in true }
        try await check(ReplayRequest(kind: .recover), run, harness)
        guard let rerun = random.rerun(after: random.reference().run()) else { continue }
        var request = ReplayRequest(kind: .rerun)
        request.steps = rerun.steps
        request.sequence = rerun.sequence.map { Sequence($0) }
        request.only = rerun.only
        try await check(request, run, harness)
      }
      #expect(try await store.check() == [])
    }
  }

  private func check(_ request: ReplayRequest, _ run: String, _ harness: EngineHarness) async throws {
    let planned = try await harness.store.plan(request, of: run, by: "test")
    _ = try await harness.store.replay(request, of: run, by: "test")
    try await harness.work(run)
    let report = try await harness.store.report(on: run, recovery: nil, allAttempts: false)
    let plan = Set(planned.map { "\($0.step)/\($0.sequence) \($0.action == .run ? "runs" : "stands")" })
    let deed = Set(report.tasks.map { "\($0.step)/\($0.sequence) \($0.skipped ? "stands" : "runs")" })
    #expect(plan.count == planned.count)
    #expect(
      plan == deed,
      "seed \(harness.random.seed), \(request): planned \(plan.subtracting(deed)), done \(deed.subtracting(plan))\n\(harness.random.description)"
    )
  }
}
