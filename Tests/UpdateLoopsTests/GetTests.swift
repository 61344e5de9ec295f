import Database
import TestSupport
import Testing
import UpdateLoops

@Suite("get: who is neglected longest")
struct GetTests {
  /// In the order in which they are due; times in seconds from now.
  private static let due: [World.Entry] = [
    .init(id: .integer(50), updated: nil, lock: -9000),  // locked longest ago
    .init(id: .integer(7), updated: nil, lock: -5000),  // as the next, and never updated
    .init(id: .integer(8), updated: -7000, lock: -5000),
    .init(id: .integer(3), updated: -20_000, lock: -5000 + 1000),
    .init(id: .integer(40), updated: -10, lock: -30),  // just updated, but brought forward
    .init(id: .integer(90), updated: nil, lock: nil),
    .init(id: .integer(1), updated: -90_000, lock: nil),
    .init(id: .integer(60), updated: -80_000, lock: nil),
    .init(id: .integer(2), updated: -4000, lock: nil),
  ]
  private static let notDue: [World.Entry] = [
    .init(id: .integer(10), updated: nil, lock: 5000),
    .init(id: .integer(11), updated: -500_000, lock: 6000),
    .init(id: .integer(12), updated: -100, lock: nil),
    .init(id: .integer(13), updated: 500, lock: nil),  // by a clock that went back
  ]

  @Test("expired locks by expiry, then never updated, then longest ago", arguments: TestStore.all)
  func order(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.put((Self.due + Self.notDue).shuffled())
      let whole = try await world.loop.get(100, dryRun: true)
      #expect(whole == Self.due.map(\.id))
      var taken: [LoopID] = []
      for limit in [1, 3, 2, 2, 100] {
        let batch = try await world.loop.get(limit)
        #expect(batch.count == min(limit, Self.due.count - taken.count))
        taken += batch
      }
      #expect(taken == Self.due.map(\.id))
      #expect(try await world.loop.get(100).isEmpty)
      for id in taken {
        let entry = try #require(await world.entry(id))
        #expect(isNear(entry.lock, 3600), "\(entry)")
      }
      for entry in Self.notDue {
        #expect(try await isNear(world.entry(entry.id)?.lock ?? 0, entry.lock ?? 0), "left as it was")
      }
    }
  }

  @Test("min_loop_time holds for ids without a lock alone", arguments: TestStore.all)
  func minLoopTime(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.put([
        .init(id: .integer(1), updated: -1000, lock: nil), .init(id: .integer(2), updated: -3000, lock: nil),
        .init(id: .integer(3), updated: -10, lock: -10), .init(id: .integer(4), updated: 0, lock: nil),
      ])
      #expect(try await world.loop.get(9, dryRun: true) == ids(3))
      #expect(try await world.loop.get(9, minLoopTime: .seconds(2000), dryRun: true) == ids(3, 2))
      #expect(try await world.loop.get(9, minLoopTime: .seconds(600), dryRun: true) == ids(3, 2, 1))
      #expect(try await world.loop.get(9, minLoopTime: .zero) == ids(3, 2, 1, 4))
    }
  }

  @Test(
    "a lock holds as long as was asked for, in whole seconds, and then comes first", arguments: TestStore.all)
  func locks(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.loop.add(ids(1...3))
      let first = try await world.loop.get(1, lockFor: .seconds(7200))
      #expect(try await isNear(world.entry(first[0])?.lock, 7200))
      let second = try await world.loop.get(1, lockFor: .seconds(7200))
      // Half a second is one.
      let third = try await world.loop.get(1, lockFor: .milliseconds(500))
      #expect(Set(first + second + third) == Set(ids(1...3)))
      var again: [LoopID] = []
      while again.isEmpty {
        try await Task.sleep(for: .milliseconds(100))
        again = try await world.loop.get(3)
      }
      #expect(again == third)
      try await world.loop.unlock(again)
      #expect(try await world.loop.get(3, lockFor: .seconds(90 * 365 * 86_400)) == third)
      #expect(try await world.entry(third[0])?.lock ?? 0 > 300_000_000)
    }
  }

  @Test("bad numbers are refused and lock nothing", arguments: TestStore.all)
  func refusals(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.loop.add(ids(1...3))
      let before = try await world.rows()
      await #expect(throws: LoopError.self) { try await world.loop.get(-1) }
      for lock in [Duration.zero, .seconds(-1), .nanoseconds(-1), .seconds(200 * 366 * 86_400)] {
        await #expect(throws: LoopError.self) { try await world.loop.get(1, lockFor: lock) }
      }
      await #expect(throws: LoopError.self) { try await world.loop.get(1, minLoopTime: .seconds(Int64.max)) }
      #expect(try await world.loop.get(0).isEmpty)
      #expect(try await world.rows() == before)
      let error = await #expect(throws: LoopError.self) { try await world.loop.get(2, lockFor: .zero) }
      #expect(error?.kind == .invalid)
      #expect(error?.description == "lock_for: it is not positive; lock ids for a second or more")
    }
  }

  @Test("more than one statement can name at once", arguments: TestStore.all)
  func large(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      #expect(try await world.loop.add(ids(0..<3000)) == 3000)
      let taken = try await world.loop.get(2500)
      #expect(Set(taken).count == 2500)
      #expect(try await world.loop.did(taken) == 2500)
      #expect(try await world.loop.get(2500).count == 500)
      #expect(try await world.loop.stats().locked == 500)
    }
  }

  @Test("did and get in one transaction", arguments: TestStore.all)
  func turn(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.loop.add(ids(1...5))
      let first = try await world.loop.turn(did: [], get: 3)
      #expect(first.count == 3)
      try await world.loop.remove([first[0]])
      let second = try await world.loop.turn(did: first, get: 3)
      #expect(Set(first + second) == Set(ids(1...5)))
      // What was removed while it was worked does not come back.
      #expect(try await world.entry(first[0]) == nil)
      #expect(try await isNear(world.entry(first[1])?.updated, 0))
      #expect(try await world.entry(first[1])?.lock == nil)
      #expect(try await world.loop.turn(did: second, get: 0).isEmpty)
      #expect(try await world.loop.stats().locked == 0)
      #expect(try await world.loop.turn(did: [], get: 3).isEmpty)
    }
  }
}
