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

  @Test("a paused run passes nothing, and all of it once it is resumed", arguments: TestStore.all)
  func paused(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(
        """
        steps:
          p: {run: [x]}
          gate: {after: [p]}
          each: {after: [p], foreach: {from: 1, to: 3}}
          z: {after: [gate, each]}
        """)
      let worker = try await world.worker()
      let first = try await advance(worker, run)
      try await world.store.pause(run, by: "tester")
      let second = try await advance(worker, run, ends: first.claims)
      #expect(second.passed.isEmpty && second.claims.isEmpty && second.status == .paused)
      #expect(try await advance(worker, run).passed.isEmpty)
      #expect(try await world.statuses(run)["gate/1"] == .ready)
      try await world.store.resume(run, by: "tester")
      let last = try await advance(worker, run)
      #expect(last.status == .success && last.passed.count == 5)
      try await world.expectSound()
    }
  }

  @Test(
    "a long loop of them goes on beside a backlog, of its own host or of one that is away",
    arguments: TestStore.all, ["s1", "s2"])
  func backlog(kind: TestStore.Kind, host: String) async throws {
    try await withWorld(kind) { world in
      let run = try await world.submit(
        world.register(
          """
          config: {default_host: s1}
          steps:
            p: {run: [x]}
            many: {host: \(host), run: [x], priority: -1, foreach: {from: 1, to: 600}, at_once: 0}
            l: {after: [p], foreach: {from: 1, to: 1200}}
            z: {after: [l], priority: 1, run: [x]}
          """), isStandalone: false, isUnpinned: false)
      let worker = try await world.worker("w", host: "s1")
      var ends: [Claim] = []
      var rounds = 0
      while try await world.statuses(run)["z/1"] == nil {
        rounds += 1
        try #require(rounds < 20, "z is not reached")
        ends = try await advance(worker, run, ends: ends, slots: 2, queues: ["h:s1"]).claims
      }
    }
  }

  @Test("resuming a run whose loop is to be opened further has somebody come by", arguments: TestStore.all)
  func resumed(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.submit(
        world.register(
          "config: {default_host: s1}\nsteps: {l: {run: [x], foreach: {from: 1, to: 3000}, at_once: 0}}"),
        isStandalone: false, isUnpinned: false)
      let worker = try await world.worker("w", host: "s1")
      var claims = try await advance(worker, run, slots: 500, queues: ["h:s1"]).claims
      try await world.store.pause(run, by: "tester")
      claims = try await advance(worker, run, ends: claims, slots: 0, queues: ["h:s1"]).claims
      #expect(try await world.count("ev_run", where: "wake_at IS NULL") == 1)
      try await world.store.resume(run, by: "tester")
      #expect(try await world.count("ev_run", where: "wake_at IS NOT NULL") == 1)
    }
  }

  @Test("a foreach over the results of one that was passed has as many iterations", arguments: TestStore.all)
  func resultsOfPassed(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(
        """
        steps:
          p: {run: [x]}
          a: {after: [p], foreach: [x, y, z]}
          b: {after: [a], foreach: "${steps.a.result}", at_once: 0}
        """)
      let worker = try await world.worker()
      let first = try await advance(worker, run)
      let last = try await advance(worker, run, ends: first.claims)
      #expect(last.status == .success)
      #expect(last.passed.map(\.name).filter { $0.hasPrefix("b/") }.sorted() == ["b/1/1", "b/1/2", "b/1/3"])
    }
  }

  @Test("the history tells of one entry with the token of its taking", arguments: TestStore.all)
  func history(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start("steps: {a: {}, b: {after: [a]}}")
      _ = try await advance(try await world.worker(), run)
      let entries = try await world.store.history(of: run, after: 0).records.map(\.entry)
        .filter { $0.subject == .task && $0.to == "success" }
      #expect(entries.map(\.name) == ["a", "b"] && entries.map(\.from) == ["ready", ""])
      #expect(entries.allSatisfy { $0.token == 1 && $0.actor == "here" })
    }
  }
}
