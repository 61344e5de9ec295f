import Database
import Engine
import Model
import Storage
import Synchronization
import TestSupport
import Testing

@Suite("Claims, locks and fences (rule 7)")
struct ClaimTests {
  @Test("a taken task is locked, has the next fence, and nobody else gets it", arguments: TestStore.all)
  func claims(kind: TestStore.Kind) async throws {
    try await withWorld(kind, stores: 2) { world in
      let run = try await world.start("steps: {a: {}, b: {}, c: {}}")
      let (one, two) = (try await world.worker("one"), try await world.worker("two", on: 1))
      let first = try await one.claim(run, 2)
      #expect(first.map(\.name) == ["a/1", "b/1"] && first.map(\.fence) == [1, 1])
      #expect(try await two.claim(run).map(\.name) == ["c/1"])
      #expect(try await one.claim(run).isEmpty)
      #expect(try await world.store.glance(at: run).hasWork == false)
      try await one.end(run, first)
      let advance = try await two.advance(run)
      #expect(advance.active == 1 && advance.status == .running)
      try await world.expectSound()
    }
  }

  @Test("higher priority first, then age; only tasks of the agent's host", arguments: TestStore.all)
  func order(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(
        "groups: {g: {hosts: [s1, s2]}}\n"
          + "steps: {a: {host: s1}, b: {host: s1, priority: 5}, c: {host: s2}, d: {group: g, priority: -1}}",
        isUnpinned: false)
      let worker = try await world.worker(host: "s1")
      #expect(try await worker.claim(run).map(\.name) == ["b/1", "a/1", "d/1"])
      #expect(try await world.worker("two", host: "s2").claim(run).map(\.name) == ["c/1"])
    }
  }

  @Test("two stores and four takers race over 500 tasks: every task is taken once", arguments: TestStore.all)
  func race(kind: TestStore.Kind) async throws {
    try await withWorld(kind, stores: 2) { world in
      let run = try await world.start("steps: {s: {foreach: {from: 1, to: 500}, at_once: 0}}")
      let taken = try await withThrowingTaskGroup(of: [String].self) { group in
        for index in 0..<4 {
          group.addTask {
            let worker = try await world.worker("w\(index)", on: index % 2)
            var taken: [String] = []
            var ends: [TaskEnd] = []
            while true {
              let advance = try await worker.advance(run, ends: ends, slots: 7)
              #expect(advance.superseded.isEmpty)
              taken += advance.claims.map(\.name)
              ends = advance.claims.map { $0.end() }
              if advance.status.isOver { return taken }
            }
          }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      #expect(taken.count == 500 && Set(taken).count == 500)
      let report = try await world.report(run)
      #expect(
        report.run.status == .success && report.tasks.allSatisfy { $0.status == .success && $0.attempt == 1 })
      try await world.expectSound()
    }
  }

  @Test(
    "the operands of a join end at the same instant, 200 times: it comes exactly once",
    arguments: TestStore.all)
  func joins(kind: TestStore.Kind) async throws {
    try await withWorld(kind, stores: 2) { world in
      let rounds = 200
      let run = try await world.start(
        """
        events: {go: {}, a: {}, b: {}, both: {when: a and b}}
        steps: {x: {on: go, triggers: {success: a}}, y: {on: go, triggers: {success: b}}, z: {on: both}}
        loops: {l: {over: {from: 1, to: \(rounds)}, max_concurrent: 0, start: go}}
        """)
      let (one, two) = (try await world.worker("one"), try await world.worker("two", on: 1))
      var left: [Sequence: Claim] = [:]
      var right: [Sequence: Claim] = [:]
      for _ in 0..<rounds {
        for claim in try await one.claim(run, 1) + two.claim(run, 1) {
          // Each worker can end only what it holds: whoever took x ends it against the other's y.
          if claim.task.step == "x" {
            left[claim.task.sequence] = claim
          } else {
            right[claim.task.sequence] = claim
          }
        }
      }
      #expect(left.count == rounds && right.count == rounds)
      for (sequence, x) in left {
        let y = try #require(right[sequence])
        async let first = one.advance(run, ends: [x.end()])
        async let second = two.advance(run, ends: [y.end()])
        let superseded = try await (first.superseded, second.superseded)
        #expect(superseded.0.isEmpty && superseded.1.isEmpty)
      }
      #expect(try await world.count("ev_event", where: "event = 'both'") == rounds)
      #expect(try await world.count("ev_task", where: "step = 'z'") == rounds)
      try await one.drain(run)
      #expect(try await world.report(run).run.status == .success)
      try await world.expectSound()
    }
  }

  @Test("two runs, two stores, at the same instant: neither disturbs the other", arguments: TestStore.all)
  func sideBySide(kind: TestStore.Kind) async throws {
    try await withWorld(kind, stores: 2) { world in
      let version = try await world.register(
        "steps: {a: {}, b: {after: a}, s: {after: b, foreach: {from: 1, to: 20}}}")
      let runs = [try await world.submit(version), try await world.submit(version)]
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (index, run) in runs.enumerated() {
          group.addTask {
            let taken = try await world.worker("w\(index)", on: index).drain(run)
            #expect(taken.count == 22)
          }
        }
        try await group.waitForAll()
      }
      try await world.expectSound()
    }
  }

  @Test("a late agent with an old fence records nothing, and is told", arguments: TestStore.all)
  func lateAgent(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start("steps: {a: {}, b: {after: a}}")
      let (late, next) = (try await world.worker("late"), try await world.worker("next"))
      let old = try #require(try await late.claim(run).first)
      let held = HeldTask(run: run, number: old.task.number, fence: old.fence)
      try await world.store.lose([held], of: run, because: "its agent is gone")
      let new = try #require(try await next.claim(run).first)
      #expect(new.name == "a/1" && new.fence > old.fence && new.task.attempt == 2)
      #expect(try await late.advance(run, ends: [old.end(.failure)]).superseded == [old.task.number])
      #expect(try await world.statuses(run) == ["a/1": .running])
      #expect(
        try await late.advance(
          run, ends: [TaskEnd(number: old.task.number, fence: new.fence, outcome: Outcome(.failure))]
        ).superseded == [old.task.number])
      try await world.store.lose([held], of: run, because: "said twice")
      try await next.end(run, [new])
      #expect(try await next.advance(run, ends: [new.end(.failure)]).superseded == [new.task.number])
      #expect(try await world.statuses(run) == ["a/1": .success, "b/1": .ready])
      let attempts = try await world.report(run, allAttempts: true).tasks.filter { $0.step == "a" }
      #expect(attempts.map(\.attempt) == [1, 2] && attempts.map(\.superseded) == [true, false])
      try await world.expectSound()
    }
  }

  @Test("a lost task follows on_lost, max_lost times", arguments: TestStore.all)
  func lost(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(
        "config: {stop_on_failure: false}\nsteps: {a: {max_lost: 1}, b: {on_lost: fail}, c: {after: a}}")
      let worker = try await world.worker()
      for _ in 0..<2 {
        let held = try await worker.claim(run).map {
          HeldTask(run: run, number: $0.task.number, fence: $0.fence)
        }
        try await world.store.lose(held, of: run, because: "host s1 is gone")
      }
      let report = try await world.report(run)
      #expect(report.run.status == .failure)
      #expect(report.tasks.map(\.status) == [.failure, .failure])
      #expect(report.tasks[0].message == "host s1 is gone; lost 2 times, max_lost is 1")
      #expect(report.tasks[1].message == "host s1 is gone")
      try await world.expectSound()
    }
  }

  @Test("an agent that comes back adopts its tasks: same attempt, next fence", arguments: TestStore.all)
  func adopt(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start("steps: {a: {}, b: {}}")
      let (old, new) = (try await world.worker("old"), try await world.worker("new"))
      let claims = try await old.claim(run)
      let holders = try await world.store.holders(of: run, otherThan: new.agent)
      #expect(holders.map(\.agent) == [old.agent] && holders[0].tasks.count == 2 && !holders[0].isExpired)
      #expect(try await world.store.holders(of: run, otherThan: old.agent).isEmpty)
      let adopted = try await world.store.adopt(
        holders[0].tasks, of: run, by: new.agent, lockFor: TimeSpan(seconds: 30))
      #expect(adopted.map(\.name) == ["a/1", "b/1"] && adopted.map(\.fence) == [2, 2])
      #expect(adopted.map(\.task.attempt) == [1, 1])
      #expect(
        try await world.store.adopt(holders[0].tasks, of: run, by: old.agent, lockFor: TimeSpan(seconds: 30))
          .isEmpty)
      #expect(try await old.advance(run, ends: claims.map { $0.end() }).superseded.count == 2)
      try await new.end(run, adopted)
      #expect(try await world.report(run).run.status == .success)
      try await world.expectSound()
    }
  }

  @Test("renewing keeps the locks of one agent and says which they are", arguments: TestStore.all)
  func renew(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start("steps: {a: {}, b: {}}")
      let (one, two) = (try await world.worker("one"), try await world.worker("two"))
      let mine = try await one.claim(run, 1)
      let other = try await two.claim(run, 1)
      try await world.execute("UPDATE ev_task SET lock_until = 5")
      #expect(try await world.store.holders(of: run, otherThan: two.agent).allSatisfy(\.isExpired))
      let held = try await world.store.renew(agent: one.agent, lockFor: TimeSpan(seconds: 60))
      #expect(held == [HeldTask(run: run, number: mine[0].task.number, fence: 1)])
      #expect(try await world.store.holders(of: run, otherThan: two.agent).allSatisfy { !$0.isExpired })
      #expect(try await world.count("ev_task", where: "lock_until = 5") == 1)
      try await one.end(run, mine)
      #expect(try await world.store.renew(agent: one.agent, lockFor: TimeSpan(seconds: 60)).isEmpty)
      try await two.end(run, other)
    }
  }

  @Test("one at a time tends a standalone run, until it is gone", arguments: TestStore.all)
  func tend(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start("steps: {a: {}}")
      let (one, two) = (try await world.worker("one"), try await world.worker("two"))
      try await world.store.tend(run, by: one.agent) { _ in false }
      try await world.store.tend(run, by: one.agent) { _ in false }
      #expect(
        try await refusal { try await world.store.tend(run, by: two.agent) { _ in false } }.kind == .conflict)
      try await world.store.tend(run, by: two.agent) { $0.instance == "one" }
      try await world.store.dismiss(agent: two.agent)
      try await world.store.tend(run, by: one.agent) { _ in false }
    }
  }

  @Test("retries wait their time, and every attempt stays readable", arguments: TestStore.all)
  func retries(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start("steps: {a: {retry: {attempts: 3, delay: 1h}}, b: {after: a}}")
      let worker = try await world.worker()
      for attempt in 1...2 {
        let claim = try #require(try await worker.claim(run).first)
        #expect(claim.task.attempt == attempt)
        var outcome = Outcome(.failure, message: "no \(attempt)")
        outcome.exitCode = 70 + attempt
        outcome.tail = .init(text: "output \(attempt)", totalBytes: 8)
        let advance = try await worker.advance(
          run, ends: [TaskEnd(number: claim.task.number, fence: claim.fence, outcome: outcome)], slots: 5)
        #expect(advance.claims.isEmpty)
        #expect((advance.nextDue ?? 0) > 3_500_000_000)
        // Its time has come.
        try await world.execute("UPDATE ev_task SET due_at = 1 WHERE due_at IS NOT NULL")
        #expect(try await world.store.glance(at: run).hasWork)
      }
      #expect(try await worker.drain(run) == ["a/1", "b/1"])
      let tasks = try await world.report(run, allAttempts: true).tasks
      #expect(tasks.map(\.attempt) == [1, 2, 3, 1])
      #expect(tasks.map(\.exitCode) == [71, 72, nil, nil])
      #expect(tasks.map(\.status) == [.failure, .failure, .success, .success])
      var filter = OutputFilter()
      (filter.step, filter.attempt) = ("a", 2)
      #expect(try await world.store.outputs(of: run, filter).map { $0.tail?.text } == ["output 2"])
      try await world.expectSound()
    }
  }

  @Test("a loop over the result of the step that starts it finds that result", arguments: TestStore.all)
  func loopOverResult(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(
        "steps: {a: {}, s: {after: a, foreach: \"${steps.a.result}\", run: [echo, \"${loop.item}\"]}, z: {after: s, run: [echo, \"${steps.s.result}\"]}}"
      )
      let worker = try await world.worker()
      let results = Mutex<[JSONValue?]>([])
      let taken = try await worker.drain(run) { claim in
        var outcome = Outcome(.success)
        if claim.task.step == "a" { outcome.result = .array([.string("x"), .integer(2)]) }
        if claim.task.step == "s" { outcome.result = claim.loop?.item }
        if claim.task.step == "z" { results.withLock { $0.append(claim.results["s"]) } }
        return outcome
      }
      #expect(taken == ["a/1", "s/1/1", "s/1/2", "z/1"])
      #expect(results.withLock(\.self) == [.array([.string("x"), .integer(2)])])
      try await world.expectSound()
    }
  }
}
