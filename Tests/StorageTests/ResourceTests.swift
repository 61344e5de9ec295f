import Database
import Engine
import Model
import Storage
import Synchronization
import TestSupport
import Testing

@Suite("Resources and limits (rule 12)")
struct ResourceTests {
  private let licensed = "resources: {license: {capacity: 2, scope: cluster}}\n"

  @Test(
    "three runs share a capacity of two: it is never exceeded, and everybody is served",
    arguments: TestStore.all)
  func shared(kind: TestStore.Kind) async throws {
    try await withWorld(kind, stores: 3) { world in
      let version = try await world.register(
        licensed + "steps: {s: {foreach: {from: 1, to: 8}, at_once: 0, acquires: {license: 1}}}")
      let held = HighWater()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for index in 0..<3 {
          let run = try await world.submit(version)
          group.addTask {
            let worker = try await world.worker("w\(index)", on: index)
            try await worker.store.tend(run, by: worker.agent) { _ in false }
            var taken: [String] = []
            var ends: [TaskEnd] = []
            while true {
              // Counted down before the end is recorded and up after the claim is: never more than the truth.
              held.add(-ends.count)
              let advance = try await worker.advance(run, ends: ends, slots: 8)
              held.add(advance.claims.count)
              taken += advance.claims.map(\.name)
              ends = advance.claims.map { $0.end() }
              if advance.status.isOver { break }
              if ends.isEmpty { try await Task.sleep(for: .milliseconds(2)) }
            }
            #expect(taken == (1...8).map { "s/1/\($0)" }, "in the order in which they queued")
          }
        }
        try await group.waitForAll()
      }
      #expect(held.most <= 2)
      #expect(try await world.count("ev_hold") == 0)
      #expect(try await world.count("ev_ticket") == 0)
      try await world.expectSound()
    }
  }

  @Test("a task that needs two resources holds none while one is short", arguments: TestStore.all)
  func allOrNothing(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(
        """
        resources: {a: {capacity: 1, scope: program}, b: {capacity: 1, scope: program}}
        steps: {x: {acquires: {a: 1}}, both: {acquires: {a: 1, b: 1}}, y: {acquires: {b: 1}}}
        """)
      let worker = try await world.worker()
      let claims = try await worker.claim(run)
      #expect(claims.map(\.name) == ["x/1", "y/1"])
      #expect(try await worker.claim(run).isEmpty)
      #expect(try await world.store.reasons(for: run, step: "both").map(\.code) == [.resourceShort])
      try await worker.end(run, [claims[1]])
      #expect(try await worker.claim(run).isEmpty)
      try await worker.end(run, [claims[0]])
      #expect(try await worker.drain(run) == ["both/1"])
      #expect(try await world.report(run).run.status == .success)
      #expect(try await world.count("ev_resource") == 0, "resources of one run go with it")
      try await world.expectSound()
    }
  }

  @Test("who came first is served first, and a smaller need does not overtake", arguments: TestStore.all)
  func inOrder(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(
        licensed
          + "steps: {one: {acquires: {license: 1}}, two: {acquires: {license: 2}}, three: {acquires: {license: 1}}}"
      )
      let worker = try await world.worker()
      let first = try await worker.claim(run)
      #expect(first.map(\.name) == ["one/1"])
      try await worker.end(run, first)
      let second = try await worker.claim(run)
      #expect(second.map(\.name) == ["two/1"])
      try await worker.end(run, second)
      #expect(try await worker.drain(run) == ["three/1"])
      try await world.expectSound()
    }
  }

  @Test("releases: {} keeps what was acquired until a later step gives it back", arguments: TestStore.all)
  func kept(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(
        licensed
          + """
          steps:
            take: {acquires: {license: 2}, releases: {}}
            use: {after: take}
            give: {after: use, releases: {license: 1}}
            last: {after: give}
          """)
      let other = try await world.submit(
        world.register(licensed + "steps: {s: {acquires: {license: 1}}}", named: "other"))
      let worker = try await world.worker()
      for name in ["take/1", "use/1"] {
        let claims = try await worker.claim(run)
        #expect(claims.map(\.name) == [name])
        try await worker.end(run, claims)
        #expect(try await worker.claim(other).isEmpty)
      }
      try await worker.end(run, worker.claim(run))
      #expect(try await world.rows("SELECT used FROM ev_resource").first?.integer(0) == 1)
      let claims = try await worker.claim(other)
      #expect(claims.map(\.name) == ["s/1"])
      try await world.expectSound()
      // The rest comes back with the end of the run that kept it.
      try await worker.end(run, worker.claim(run))
      #expect(try await world.report(run).run.status == .success)
      #expect(try await world.rows("SELECT used FROM ev_resource").first?.integer(0) == 1)
      try await worker.end(other, claims)
      #expect(try await world.rows("SELECT used FROM ev_resource").first?.integer(0) == 0)
      try await world.expectSound()
    }
  }

  @Test("what a lost or retried task held comes back", arguments: TestStore.all)
  func lost(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(
        licensed
          + "steps: {a: {acquires: {license: 2}, retry: {attempts: 3, delay: 1h}}, b: {acquires: {license: 2}}}"
      )
      let worker = try await world.worker()
      let first = try await worker.claim(run)
      #expect(first.map(\.name) == ["a/1"])
      try await world.store.lose(
        first.map { HeldTask(run: run, number: $0.task.number, fence: $0.fence) }, of: run, because: "gone")
      #expect(try await world.rows("SELECT used FROM ev_resource").first?.integer(0) == 0)
      try await world.expectSound()
      // b queued before a was ready again, but what was lost is first in line.
      let second = try await worker.claim(run)
      #expect(second.map(\.name) == ["a/1"])
      try await worker.end(run, second, as: .failure)
      #expect(try await world.rows("SELECT used FROM ev_resource").first?.integer(0) == 0)
      try await world.expectSound()
    }
  }

  @Test("max_concurrent bounds a run, and that of a group all runs of the program", arguments: TestStore.all)
  func limits(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let version = try await world.register(
        """
        config: {max_concurrent: 3}
        groups: {g: {hosts: [s1], max_concurrent: 2}}
        steps: {a: {group: g}, b: {group: g}, c: {}, d: {}}
        """)
      let (one, two) = (try await world.submit(version), try await world.submit(version))
      let worker = try await world.worker()
      let first = try await worker.claim(one)
      #expect(first.map(\.name) == ["a/1", "b/1", "c/1"])
      let reason = try #require(try await world.store.reasons(for: one, step: "d").first)
      #expect(reason.code == .limitReached && reason.message.contains("3 of 3"))
      let second = try await worker.claim(two)
      #expect(second.map(\.name) == ["c/1", "d/1"])
      #expect(try await world.store.reasons(for: two, step: "a").map(\.code) == [.limitReached])
      try await worker.end(one, first)
      try await worker.end(two, second)
      try await worker.drain(one)
      try await worker.drain(two)
      #expect(try await world.store.runs(RunFilter()).allSatisfy { $0.status == .success })
      #expect(try await world.count("ev_resource", where: "scope = 'run-limit'") == 0)
      try await world.expectSound()
    }
  }
}

/// A count over several tasks, and the most it has been.
private final class HighWater: Sendable {
  private let state = Mutex((now: 0, most: 0))

  var most: Int { state.withLock { $0.most } }

  func add(_ count: Int) {
    state.withLock { state in
      state.now += count
      state.most = max(state.most, state.now)
    }
  }
}
