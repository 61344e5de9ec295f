import Database
import Engine
import Model
import Storage
import TestSupport
import Testing

@Suite("What people ask of a run")
struct ControlTests {
  @Test("a paused run starts nothing, records ends, and goes on when it is resumed", arguments: TestStore.all)
  func pause(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start("steps: {a: {}, b: {after: a}}")
      let worker = try await world.worker()
      let claims = try await worker.claim(run)
      try await world.store.pause(run, by: "u")
      try await world.store.pause(run, by: "u")
      try await worker.end(run, claims)
      #expect(try await worker.claim(run).isEmpty)
      #expect(try await world.store.glance(at: run).hasWork == false)
      #expect(try await world.store.reasons(for: run, step: nil).map(\.code) == [.paused])
      try await world.expectSound()
      try await world.store.resume(run, by: "u")
      #expect(try await worker.drain(run) == ["b/1"])
      #expect(try await refusal { try await world.store.pause(run, by: "u") }.kind == .conflict)
      try await world.expectSound()
    }
  }

  @Test("a cancelled run ends when what runs has ended", arguments: TestStore.all, [false, true])
  func cancel(kind: TestStore.Kind, isPaused: Bool) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(
        "events: {e: {}}\nassociations: [{event: e, to: [d], delay: 1h}]\nsteps: {a: {}, b: {}, c: {after: a}, d: {}}"
      )
      let worker = try await world.worker()
      let claims = try await worker.claim(run, 1)
      if isPaused { try await world.store.pause(run, by: "u") }
      try await world.store.cancel(run, by: "u")
      try await world.store.cancel(run, by: "u")
      try await world.expectSound()
      #expect(try await world.store.glance(at: run).stopsRunning == "cancelled by u")
      #expect(try await worker.claim(run).isEmpty)
      #expect(try await worker.end(run, claims, as: .cancelled).status == .cancelled)
      #expect(
        try await world.statuses(run) == ["a/1": .cancelled, "b/1": .cancelled, "d/1": .cancelled])
      try await world.expectSound()
    }
  }

  @Test("an event from outside comes once, and opens a run that ended well again", arguments: TestStore.all)
  func trigger(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start("events: {e: {external: true}}\nsteps: {a: {}, b: {on: e}}")
      let worker = try await world.worker()
      try await worker.drain(run)
      #expect(try await world.report(run).run.status == .success)
      #expect(try await world.store.trigger("e", in: nil, of: run, by: "u"))
      #expect(try await !world.store.trigger("e", in: "1", of: run, by: "u"))
      #expect(try await world.store.trigger("e", in: "2", of: run, by: "u"))
      #expect(try await worker.drain(run) == ["b/1", "b/2"])
      #expect(try await !world.store.trigger("e", in: nil, of: run, by: "u"))
      #expect(try await world.report(run).run.status == .success)
      #expect(
        try await refusal { _ = try await world.store.trigger("f", in: nil, of: run, by: "u") }.kind
          == .invalid)
      #expect(
        try await refusal { _ = try await world.store.trigger("e", in: "1/1", of: run, by: "u") }.kind
          == .invalid)
      try await world.expectSound()
    }
  }

  @Test("a task that has not started is ended by hand, with its name in the report", arguments: TestStore.all)
  func mark(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start("steps: {a: {}, b: {after: a}, c: {}}")
      let worker = try await world.worker()
      try await world.store.mark(.init(step: "a", sequence: "1", status: .success, by: "u: seen"), of: run)
      #expect(try await world.statuses(run) == ["a/1": .success, "b/1": .ready, "c/1": .ready])
      #expect(try await world.report(run).tasks[0].message == "marked as success by u: seen")
      let claims = try await worker.claim(run, 1)
      #expect(claims.map(\.name) == ["c/1"])
      let running = Replay.Mark(step: "c", sequence: "1", status: .success, by: "u")
      #expect(try await refusal { try await world.store.mark(running, of: run) }.kind == .conflict)
      let unknown = Replay.Mark(step: "c", sequence: "9", status: .success, by: "u")
      #expect(try await refusal { try await world.store.mark(unknown, of: run) }.kind == .notFound)
      try await world.store.mark(.init(step: "b", sequence: "1", status: .failure, by: "u"), of: run)
      try await world.expectSound()
      #expect(try await worker.end(run, claims).status == .failure)
      let history = try await world.store.history(of: run).filter { $0.entry.name == "b" }
      #expect(history.map(\.entry.to) == ["ready", "failure"], "and nothing in between")
      try await world.expectSound()
    }
  }

  @Test("a run whose agent is gone is ended, and what ran is given up", arguments: TestStore.all)
  func interrupt(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start("steps: {a: {}, b: {}, c: {after: a}}")
      let worker = try await world.worker()
      let claims = try await worker.claim(run, 1)
      try await world.store.interrupt(run, because: "the host is gone")
      #expect(try await world.statuses(run) == ["a/1": .cancelled, "b/1": .cancelled])
      #expect(try await world.report(run).run.status == .failure)
      #expect(try await worker.advance(run, ends: [claims[0].end()]).superseded == [claims[0].task.number])
      try await world.expectSound()
    }
  }

  @Test(
    "ends reported together with the failure that stops the run leave a sound history",
    arguments: TestStore.all)
  func togetherWithStop(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(
        """
        events: {e: {}, now: {}}
        associations: [{event: e, to: [d], delay: 1h}]
        steps: {good: {triggers: {success: now}}, bad: {}, d: {on: now}, next: {after: good}}
        """)
      let worker = try await world.worker()
      let claims = try await worker.claim(run)
      _ = try await worker.advance(
        run, ends: claims.map { $0.end($0.task.step == "bad" ? .failure : .success) })
      #expect(
        try await world.statuses(run)
          == ["good/1": .success, "bad/1": .failure, "d/1": .cancelled, "next/1": .cancelled])
      try await world.expectSound()
    }
  }

  @Test("a run that may take no longer fails, and stops what runs", arguments: TestStore.all)
  func timeout(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(
        "config: {timeout: 1h, queue_timeout: 30m}\nsteps: {a: {}, b: {after: a}}")
      let worker = try await world.worker()
      let claims = try await worker.claim(run)
      try await world.execute("UPDATE ev_run SET deadline_at = 1")
      #expect(try await worker.advance(run).stopsRunning == "the run exceeded its timeout of 1h")
      #expect(try await worker.end(run, claims, as: .cancelled).status == .failure)
      let queued = try await world.start(
        "config: {timeout: 1h, queue_timeout: 30m}\nsteps: {a: {}, b: {after: a}}")
      try await world.execute("UPDATE ev_run SET queue_deadline_at = 1 WHERE id = \(queued)")
      #expect(try await worker.claim(queued).isEmpty)
      #expect(try await world.report(queued).run.status == .failure)
      try await world.expectSound()
    }
  }

  @Test("delays mature when the database says so, and slices do what is due", arguments: TestStore.all)
  func delays(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(
        """
        events: {e: {}, f: {}}
        associations: [{event: e, to: [a, f], delay: 1h}]
        steps: {a: {}, b: {on: f}}
        """)
      let worker = try await world.worker()
      #expect(try await worker.drain(run).isEmpty)
      #expect(try await world.store.reasons(for: run, step: nil).map(\.code) == [.delayed, .delayed])
      try await world.execute("UPDATE ev_task SET due_at = 1")
      #expect(try await worker.drain(run) == ["a/1"])
      try await world.execute("UPDATE ev_delay SET due_at = 1")
      #expect(try await world.store.glance(at: run).nextDue == 0)
      #expect(try await worker.drain(run) == ["b/1"])
      #expect(try await world.report(run).run.status == .success)
      try await world.expectSound()
    }
  }
}
