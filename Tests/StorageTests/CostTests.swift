import Database
import Engine
import Model
import Storage
import TestSupport
import Testing

@Suite("What statements cost when 100,000 tasks are over (invariant 5)")
struct CostTests {
  private static let program = """
    config: {max_concurrent: 50, timeout: 10h, stop_on_failure: false}
    parameters: {l: {type: list, default: [1, 2]}}
    events: {e: {}, late: {}, later: {}, go: {}, word: {external: true}, j: {when: word or later}}
    associations: [{event: e, to: [late, delayed], delay: 1h}]
    resources: {r: {capacity: 1, scope: cluster}, p: {capacity: 1, scope: program}}
    steps:
      a: {on: e}
      b: {after: a, run: [echo, "${steps.a.result}"], retry: {attempts: 2, delay: 1h}}
      c: {after: b}
      held: {acquires: {r: 1, p: 1}, releases: {p: 1}}
      freed: {after: held, releases: {r: 1}}
      queued: {acquires: {r: 1}}
      each: {foreach: [1, 2, 3], at_once: 2, run: [echo, "${loop.item}"]}
      inner: {on: go}
      all: {after: [each, l], run: [echo, "${steps.each.result}"]}
      delayed: {on: late}
      worded: {on: j}
      bad: {recovery: {failure: rerun}}
    loops: {l: {over: "${param.l}", start: go}}
    """

  @Test("no statement of a run reads a whole table or index that grows", arguments: TestStore.all)
  func statements(kind: TestStore.Kind) async throws {
    let log = RecordingDriver.Log()
    try await withWorld(kind, driver: { RecordingDriver($0, log: log) }) { world in
      let version = try await world.register(Self.program)
      try await world.pool.run { try PastRuns.write(program: version.key, $0) }
      let tasks = try await world.count("ev_task")
      #expect(tasks == PastRuns.runs * PastRuns.tasksPerRun)
      try await Self.work(in: world, version)
      let statements = log.all.filter { !$0.text.hasPrefix("SELECT COUNT(*)") && $0.text.contains("ev_") }
      #expect(statements.count > 80, "the work does what it is meant to")
      try await Self.expectBounded(statements, in: world)
      // What lists runs reads them from the newest on, and stops at its limit.
      for sql in statements where sql.text.contains("ORDER BY r.run_key DESC") {
        let explanation = try await world.pool.run { try Explanation(of: sql, $0, growing: []).described }
        #expect(!explanation.text.contains("TEMP B-TREE"), "\(sql.text)\n\(explanation.text)")
        #expect(!explanation.text.contains("Seq Scan on ev_run"), "\(sql.text)\n\(explanation.text)")
        #expect(!explanation.text.contains("filesort"), "\(sql.text)\n\(explanation.text)")
      }
      guard kind == .sqlite else { return }
      // Nobody analyzes a file that `run` made beside a program.
      try await world.pool.run { try $0.executeScript("DELETE FROM sqlite_stat1; ANALYZE sqlite_schema") }
      try await Self.expectBounded(statements, in: world)
    }
  }

  private static func expectBounded(
    _ statements: [SQL], in world: World, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    for sql in statements where !isExempt(sql.text) {
      let explanation = try await world.pool.run {
        try Explanation(of: sql, $0, growing: PastRuns.growing).described
      }
      #expect(explanation.faults.isEmpty, "\(sql.text)\n\(explanation.text)", sourceLocation: sourceLocation)
    }
  }

  @Test("the guard finds a statement that no index serves", arguments: TestStore.all)
  func guardFinds(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let version = try await world.register("steps: {a: {}}")
      try await world.pool.run { try PastRuns.write(program: version.key, $0) }
      let statements: [SQL] = [
        "SELECT t.no FROM ev_task t WHERE t.ended_at = \(5)", "SELECT MAX(h.token) FROM ev_history h",
        "UPDATE ev_event SET scope = 0 WHERE hosts = \("nowhere")",
        "SELECT r.id FROM ev_run r JOIN ev_loop l ON l.run_key = r.run_key WHERE l.message = \("x")",
      ]
      for sql in statements {
        let found = try await world.pool.run {
          try Explanation(of: sql, $0, growing: PastRuns.growing).described
        }
        #expect(!found.faults.isEmpty, "\(sql.text)\n\(found.text)")
      }
    }
  }

  /// Listing runs and looking for the newest walk ev_run by its key until they have enough.
  private static func isExempt(_ text: String) -> Bool {
    text.contains("ORDER BY r.run_key DESC LIMIT")
      || text == "SELECT id FROM ev_run ORDER BY run_key DESC LIMIT 1"
  }

  /// Everything that happens to a run often: agents' calls, and what people look at.
  private static func work(in world: World, _ version: ProgramVersion) async throws {
    let store = world.store
    let worker = try await world.worker()
    let other = try await world.worker("other")
    _ = try await store.register(store.program(named: "t", version: nil).1, by: "u")
    let run = try await world.submit(
      version, id: "live", parameters: ["l": .array([.integer(1), .integer(2)])])
    try await store.tend(run, by: worker.agent) { _ in false }
    let host = Worker(store: store, agent: other.agent, host: "here")
    let first = try await worker.claim(run, 3)
    let second = try await host.claim(run, 2)
    _ = try await store.renew(agent: worker.agent, lockFor: TimeSpan(seconds: 30))
    let holder = try #require(try await store.holders(of: run, otherThan: worker.agent).first)
    let adopted = try await store.adopt(
      holder.tasks, of: run, by: worker.agent, lockFor: TimeSpan(seconds: 30))
    #expect(adopted.count == second.count)
    _ = try await store.glance(at: run)
    _ = try await store.reasons(for: run, step: nil)
    for step in ["queued", "c", "delayed", "worded"] { _ = try await store.reasons(for: run, step: step) }
    _ = try await store.trigger("word", in: nil, of: run, by: "u")
    try await store.lose(
      first.prefix(1).map { HeldTask(run: run, number: $0.task.number, fence: $0.fence) }, of: run,
      because: "gone")
    try await worker.end(run, Array(first.dropFirst()) + adopted)
    try await finish(run, worker, world)
    try await store.pause(run, by: "u")
    try await store.resume(run, by: "u")
    try await world.execute("UPDATE ev_delay SET due_at = 1 WHERE due_at > \(PastRuns.end)")
    try await finish(run, worker, world)
    for isFull in [false, true] { _ = try await store.report(on: run, recovery: nil, allAttempts: isFull) }
    #expect(try await store.report(on: run, recovery: nil, allAttempts: false).run.status.isOver)
    var filter = OutputFilter()
    _ = try await store.outputs(of: run, filter)
    (filter.step, filter.sequence, filter.attempt) = ("b", "1", 1)
    _ = try await store.outputs(of: run, filter)
    _ = try await store.history(of: run)
    _ = try await store.runID(matching: "latest")
    _ = try await store.runID(matching: "liv")
    _ = try await store.program(of: run)
    var rerun = ReplayRequest(kind: .rerun)
    rerun.steps = ["each"]
    for request in [ReplayRequest(kind: .recover), rerun] {
      _ = try await store.plan(request, of: run, by: "u")
      _ = try await store.replay(request, of: run, by: "u")
      try await finish(run, worker, world)
      try await world.execute("UPDATE ev_delay SET due_at = 1 WHERE due_at > \(PastRuns.end)")
      try await finish(run, worker, world)
      if try await !store.report(on: run, recovery: 0, allAttempts: false).run.status.isOver { break }
    }
    let cancelled = try await world.submit(version, id: "cancelled", parameters: ["l": .array([])])
    let held = try await worker.claim(cancelled, 2)
    try await store.mark(.init(step: "queued", sequence: "1", status: .success, by: "u"), of: cancelled)
    try await store.cancel(cancelled, by: "u")
    try await worker.end(cancelled, held, as: .cancelled)
    let interrupted = try await world.submit(version, id: "interrupted", parameters: ["l": .array([])])
    _ = try await worker.claim(interrupted, 2)
    try await store.interrupt(interrupted, because: "gone")
    var list = RunFilter()
    _ = try await store.runs(list)
    list.program = "t"
    _ = try await store.runs(list)
    list.status = .running
    _ = try await store.runs(list)
    list.program = nil
    _ = try await store.runs(list)
    try await store.dismiss(agent: worker.agent)
  }

  /// Ends everything that can be ended; the first attempt of b and bad fail.
  private static func finish(_ run: String, _ worker: Worker, _ world: World) async throws {
    for _ in 0..<3 {
      try await worker.drain(run, slots: 2) { claim in
        let fails = claim.task.step == "bad" || claim.task.step == "b" && claim.task.attempt == 1
        var outcome = Outcome(fails ? .failure : .success)
        outcome.result = .string(claim.name)
        outcome.tail = .init(text: "x", totalBytes: 1)
        return outcome
      }
      try await world.execute("UPDATE ev_task SET due_at = 1 WHERE due_at > \(PastRuns.end)")
    }
  }
}

extension Explanation {
  var described: (text: String, faults: [String]) { (lines.joined(separator: "\n"), faults) }
}
