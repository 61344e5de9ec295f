import Database
import Engine
import Model
import TestSupport
import Testing

@Suite("Steps without an action end where an agent comes by them")
struct PassingTests {
  private func advance(
    _ worker: Worker, _ run: String, ends: [Claim] = [], slots: Int = 8, queues: [String]? = nil
  ) async throws -> Advance {
    try await worker.store.advance(
      AdvanceRequest(
        run: run, agent: worker.agent, ends: ends.map { $0.end() }, slots: slots,
        lockFor: TimeSpan(seconds: 30), host: worker.host, queues: queues, localHost: worker.host ?? "here",
        passesEmptySteps: true))
  }

  /// Advances until the run is over, ending what is taken, and says what was passed, in order.
  private func work(_ worker: Worker, _ run: String, slots: Int) async throws -> [Advance] {
    var advances: [Advance] = []
    var ends: [Claim] = []
    while advances.last?.status.isOver != true {
      try #require(advances.count < 200, "the run does not end")
      advances.append(try await advance(worker, run, ends: ends, slots: slots))
      ends = advances.last?.claims ?? []
    }
    return advances
  }

  @Test("a run of them is over after one transaction, as if each had been taken", arguments: TestStore.all)
  func diamond(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(
        "steps: {a: {}, b: {after: [a]}, c: {after: [a]}, d: {after: [b, c]}}")
      let worker = try await world.worker()
      let advance = try await advance(worker, run)
      #expect(advance.status == .success && advance.claims.isEmpty && !advance.isUnfinished)
      #expect(advance.passed.map(\.name).sorted() == ["a/1", "b/1", "c/1", "d/1"])
      #expect(advance.passed.allSatisfy { $0.fence == 1 && $0.task.host == "here" })
      let rows = try await world.rows(
        """
        SELECT step, status, host, agent, fence, open, holder, lock_until, queue, started_at, ended_at, attempt
        FROM ev_task ORDER BY step
        """)
      for row in rows {
        #expect(try row.text(1) == "success" && row.text(2) == "here")
        #expect(try row.integer(3) == worker.agent && row.integer(4) == 1 && row.integer(11) == 1)
        for column in 5...8 { #expect(row[column] == .null) }
        #expect(try row.integer(9) == row.integer(10) && row.integer(9) > 0)
      }
      let begun = try #require(try await world.rows("SELECT started_at, ended_at FROM ev_run").first)
      #expect(try begun.integer(0) > 0 && begun.integer(1) >= begun.integer(0))
      try await world.expectSound()
    }
  }

  @Test("they take no place, and what lies behind them is found", arguments: TestStore.all)
  func places(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(
        """
        steps:
          e1: {priority: 2}
          e2: {priority: 2}
          e3: {priority: 1}
          p: {run: [x]}
          q: {run: [x], after: [e2]}
          z: {after: [p]}
        """)
      let worker = try await world.worker()
      let first = try await advance(worker, run, slots: 1)
      #expect(first.passed.map(\.name).sorted() == ["e1/1", "e2/1", "e3/1"])
      #expect(first.claims.map(\.name) == ["p/1"])
      let second = try await advance(worker, run, ends: first.claims, slots: 1)
      #expect(second.passed.map(\.name) == ["z/1"] && second.claims.map(\.name) == ["q/1"])
      let third = try await advance(worker, run, ends: second.claims, slots: 1)
      #expect(third.status == .success && third.passed.isEmpty)
      try await world.expectSound()
    }
  }

  @Test("nobody passes what is another host's, and a group's by a member", arguments: TestStore.all)
  func hosts(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(
        """
        groups: {g: {hosts: [s2, s3]}}
        steps:
          a: {host: s1}
          b: {group: g, after: [a]}
          c: {host: s1, after: [b]}
        """, isUnpinned: false)
      let one = try await world.worker("one", host: "s1")
      let two = try await world.worker("two", host: "s2")
      #expect(try await advance(two, run).passed.isEmpty)
      #expect(try await advance(one, run).passed.map(\.name) == ["a/1"])
      #expect(try await advance(one, run).passed.isEmpty)
      let second = try await advance(two, run)
      #expect(second.passed.map(\.name) == ["b/1"] && second.passed.first?.task.host == "s2")
      #expect(try await world.statuses(run) == ["a/1": .success, "b/1": .success, "c/1": .ready])
      let last = try await advance(one, run)
      #expect(last.status == .success && last.passed.map(\.name) == ["c/1"])
      try await world.expectSound()
    }
  }

  @Test("what holds something is taken, as are all if a limit counts them", arguments: TestStore.all)
  func demands(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let worker = try await world.worker()
      for text in [
        "resources: {r: {capacity: 1, scope: program}}\nsteps: {a: {acquires: {r: 1}}, b: {after: [a]}}",
        "config: {max_concurrent: 1}\nsteps: {a: {}, b: {after: [a]}}",
      ] {
        let run = try await world.start(text)
        let first = try await advance(worker, run)
        #expect(first.passed.isEmpty && first.claims.map(\.name) == ["a/1"])
        let second = try await advance(worker, run, ends: first.claims)
        #expect(second.passed.isEmpty && second.claims.map(\.name) == ["b/1"])
        #expect(try await advance(worker, run, ends: second.claims).status == .success)
      }
      try await world.expectSound()
    }
  }

  @Test("neither a drained host nor an agent without a free place passes any", arguments: TestStore.all)
  func drained(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.submit(
        world.register("config: {default_host: s1}\nsteps: {a: {}, b: {after: [a]}}"), isStandalone: false,
        isUnpinned: false)
      let worker = try await world.worker("w", host: "s1")
      try await world.store.drain("s1", reason: "r", within: nil, by: "tester")
      #expect(try await advance(worker, run, queues: ["h:s1"]).passed.isEmpty)
      _ = try await world.store.undrain("s1")
      #expect(try await advance(worker, run, slots: 0, queues: ["h:s1"]).passed.isEmpty)
      let last = try await advance(worker, run, queues: ["h:s1"])
      #expect(last.status == .success && last.passed.count == 2)
      try await world.expectSound()
    }
  }

  @Test(
    "of many a part is passed in each transaction, none twice, wide or in a loop",
    arguments: TestStore.all,
    [
      "steps: {" + (1...1200).map { "s\($0): {}" }.joined(separator: ", ") + "}",
      "steps: {s: {foreach: {from: 1, to: 1200}, at_once: 0}}",
      "steps: {s: {foreach: {from: 1, to: 1200}, at_once: 1}}",
      "steps: {s1: {}" + (2...1200).map { ", s\($0): {after: [s\($0 - 1)]}" }.joined() + "}",
    ])
  func many(kind: TestStore.Kind, text: String) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(text)
      let advances = try await work(try await world.worker(), run, slots: 16)
      let names = advances.flatMap { $0.passed.map(\.name) } + advances.flatMap { $0.claims.map(\.name) }
      #expect(names.count == 1200 && Set(names).count == 1200)
      #expect(advances.count > 2 && advances.allSatisfy { $0.passed.count <= 2 * Transition.passesAtOnce })
      #expect(advances.first?.isUnfinished == true && advances.last?.isUnfinished == false)
      #expect(advances.last?.status == .success)
      try await world.expectSound()
    }
  }

  @Test("a run that was cancelled passes nothing more", arguments: TestStore.all)
  func cancelled(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start("steps: {p: {run: [x]}, a: {after: [p]}, b: {}}")
      let worker = try await world.worker()
      let first = try await advance(worker, run)
      #expect(first.passed.map(\.name) == ["b/1"] && first.claims.map(\.name) == ["p/1"])
      _ = try await world.store.cancel(run, by: "tester")
      let last = try await advance(worker, run, ends: first.claims)
      #expect(last.passed.isEmpty && last.status == .cancelled)
      #expect(try await world.statuses(run)["a/1"] != .success)
      try await world.expectSound()
    }
  }

  @Test("a recovery passes those that run again, and repeats the others", arguments: TestStore.all)
  func recovery(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start("steps: {a: {}, p: {run: [x], after: [a]}, z: {after: [p]}}")
      let worker = try await world.worker()
      let first = try await advance(worker, run)
      try await worker.end(run, first.claims, as: .failure)
      _ = try await world.store.replay(ReplayRequest(kind: .recover), of: run, by: "tester")
      let second = try await advance(worker, run)
      #expect(second.passed.isEmpty && second.claims.map(\.name) == ["p/1"])
      let last = try await advance(worker, run, ends: second.claims)
      #expect(last.passed.map(\.name) == ["z/1"] && last.status == .success)
      try await world.expectSound()
    }
  }
}
