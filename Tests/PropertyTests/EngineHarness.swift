import Database
import Drivers
import Engine
import Foundation
import Model
import Storage
import Synchronization
import TestSupport
import Testing

/// Runs a random program through the real engine and a real store, ending steps as the program's seed says, in an
/// order that the seed shuffles.
struct EngineHarness {
  let random: RandomProgram
  let store: SQLStore
  private let agent: Int64
  /// Whether steps without an action are passed.
  var passes = false
  /// How many were.
  let passed = Counter()

  final class Counter: Sendable {
    private let count = Mutex(0)
    var sum: Int { count.withLock { $0 } }
    func add(_ more: Int) { count.withLock { $0 += more } }
  }
  /// The outcome of a step where it is not the seed's.
  var succeeds: (@Sendable (_ step: String, _ sequence: String, _ recovery: Int, _ attempt: Int) -> Bool)?

  init(_ random: RandomProgram, _ store: SQLStore) async throws {
    self.random = random
    self.store = store
    agent = try await store.enlist(
      AgentIdentity(
        host: "here", instance: UUID().uuidString, incarnation: UUID().uuidString, pid: 1, processStart: 1,
        bootID: "boot", journal: "", version: "test", isEmbedded: true))
  }

  /// Submits the program and works it off; returns the run's id.
  func run() async throws -> String {
    let version = try await store.register(random.program, by: "test")
    var defaults: [String: JSONValue] = [:]
    for parameter in random.program.parameters { defaults[parameter.name] = parameter.defaultValue }
    let run = try await store.submit(
      Submission(
        program: version, parameters: defaults, isStandalone: true, isUnpinned: true, localHost: "here",
        user: "test"))
    try await work(run)
    return run
  }

  /// Works a run off: some tasks are taken, some of those that are held end, again and again.
  func work(_ run: String) async throws {
    try await store.tend(run, by: agent) { _ in false }
    var order = SplitMix64(random.seed ^ 0x0d_5e_ed)
    var held: [Claim] = []
    var ends: [TaskEnd] = []
    while true {
      let advance = try await store.advance(
        AdvanceRequest(
          run: run, agent: agent, ends: ends, slots: 1 + order.below(6), lockFor: TimeSpan(seconds: 300),
          host: nil, localHost: "here", passesEmptySteps: passes))
      #expect(advance.superseded.isEmpty)
      ends = []
      held += advance.claims
      passed.add(advance.passed.count)
      if advance.status.isOver && held.isEmpty { return }
      if order.chance(15) { try await checkReasons(run, held) }
      if held.isEmpty {
        // Nothing can be taken: it must be a delay that is waited for, or the run is stuck.
        guard let due = advance.nextDue else {
          if advance.claims.isEmpty, try await !store.glance(at: run).hasWork {
            Issue.record("the run is stuck with \(advance.active) things left")
            return
          }
          continue
        }
        try await Task.sleep(for: .microseconds(max(0, due)))
        continue
      }
      for _ in 0..<(1 + order.below(held.count)) where !held.isEmpty {
        let claim = held.remove(at: order.below(held.count))
        ends.append(TaskEnd(number: claim.task.number, fence: claim.fence, outcome: outcome(of: claim)))
      }
    }
  }

  private func outcome(of claim: Claim) -> Engine.Outcome {
    let decide = succeeds ?? random.succeeds
    let isSuccess = decide(claim.task.step, claim.task.sequence.text, claim.recovery, claim.task.attempt)
    var outcome = Engine.Outcome(isSuccess ? .success : .failure)
    outcome.exitCode = isSuccess ? 0 : 1
    return outcome
  }

  /// Every task that is not over has one reason, and the reason is true.
  private func checkReasons(_ run: String, _ held: [Claim]) async throws {
    let report = try await store.report(on: run, recovery: nil, allAttempts: false)
    let reasons = try await store.reasons(for: run, step: nil)
    for task in report.tasks where !task.status.isOver {
      let own = reasons.filter { $0.step == task.step && $0.sequence == task.sequence }
      guard let reason = own.first, own.count == 1 else {
        Issue.record("\(task.step)/\(task.sequence) has \(own.count) reasons")
        continue
      }
      let isTrue: Bool =
        switch reason.code {
        case .running: task.status == .running
        case .delayed, .retry: task.status == .waiting && task.dueAt != nil
        case .resourceShort, .limitReached: task.status == .waiting && task.dueAt == nil
        case .slotsFull: task.status == .ready && !held.isEmpty
        case .ready: task.status == .ready
        default: false
        }
      #expect(isTrue, "\(task.step)/\(task.sequence) is \(task.status), and the reason is \(reason)")
    }
  }

  /// What the store shows of a run, in the reference's terms.
  func observed(_ run: String) async throws -> Observation {
    let report = try await store.report(on: run, recovery: nil, allAttempts: false)
    return Observation(report)
  }
}

/// What the engine and the reference must agree on.
struct Observation: Equatable, CustomStringConvertible {
  var status: RunStatus
  var tasks: [String: Outcome.Task] = [:]
  var events: Set<String> = []
  var loops: [String: Outcome.Loop] = [:]

  init(_ report: RunReport) {
    status = report.run.status
    for task in report.tasks {
      tasks["\(task.step)/\(task.sequence)"] = Outcome.Task(status: task.status, skipped: task.skipped)
    }
    for event in report.events { events.insert("\(event.event)/\(event.sequence)") }
    for loop in report.loops {
      loops["\(loop.loop)/\(loop.sequence)"] = Outcome.Loop(
        status: loop.status, iterations: loop.iterations, ended: loop.ended)
    }
  }

  init(_ outcome: Outcome) {
    status = outcome.runStatus
    tasks = outcome.tasks
    events = outcome.events
    loops = outcome.loops
  }

  /// What is in one and not in the other.
  func differences(from other: Observation) -> String {
    var lines: [String] = []
    if status != other.status { lines.append("run \(status), not \(other.status)") }
    for key in Set(tasks.keys).union(other.tasks.keys).sorted() where tasks[key] != other.tasks[key] {
      lines.append("task \(key): \(describe(tasks[key])), not \(describe(other.tasks[key]))")
    }
    for event in events.symmetricDifference(other.events).sorted() {
      lines.append(events.contains(event) ? "event \(event) too much" : "event \(event) missing")
    }
    for key in Set(loops.keys).union(other.loops.keys).sorted() where loops[key] != other.loops[key] {
      lines.append("loop \(key): \(describe(loops[key])), not \(describe(other.loops[key]))")
    }
    return lines.joined(separator: "\n")
  }

  private func describe<T>(_ value: T?) -> String { value.map { "\($0)" } ?? "none" }

  var description: String { "\(status), \(tasks.count) tasks, \(events.count) events, \(loops.count) loops" }
}

/// Opens a store for a test and closes it afterwards.
func withSQLStore<T>(_ url: StoreURL, _ body: (SQLStore) async throws -> T) async throws -> T {
  let store = SQLStore(pool: Pool(url: url, driver: Drivers.driver(for: url)))
  try await store.migrate()
  do {
    let result = try await body(store)
    await store.close()
    return result
  } catch {
    await store.close()
    throw error
  }
}
