import Database
import Drivers
import Engine
import Model
import Storage
import TestSupport
import Testing

@Suite("What an agent of the fleet sees and takes")
struct LookTests {
  private struct Seat {
    let agent: Int64
    let queues: AgentQueues
    let store: SQLStore
    var host = "s1"

    /// The same once it has learned of the queues there are now.
    func rejoined() async throws -> Seat {
      Seat(agent: agent, queues: try await store.joinQueues(agent: agent), store: store, host: host)
    }

    func look(_ limit: Int = 16, _ horizon: LookHorizon = LookHorizon()) async throws -> Look {
      try await store.look(agent: agent, queues: queues, limit: limit, horizon: horizon)
    }

    func advance(
      _ run: String, ends: [TaskEnd] = [], slots: Int, waits: Bool = true
    ) async throws -> Advance {
      try await store.advance(
        AdvanceRequest(
          run: run, agent: agent, ends: ends, slots: slots, lockFor: TimeSpan(seconds: 30), host: nil,
          queues: queues.names, localHost: host, waits: waits))
    }
  }

  private func seat(_ world: World, on index: Int = 0, _ name: String = "w", host: String = "s1") async throws
    -> Seat
  {
    let identity = AgentIdentity(
      host: host, instance: name, incarnation: "\(name)-\(index)", pid: 1, processStart: 2, bootID: "b",
      journal: "/j", version: "1", isEmbedded: false)
    let store = world.stores[index]
    let profile = AgentProfile(labels: [:], capacity: 4, lockFor: TimeSpan(seconds: 30))
    let agent = try await store.enlist(identity, as: profile) { _ in false }
    return Seat(agent: agent, queues: try await store.joinQueues(agent: agent), store: store, host: host)
  }

  private func submit(_ world: World, _ text: String, id: String) async throws -> String {
    try await world.submit(
      world.register("config: {default_host: s1}\n" + text), id: id, isStandalone: false, isUnpinned: false)
  }

  @Test(
    "a look shows tasks in the order of their urgency, over all runs, and no more than asked for",
    arguments: TestStore.all)
  func order(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let seat = try await seat(world)
      _ = try await submit(world, "steps: {a: {}, b: {}, c: {priority: 2}}", id: "one")
      _ = try await submit(world, "steps: {a: {}, b: {priority: 1}, z: {priority: -1}}", id: "two")
      let all = try await seat.look()
      #expect(all.candidates.map(\.run) == ["one", "two", "one", "two"])
      #expect(all.candidates.map(\.tasks) == [1, 1, 2, 2] && all.limit == 16)
      let some = try await seat.look(3)
      #expect(
        some.candidates.map(\.run) == ["one", "two", "one"] && some.candidates.map(\.tasks) == [1, 1, 1])
      #expect(try await seat.look(0).candidates.isEmpty)
    }
  }

  @Test(
    "the horizon never passes a task that is still there, and cuts off nothing but old ones",
    arguments: TestStore.all)
  func horizon(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let seat = try await seat(world)
      let run = try await submit(
        world, "steps: {a: {}, b: {}, up: {priority: 3}, low: {priority: -3}}", id: "r")
      let first = try await seat.look()
      let ready = try #require(first.horizon.ready)
      #expect(first.horizon.expired != nil)
      let oldest = try #require(try await world.rows("SELECT MIN(ready_at) FROM ev_task").first?.integer(0))
      #expect(ready <= oldest)
      #expect(try await seat.look(16, first.horizon).candidates.map(\.tasks) == [4])
      // As if a transaction had taken longer than that, or a clock had been put back.
      try await world.execute("UPDATE ev_task SET ready_at = \(ready - 30_000_001) WHERE step <> 'b'")
      let second = try await seat.look(16, first.horizon)
      #expect(second.candidates.map(\.tasks) == [3])
      let third = try await seat.look(16)
      #expect(third.candidates.map(\.tasks) == [4] && third.horizon.ready.map { $0 < ready } == true)
      // Where no task of the default priority was shown for others, it is not known how old those are; where none was to
      // be shown, nothing is known.
      #expect(try await seat.look(1).horizon.ready == nil)
      #expect(try await seat.look(0, first.horizon).horizon.ready == ready)
      _ = try await seat.advance(run, slots: 9)
      #expect(try await seat.look(16, first.horizon).candidates.isEmpty)
    }
  }

  @Test(
    "locks that expire after the horizon are seen, and it stays behind those that have",
    arguments: TestStore.all)
  func expired(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let seat = try await seat(world)
      let run = try await submit(world, "groups: {g: {hosts: [s1]}}\nsteps: {a: {group: g}}", id: "r")
      let joined = try await seat.rejoined()
      try #require(try await joined.advance(run, slots: 1).claims.count == 1)
      let horizon = try await joined.look().horizon
      #expect(try await joined.look(16, horizon).hasExpired == false)
      let now = try #require(horizon.expired)
      try await world.execute("UPDATE ev_task SET lock_until = \(now - 1_000_000)")
      let seen = try await joined.look(16, horizon)
      #expect(seen.hasExpired && seen.horizon.expired == now - 1_000_000)
    }
  }

  @Test(
    "agents are members of a group's queue as soon as it is made, before they have looked",
    arguments: TestStore.all)
  func membersAtOnce(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let first = try await seat(world)
      let others = [try await seat(world, host: "s2"), try await seat(world, host: "s3")]
      let run = try await submit(
        world,
        """
        groups: {g: {hosts: [s1, s2]}}
        steps: {a: {group: g, retry: {attempts: 3, delay: 0s, elsewhere: true}}}
        """, id: "r")
      let looked = try await first.rejoined()
      let claims = try await looked.advance(run, slots: 1).claims
      try #require(claims.count == 1)
      // The other host's agent has yet to look, and is where the next attempt goes nevertheless.
      let next = try await looked.advance(run, ends: claims.map { $0.end(.failure) }, slots: 1)
      #expect(next.claims.isEmpty)
      #expect(try await looked.advance(run, slots: 1).claims.isEmpty)
      #expect(try await world.statuses(run) == ["a/1": .ready])
      let members = try await world.rows("SELECT agent_key FROM ev_member WHERE queue LIKE 'g:%' ORDER BY 1")
      #expect(try members.map { try $0.integer(0) } == [first.agent, others[0].agent])
    }
  }

  @Test("a queue that came to nothing with its transaction is made by the next", arguments: TestStore.all)
  func queueMadeAgain(kind: TestStore.Kind) async throws {
    let crashes = CrashingDriver.Crashes()
    try await withWorld(kind, driver: { CrashingDriver($0, crashes) }) { world in
      let version = try await world.register(
        "groups: {g: {hosts: [s1]}}\nsteps: {a: {group: g}, b: {group: g}}")
      func submit() async throws {
        _ = try await world.submit(version, id: "r", isStandalone: false, isUnpinned: false)
      }
      crashes.plan()
      await #expect(throws: DatabaseError.self) { try await submit() }
      try await submit()
      #expect(try await world.count("ev_queue") == 1)
      let seat = try await seat(world)
      #expect(try await seat.look().candidates.map(\.tasks) == [2])
    }
  }

  @Test(
    "most looks go a little further back than what was seen, and one in some seconds far",
    arguments: TestStore.all)
  func margins(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let seat = try await seat(world)
      _ = try await submit(world, "steps: {a: {}}", id: "r")
      let first = try await seat.look().horizon
      #expect(first.widenedAt != nil)
      func look(widenedAgo: Duration?) async throws -> (tasks: [Int], horizon: LookHorizon) {
        var horizon = first
        horizon.widenedAt = widenedAgo.map { .now - $0 }
        let look = try await seat.look(16, horizon)
        return (look.candidates.map(\.tasks), look.horizon)
      }
      #expect(try await look(widenedAgo: .zero).tasks == [1])
      // As if the transaction that made it ready had taken so long.
      let ready = try #require(first.ready)
      try await world.execute("UPDATE ev_task SET ready_at = \(ready - 20_000_000)")
      let near = try await look(widenedAgo: .seconds(-60))
      #expect(near.tasks.isEmpty && near.horizon.ready.map { $0 >= ready } == true)
      for ago in [Duration.seconds(6), nil] {
        let far = try await look(widenedAgo: ago)
        #expect(far.tasks == [1] && far.horizon.ready == ready - 20_000_000)
        #expect(try #require(far.horizon.widenedAt) > #require(first.widenedAt))
      }
      try await world.execute("UPDATE ev_task SET ready_at = \(ready - 31_000_000)")
      #expect(try await look(widenedAgo: nil).tasks.isEmpty)
    }
  }

  @Test("a run that is stopped is shown to who holds tasks of it, paused or not", arguments: TestStore.all)
  func stopped(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let (seat, other) = (try await seat(world), try await seat(world, "other"))
      let runs = try await [
        submit(world, "steps: {a: {}}", id: "one"), submit(world, "steps: {a: {}}", id: "two"),
        submit(world, "steps: {a: {}}", id: "three"),
      ]
      for run in runs { try #require(try await seat.advance(run, slots: 1).claims.count == 1) }
      #expect(try await seat.look().stopped.isEmpty)
      try await world.store.pause("two", by: "tester@here")
      for run in ["one", "two"] { try await world.store.cancel(run, by: "tester@here") }
      #expect(try await seat.look().stopped.sorted() == ["one", "two"])
      #expect(try await other.look().stopped.isEmpty)
      // Whoever's lock has run out is not asked any more.
      try await world.execute("UPDATE ev_task SET lock_until = 5")
      let late = try await seat.look()
      #expect(late.stopped.isEmpty && late.hasExpired)
    }
  }

  @Test("whose output somebody follows is shown to who holds tasks of the run", arguments: TestStore.all)
  func followed(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let (seat, other) = (try await seat(world), try await seat(world, "other"))
      let run = try await submit(world, "steps: {a: {}, b: {}}", id: "r")
      _ = try await submit(world, "steps: {a: {}}", id: "s")
      _ = try await seat.advance(run, slots: 2)
      _ = try await seat.advance("s", slots: 1)
      #expect(try await seat.look().followed.isEmpty)
      try await world.store.follow(run)
      #expect(try await seat.look().followed == [run])
      #expect(try await other.look().followed.isEmpty)
      try await world.execute("UPDATE ev_follow SET until_at = 5")
      #expect(try await seat.look().followed.isEmpty)
    }
  }

  /// Beside a transaction that stays open the indexes keep an entry of everything that has ended since.
  @Test("a look on PostgreSQL begins with nothing that all that ever ran has left")
  func plan() async throws {
    let log = RecordingDriver.Log()
    try await withWorld(.postgresql, driver: { RecordingDriver($0, log: log) }) { world in
      let version = try await world.register("config: {default_host: s1}\nsteps: {a: {}, b: {after: [a]}}")
      try await world.pool.run { try PastRuns.write(program: version.key, $0) }
      let seat = try await seat(world)
      let run = try await world.submit(version, id: "r", isStandalone: false, isUnpinned: false)
      _ = try await seat.look(16, seat.look().horizon)
      _ = try await seat.advance(run, slots: 1)
      _ = try await seat.look(16, seat.look().horizon)
      let looks = log.all.filter { $0.text.hasPrefix("SELECT 0 AS kind") }
      // With a horizon, and without.
      #expect(looks.count == 2)
      // As new, and with the statistics of a store in which nothing goes on.
      for isAnalyzed in [false, true] {
        if isAnalyzed { try await world.pool.run { try $0.executeScript("ANALYZE") } }
        for sql in looks {
          let lines = try await world.pool.run { try Explanation.plan(of: sql, $0) }
          let text = lines.joined(separator: "\n")
          for (index, line) in lines.enumerated() where line.contains(/Scan.* on ev_(task|run)\b/) {
            let conditions = lines[(index + 1)...].prefix { !$0.contains("->") }.filter {
              $0.contains("Index Cond:")
            }
            let isFew = line.contains(" ev_run_waking ") || line.contains(" ev_run_stopped ")
            let isByRun = conditions.contains { $0.contains("run_key") }
            let isInQueue =
              line.contains(" ev_task_in_line ") && conditions.contains { $0.contains("queue =") }
            let isExpiring =
              line.contains(" ev_task_expiring ") && conditions.contains { $0.contains("lock_until >=") }
            #expect(isFew || isByRun || isInQueue || isExpiring, "\(line)\n\(text)")
          }
        }
      }
    }
  }

  @Test(
    "a heartbeat keeps what the last one kept and what was taken since, and goes no further back",
    arguments: TestStore.all)
  func beat(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let seat = try await seat(world)
      let run = try await submit(world, "steps: {a: {}, b: {}, c: {}}", id: "r")
      let length = TimeSpan(seconds: 30)
      _ = try await seat.advance(run, slots: 1)
      let first = try await world.store.beat(agent: seat.agent, lockFor: length, since: nil)
      #expect(first.held.count == 1)
      _ = try await seat.advance(run, slots: 2)
      try await world.execute("UPDATE ev_task SET lock_until = lock_until - 20000000 WHERE step <> 'c'")
      try await world.execute("UPDATE ev_task SET lock_until = \(first.at.microseconds - 1) WHERE step = 'c'")
      let second = try await world.store.beat(agent: seat.agent, lockFor: length, since: first.at)
      #expect(second.held.count == 2)
      // Looked for from the beginning it is found; so it is after the store's clock was put back.
      #expect(try await world.store.beat(agent: seat.agent, lockFor: length, since: nil).held.count == 3)
      try await world.execute("UPDATE ev_task SET lock_until = 5 WHERE step = 'c'")
      let ahead = Timestamp(microseconds: second.at.microseconds + 3_600_000_000)
      #expect(try await world.store.beat(agent: seat.agent, lockFor: length, since: ahead).held.count == 3)
      let least = try await world.rows("SELECT MIN(lock_until) FROM ev_task WHERE holder = \(seat.agent)")
      #expect(try #require(least.first).integer(0) >= second.at.microseconds + length.microseconds)
    }
  }

  @Test(
    "a run that was paused for long is seen again by those who looked meanwhile", arguments: TestStore.all)
  func resumed(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let seat = try await seat(world)
      let run = try await submit(world, "steps: {a: {}, b: {}}", id: "r")
      try await world.store.pause(run, by: "tester@here")
      // As if it had been paused an hour ago.
      try await world.execute("UPDATE ev_task SET ready_at = ready_at - 3600000000")
      let meanwhile = try await seat.look()
      #expect(meanwhile.candidates.isEmpty)
      try await world.store.resume(run, by: "tester@here")
      #expect(try await seat.look(16, meanwhile.horizon).candidates.map(\.tasks) == [2])
    }
  }

  @Test(
    "what was given back is first in line, also before what an end starts with a higher priority",
    arguments: TestStore.all)
  func givenBack(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let seat = try await seat(world)
      let run = try await submit(
        world, "steps: {a: {priority: 9}, t: {}, b: {after: [a], priority: 5}}", id: "r")
      let claims = try await seat.advance(run, slots: 2).claims
      #expect(claims.map(\.name) == ["a/1", "t/1"])
      let held = HeldTask(run: run, number: claims[1].task.number, fence: claims[1].fence)
      try await world.store.yield([held], because: "drained", unstarted: false)
      let next = try await seat.advance(run, ends: [TaskEnd(of: claims[0], Outcome(.success))], slots: 1)
      #expect(next.claims.map(\.name) == ["t/1"])
      try await world.expectSound()
    }
  }

  @Test("whoever does not wait is told that another transaction is at the run", arguments: TestStore.servers)
  func busy(kind: TestStore.Kind) async throws {
    try await withWorld(kind, stores: 2) { world in
      let seat = try await seat(world)
      let run = try await submit(world, "steps: {a: {}, b: {}}", id: "r")
      let other = Pool(url: world.pool.url, driver: Drivers.driver(for: world.pool.url), size: 1)
      try await other.run { session in
        try session.begin(.write)
        _ = try session.query("SELECT run_key FROM ev_run WHERE id = \(run) FOR UPDATE")
      }
      await #expect(throws: RunIsBusy.self) { try await seat.advance(run, slots: 1, waits: false) }
      try await other.run { $0.rollback() }
      await other.close()
      #expect(try await seat.advance(run, slots: 1, waits: false).claims.map(\.name) == ["a/1"])
      await #expect(throws: StoreError.self) { try await seat.advance("none", slots: 1, waits: false) }
    }
  }

  @Test("what an end starts is taken as it is made, and the history tells both", arguments: TestStore.all)
  func takenAsMade(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let seat = try await seat(world)
      let run = try await submit(
        world, "steps: {a: {}, b: {after: [a]}, c: {after: [a]}, d: {after: [c]}}", id: "r")
      let first = try await seat.advance(run, slots: 1).claims
      let next = try await seat.advance(run, ends: first.map { TaskEnd(of: $0, Outcome(.success)) }, slots: 1)
      #expect(next.claims.map(\.name) == ["b/1"] && next.claims.map(\.fence) == [1])
      #expect(next.claims.first?.task.host == "s1")
      let told = try await world.store.history(of: run).map(\.entry).filter { $0.name == "b" }
      #expect(told.map(\.to) == ["ready", "running"] && told.last?.token == 1)
      try await world.expectSound()
      // It holds a lock as any other does, and its end is recorded under its fence.
      #expect(try await world.store.heldTasks(of: [run]).count == 1)
      let last = try await seat.advance(
        run, ends: next.claims.map { TaskEnd(of: $0, Outcome(.success)) }, slots: 9)
      #expect(last.claims.map(\.name) == ["c/1"] && last.superseded.isEmpty)
      try await world.expectSound()
    }
  }

  @Test("what was ready before goes first, and a higher priority before that", arguments: TestStore.all)
  func takenInOrder(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let seat = try await seat(world)
      let run = try await submit(
        world,
        "steps: {a: {priority: 9}, old: {}, new: {after: [a]}, up: {after: [a], priority: 1}, s2: {after: [a], host: s2, priority: 5}}",
        id: "r")
      let first = try await seat.advance(run, slots: 1).claims
      #expect(first.map(\.name) == ["a/1"])
      let next = try await seat.advance(run, ends: first.map { TaskEnd(of: $0, Outcome(.success)) }, slots: 2)
      // That of another host stays.
      #expect(next.claims.map(\.name) == ["old/1", "up/1"] || next.claims.map(\.name) == ["up/1", "old/1"])
      let statuses = try await world.statuses(run)
      #expect(statuses["s2/1"] == .ready && statuses["new/1"] == .ready)
      try await world.expectSound()
    }
  }

  @Test("a long result is handed to every task that reads it", arguments: TestStore.all)
  func longResults(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(
        "steps: {a: {}, b: {after: [a], env: {R: '${steps.a.result}'}, run: [x]}, c: {after: [b], env: {R: '${steps.a.result}'}, run: [x]}}"
      )
      let worker = try await world.worker()
      let long = JSONValue.string(String(repeating: "né ", count: 4000))
      var seen: [JSONValue?] = []
      var claims = try await worker.claim(run)
      while let claim = claims.first {
        seen.append(claim.results["a"])
        var outcome = Outcome(.success)
        if claim.task.step == "a" { outcome.result = long }
        claims = try await worker.advance(run, ends: [TaskEnd(of: claim, outcome)], slots: 1).claims
      }
      #expect(seen == [nil, long, long])
    }
  }
}
