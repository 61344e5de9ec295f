import TestSupport
import Testing
import UpdateLoops

@Suite("did, unlock, bump, add, remove")
struct MarkTests {
  @Test("did marks and unlocks, and adds what is new", arguments: TestStore.all)
  func did(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.put([
        .init(id: .integer(1), updated: nil, lock: 900), .init(id: .integer(2), updated: -5000, lock: -900),
        .init(id: .integer(3), updated: -5000, lock: 900),
      ])
      #expect(try await world.loop.did(ids(1, 2, 1)) == 2)
      #expect(try await world.loop.did(ids(9, 1, 8), autoAdd: false) == 1)
      #expect(try await world.rows().count == 3)
      #expect(try await world.loop.did(ids(9, 1, 8)) == 3)
      #expect(try await world.loop.did([]) == 0)
      for id in ids(1, 2, 8, 9) {
        let entry = try #require(await world.entry(id))
        #expect(isNear(entry.updated, 0) && entry.lock == nil, "\(entry)")
      }
      let other = try #require(await world.entry(.integer(3)))
      #expect(isNear(other.updated, -5000) && isNear(other.lock, 900), "\(other)")
    }
  }

  @Test("unlock takes the lock and leaves the update", arguments: TestStore.all)
  func unlock(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.put([
        .init(id: .integer(1), updated: -5000, lock: 900), .init(id: .integer(2), updated: nil, lock: nil),
      ])
      #expect(try await world.loop.unlock(ids(1, 2, 3), autoAdd: false) == 2)
      #expect(try await world.rows().count == 2)
      #expect(try await world.loop.unlock(ids(1, 2, 3)) == 3)
      let entry = try #require(await world.entry(.integer(1)))
      #expect(isNear(entry.updated, -5000) && entry.lock == nil, "\(entry)")
      #expect(try await world.entry(.integer(3)) == .init(id: .integer(3), updated: nil, lock: nil))
      #expect(try await world.loop.unlock([]) == 0)
    }
  }

  @Test("bump only ever brings lock_until nearer", arguments: TestStore.all)
  func bump(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.put([
        .init(id: .integer(1), updated: -50, lock: 9000), .init(id: .integer(2), updated: -50, lock: nil),
        .init(id: .integer(3), updated: -50, lock: -9000),
      ])
      // Later than the lock of 1, for the first time 2 is given one, and 3 is ahead already.
      #expect(try await world.loop.bump(ids(1, 2, 3), lockFor: .seconds(20_000)) == 1)
      #expect(try await isNear(world.entry(.integer(1))?.lock, 9000))
      #expect(try await isNear(world.entry(.integer(2))?.lock, 20_000))
      for _ in 0..<3 { _ = try await world.loop.bump(ids(2), lockFor: .seconds(30_000)) }
      #expect(try await isNear(world.entry(.integer(2))?.lock, 20_000), "it can't be put off")
      #expect(try await world.loop.bump(ids(1, 2, 3)) == 2)
      for id in ids(1, 2) { #expect(try await isNear(world.entry(id)?.lock, 0)) }
      #expect(try await isNear(world.entry(.integer(3))?.lock, -9000))
      #expect(try await world.loop.bump(ids(1), lockFor: .seconds(-600)) == 1)
      #expect(try await isNear(world.entry(.integer(1))?.lock, -600))
      // Longest expired first; an update a moment ago does not matter.
      #expect(try await world.loop.get(2) == ids(3, 1))
      #expect(try await world.loop.bump(ids(4, 5), lockFor: .seconds(600), autoAdd: false) == 0)
      #expect(try await world.loop.bump(ids(4, 5), lockFor: .seconds(600)) == 2)
      #expect(try await isNear(world.entry(.integer(5))?.lock, 600))
      #expect(try await world.entry(.integer(5))?.updated == nil)
      #expect(try await world.loop.bump([]) == 0)
      await #expect(throws: LoopError.self) {
        try await world.loop.bump(ids(1), lockFor: .seconds(-200 * 366 * 86_400))
      }
    }
  }

  @Test("add and remove count what changed", arguments: TestStore.all)
  func membership(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      #expect(try await world.loop.add(ids(1...100)) == 100)
      try await world.loop.did(ids(5))
      #expect(try await world.loop.add(ids(1...105)) == 5)
      #expect(try await world.loop.add(ids(1, 1, 200, 200)) == 1)
      #expect(try await isNear(world.entry(.integer(5))?.updated, 0), "left as it was")
      #expect(try await world.loop.add(ids(7, 300), updated: true) == 1)
      #expect(try await isNear(world.entry(.integer(300))?.updated, 0))
      #expect(try await world.entry(.integer(7))?.updated == nil)
      #expect(try await world.loop.add([]) == 0)
      #expect(try await world.loop.remove(ids(1...50)) == 50)
      #expect(try await world.loop.remove(ids(1, 60, 60)) == 1)
      #expect(try await world.loop.remove([]) == 0)
      #expect(try await world.rows().count == 106 - 51 + 1)
    }
  }

  @Test("a dry run says the same and writes nothing", arguments: TestStore.all)
  func dryRun(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.put([
        .init(id: .integer(1), updated: nil, lock: 900), .init(id: .integer(2), updated: -5000, lock: -900),
        .init(id: .integer(3), updated: -5000, lock: nil),
      ])
      let before = try await world.rows()
      let loop = world.loop
      #expect(try await loop.get(2, dryRun: true) == ids(2, 3))
      #expect(try await loop.did(ids(1, 7), dryRun: true) == 2)
      #expect(try await loop.did(ids(1, 7), autoAdd: false, dryRun: true) == 1)
      #expect(try await loop.unlock(ids(1, 7), dryRun: true) == 2)
      #expect(try await loop.bump(ids(1, 2, 7), dryRun: true) == 2)
      #expect(try await loop.add(ids(1, 7, 8), dryRun: true) == 2)
      #expect(try await loop.add(ids(1, 7, 8), updated: true, dryRun: true) == 2)
      #expect(try await loop.remove(ids(1, 2, 9), dryRun: true) == 2)
      #expect(try await loop.drop(dryRun: true) == 3)
      #expect(try await world.rows() == before)
      // And so it is when it is meant.
      #expect(try await loop.get(2) == ids(2, 3))
      #expect(try await loop.add(ids(1, 7, 8)) == 2)
      #expect(try await loop.remove(ids(1, 2, 9)) == 2)
    }
  }
}
