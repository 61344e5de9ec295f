import Engine
import Model
import Storage
import TestSupport
import Testing

@Suite("Why a task is not running")
struct ReasonTests {
  @Test("every situation has its own code and names what is involved", arguments: TestStore.all)
  func codes(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start(
        """
        events: {e: {}, x: {}, y: {}, j: {when: x and y}, word: {external: true}}
        associations: [{event: e, to: [delayed], delay: 1h}]
        resources: {r: {capacity: 1, scope: cluster}}
        steps:
          a: {priority: 9, triggers: {success: x}}
          again: {priority: 8, retry: {attempts: 2, delay: 1h}}
          holder: {priority: 7, acquires: {r: 1}}
          short: {acquires: {r: 1}}
          delayed: {}
          slot: {priority: -1}
          joined: {on: j}
          asked: {on: word}
          b: {after: slot, triggers: {success: y}}
        """)
      func code(_ step: String) async throws -> WaitReason.Code? {
        try await world.store.reasons(for: run, step: step).first?.code
      }
      func message(_ step: String) async throws -> String {
        try await world.store.reasons(for: run, step: step).first?.message ?? ""
      }
      #expect(try await code("a") == .noDriver)
      let worker = try await world.worker()
      try await world.store.tend(run, by: worker.agent) { _ in false }
      #expect(try await code("a") == .ready)
      let claims = try await worker.claim(run, 3)
      #expect(claims.map(\.name) == ["a/1", "again/1", "holder/1"])
      try await worker.end(run, [claims[1]], as: .failure)
      try await worker.end(run, [claims[0]])
      _ = try await worker.claim(run, 0)
      #expect(try await code("a") == .ended)
      #expect(try await code("holder") == .running)
      #expect(try await code("again") == .retry)
      #expect(try await code("delayed") == .delayed)
      #expect(try await code("slot") == .slotsFull)
      #expect(try await message("slot").contains("holder/1"))
      #expect(try await code("joined") == .eventNotRaised)
      #expect(try await message("joined") == "waits for x and y, of which x has been raised")
      #expect(try await code("asked") == .eventNotRaised)
      #expect(
        try await world.store.reasons(for: run, step: "asked").first?.mend
          == "`coordinator trigger \(run) word`")
      let slot = try await worker.claim(run)
      #expect(slot.map(\.name) == ["slot/1"])
      #expect(try await code("short") == .resourceShort)
      #expect(try await message("short") == "resource r is short: 1 of 1 held by holder/1")
      #expect(
        try await refusal { _ = try await world.store.reasons(for: run, step: "slt") }.message.contains(
          "'slot'"))
      let all = try await world.store.reasons(for: run, step: nil)
      #expect(Set(all.map(\.step)) == ["again", "holder", "short", "delayed", "slot"])
      try await world.store.pause(run, by: "u")
      #expect(try await code("short") == .paused)
      try await world.store.resume(run, by: "u")
      try await world.store.dismiss(agent: worker.agent)
      try await worker.end(run, [claims[2]], as: .failure)
      #expect(try await code("joined") == .runStopped)
      try await worker.end(run, slot)
      #expect(try await code("joined") == .runOver)
      #expect(try await code("short") == .ended)
      try await world.expectSound()
    }
  }

  @Test("a submitted run waits for an agent on the host or group of the task", arguments: TestStore.all)
  func noAgent(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let version = try await world.register(
        "groups: {g: {hosts: [s1, s2]}}\nsteps: {a: {host: s9}, b: {group: g}}")
      let run = try await world.submit(version, isStandalone: false, isUnpinned: false)
      let reasons = try await world.store.reasons(for: run, step: nil)
      #expect(reasons.map(\.code) == [.noAgent, .noAgent])
      #expect(
        reasons.map(\.message) == ["waiting for an agent on s9", "waiting for an agent on a host of group g"])
      #expect(try await world.report(run).run.waitingFor == reasons.map(\.message))
    }
  }
}
