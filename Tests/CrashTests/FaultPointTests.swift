import Engine
import Foundation
import TestSupport
import Testing

/// Every fault point × database × {kill, connection cut, error}, at its first passing and at one in the middle.
@Suite(
  "At every fault point a run survives a crash, a cut connection and an error", .serialized,
  .timeLimit(.minutes(15)))
struct FaultPointTests {
  /// What ``CrashProgram/small(slow:)`` comes to undisturbed.
  static let outcomeOfSmall = Report.Outcome(
    status: "success",
    tasks: [
      "a 1: success", "b 1: success", "bad 1: failure", "fan 1/1: success", "fan 1/2: success",
      "fan 1/3: success",
      "flaky 1: success", "last 1: success", "mend 1: success", "slow 1: success", "work 1/1: success",
      "work 1/2: success",
    ],
    events: [
      "begin 1", "joined 1", "left 1", "right 1", "turn 1/1", "turn 1/2", "turn_over 1/1", "turn_over 1/2",
      "went_wrong 1",
    ])

  @Test("and comes to the end that an undisturbed run has", arguments: TestStore.all)
  func all(_ kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try world.write("quick.yaml", CrashProgram.small())
      // Locks are renewed every 50 ms, so that a run of half a second does it several times.
      try world.write("slow.yaml", CrashProgram.small(slow: "0.5"))
      try world.write("locks.yaml", "lock_for: 150ms\n")
      var combinations = 0
      for (number, fault) in Fault.all.enumerated() {
        try await FaultedRun(
          world: world, id: "f\(number)", fault: fault, isRecovered: number.isMultiple(of: 2)
        )
        .check()
        combinations += 1
      }
      try await world.expectConsistent()
      RandomKillTests.say("\(kind): \(combinations) faults")
    }
  }
}

extension FaultPointTests {
  /// What ``CrashProgram/passing`` comes to undisturbed.
  private static let outcomeOfPassing = Report.Outcome(
    status: "success",
    tasks: [
      "a 1: success", "b 1: success", "c 1: success", "d 1: success", "each 1/1: success",
      "each 1/2: success",
      "each 1/3: success", "each 1/4: success", "p 1: success", "q 1: success", "z 1: success",
    ], events: [])

  @Test("and passes each step without an action once", arguments: TestStore.all)
  func passing(_ kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try world.write("passing.yaml", CrashProgram.passing)
      try world.write("locks.yaml", "lock_for: 150ms\n")
      for (number, fault) in Fault.whilePassing.enumerated() {
        try await FaultedRun(
          world: world, id: "p\(number)", fault: fault, isRecovered: false, file: "passing.yaml",
          expected: Self.outcomeOfPassing
        )
        .check()
      }
      try await world.expectConsistent()
    }
  }
}

/// What happens where, and in which situation.
private struct Fault: CustomStringConvertible {
  enum Action: String, CaseIterable {
    case kill, disconnect, fail
  }

  let point: FaultPoint
  let action: Action
  let time: Int

  var description: String { "\(point.rawValue):\(action)@\(time)" }

  static let all: [Fault] = FaultPoint.allCases.flatMap { point in
    Action.allCases.flatMap { action in times(point).map { Fault(point: point, action: action, time: $0) } }
  }

  /// Kills in the transactions that pass steps, after the one that submits.
  static let whilePassing: [Fault] = FaultPoint.allCases.flatMap { point -> [Fault] in
    let times: [Int] =
      switch point {
      case .endBeforeTransition, .endBeforeCommit, .endAfterCommit, .claimBeforeUpdate, .claimAfterUpdate:
        [1, 2]
      case .applyBefore, .applyAfterEnds, .applyAfterTasks, .applyAfterRun: [2, 3]
      case .submitBeforeCommit, .replayBeforeCommit, .adoptBeforeUpdate, .renewBefore, .spawnBefore,
        .spawnAfter:
        []
      }
    return times.map { Fault(point: point, action: .kill, time: $0) }
  }

  /// The first passing, and one in the middle where a run passes more than once.
  private static func times(_ point: FaultPoint) -> [Int] {
    switch point {
    case .submitBeforeCommit, .replayBeforeCommit, .adoptBeforeUpdate: [1]
    case .renewBefore: [1, 3]
    case .claimBeforeUpdate, .claimAfterUpdate, .endBeforeTransition, .applyBefore, .applyAfterEnds,
      .applyAfterTasks,
      .applyAfterRun, .endBeforeCommit, .endAfterCommit, .spawnBefore, .spawnAfter:
      [1, 6]
    }
  }
}

private struct FaultedRun {
  let world: World
  let id: String
  let fault: Fault
  let isRecovered: Bool
  /// The program; nil for ``CrashProgram/small(slow:)``.
  var file: String?
  var expected = FaultPointTests.outcomeOfSmall

  private var program: String {
    file.map { world.path($0) }
      ?? world.path(
        fault.point == .renewBefore || fault.point == .adoptBeforeUpdate ? "slow.yaml" : "quick.yaml")
  }
  private var words: [String] {
    ["run", program, "--run-id", id, "--quiet", "--config", world.path("locks.yaml")]
  }
  private var context: String { "\(world.kind) \(fault), run \(id):" }

  func check() async throws {
    let plan = fault.description.replacing("\(fault.action)", with: fault.action.rawValue)
    let process = try await meetFault(plan)
    let end = try await process.ended()
    #expect(
      process.stderr.contains("fault: \(fault.point.rawValue):"), "\(context) not reached: \(process.stderr)")
    switch fault.action {
    case .kill: #expect(end == .signalled(9), "\(context) \(end)")
    case .disconnect:
      // Submitting and replaying are asked once: whether they happened may be left to the person who asked.
      let mayAsk = [.submitBeforeCommit, .replayBeforeCommit].contains(fault.point) && end == .exited(4)
      #expect(end == .exited(0) || mayAsk, "\(context) \(end) \(process.stderr)")
    case .fail:
      let isOnlyStep = [.spawnBefore, .spawnAfter].contains(fault.point)
      #expect(end == .exited(isOnlyStep ? 0 : 70), "\(context) \(end) \(process.stderr)")
    }
    let before = try await world.report(on: id)
    let position = world.journal(of: id).lines.count
    try await goOn(before, end)

    let after = try #require(try await world.report(on: id), "\(context)")
    #expect(after.outcome == expected, "\(context) \(expected.difference(to: after.outcome))")
    let journal = world.journal(of: id)
    #expect(journal.doubled == [], "\(context)")
    let ended = before?.ends ?? [:]
    #expect(journal.starts(of: ended.keys, from: position) == [], "\(context) recorded, and started again")
    for (key, end) in ended where after.run.recovery == before?.run.recovery {
      #expect(after.ends[key] == end, "\(context) \(key)")
    }
    try await until("\(context) no process is left") { world.leftovers().isEmpty }
  }

  /// Brings a process to the point.
  private func meetFault(_ plan: String) async throws -> Launched {
    switch fault.point {
    case .adoptBeforeUpdate:
      let first = try world.start(words, journalOf: id)
      try await until("\(context) slow runs; \(first.stderr)") {
        world.journal(of: id).starts["slow 1"] != nil
      }
      _ = try await first.crash()
      return try world.start(words + ["--continue"], journalOf: id, faults: plan)
    case .replayBeforeCommit:
      try await world.start(words, journalOf: id).succeeded(context)
      return try world.start(["recover", id, "--quiet"], journalOf: id, faults: plan)
    default:
      return try world.start(words, journalOf: id, faults: plan)
    }
  }

  private func goOn(_ report: Report?, _ end: Launched.End) async throws {
    guard let report else {
      let isSubmitting = [
        .submitBeforeCommit, .applyBefore, .applyAfterEnds, .applyAfterTasks, .applyAfterRun,
      ]
      .contains(fault.point)
      #expect(isSubmitting, "\(context) there is no run")
      return try await world.start(words, journalOf: id).succeeded(context)
    }
    if end == .exited(0) { return }
    if isRecovered || fault.point == .replayBeforeCommit && report.run.recovery == 0 {
      try await world.start(["recover", id, "--quiet"], journalOf: id).succeeded(context)
    } else {
      try await world.start(words + ["--continue"], journalOf: id).succeeded(context)
    }
  }

}
