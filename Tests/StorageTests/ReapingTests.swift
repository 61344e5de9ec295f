import Database
import Engine
import Model
import Storage
import TestSupport
import Testing

@Suite("Locks that have expired")
struct ReapingTests {
  /// A run whose task `s` of a group and `k` of a host are held under locks that have expired.
  private func expired(
    _ world: World, _ body: (String, Worker, [Claim]) async throws -> Void
  ) async throws {
    let program = try await world.register(
      "groups: {g: {hosts: [s1, s2]}}\nsteps: {s: {group: g}, k: {host: s1}}")
    let run = try await world.submit(program, isStandalone: false, isUnpinned: false)
    let worker = try await world.worker(host: "s1")
    let claims = try await worker.claim(run)
    try #require(claims.count == 2)
    try await world.execute("UPDATE ev_task SET lock_until = 1000 WHERE holder IS NOT NULL")
    try await body(run, worker, claims)
  }

  @Test("are given up, except those that are kept for their host", arguments: TestStore.all)
  func givenUp(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      try await expired(world) { run, worker, claims in
        let seen = try await world.store.expiredLocks()
        let group = try #require(claims.first { $0.task.step == "s" })
        #expect(
          seen.locks.map(\.task) == [HeldTask(run: run, number: group.task.number, fence: group.fence)])
        #expect(seen.locks.map(\.length) == [TimeSpan(seconds: 30)])
        let held = try await world.store.heldTasks(of: [run, "another"])
        #expect(Set(held.map(\.number)) == Set(claims.map(\.task.number)))
        let locks = seen.locks.map { (lock: $0, within: TimeSpan(seconds: 60)) }
        #expect(try await world.store.reap(locks, seen: seen.seen) == 1)
        #expect(try await world.store.heldTasks(of: [run]).count == 1)
        // What was recorded for the former fence comes too late.
        let late = try await worker.end(run, [group])
        #expect(late.superseded == [group.task.number])
        #expect(try await world.store.reap(locks, seen: seen.seen) == 0)
        try await world.expectSound()
      }
    }
  }

  @Test("are not given up by a transaction that is carried out too late", arguments: TestStore.all)
  func tooLate(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      try await expired(world) { run, _, _ in
        let seen = try await world.store.expiredLocks()
        let old = Timestamp(microseconds: seen.seen.microseconds - 10_000_000)
        let locks = seen.locks.map { (lock: $0, within: TimeSpan(seconds: 5)) }
        #expect(try await world.store.reap(locks, seen: old) == 0)
        #expect(try await world.store.heldTasks(of: [run]).count == 2)
      }
    }
  }

  @Test("are not given up if they were renewed since they were looked at", arguments: TestStore.all)
  func renewed(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      try await expired(world) { run, worker, _ in
        let seen = try await world.store.expiredLocks()
        _ = try await world.store.renew(agent: worker.agent, lockFor: TimeSpan(seconds: 30))
        let locks = seen.locks.map { (lock: $0, within: TimeSpan(seconds: 60)) }
        #expect(try await world.store.reap(locks, seen: seen.seen) == 0)
        #expect(try await world.store.heldTasks(of: [run]).count == 2)
      }
    }
  }

  @Test("a task that was not even started is given back whatever its on_lost is", arguments: TestStore.all)
  func unstarted(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start("steps: {s: {on_lost: fail}}")
      let worker = try await world.worker()
      let first = try #require(try await worker.claim(run).first)
      let task = HeldTask(run: run, number: first.task.number, fence: first.fence)
      try await world.store.yield([task], because: "not started", unstarted: true)
      let second = try #require(try await worker.claim(run).first)
      #expect(second.fence > first.fence)
      let again = HeldTask(run: run, number: second.task.number, fence: second.fence)
      try await world.store.yield([again], because: "drained", unstarted: false)
      #expect(try await world.statuses(run)["s/1"] == .failure)
    }
  }
}
