import TestSupport
import Testing

@testable import UpdateLoops

@Suite("check and stats")
struct AuditTests {
  private static let entries: [World.Entry] = [
    .init(id: .integer(-4), updated: -500, lock: nil), .init(id: .integer(5), updated: -90_000, lock: nil),
    .init(id: .integer(6), updated: nil, lock: nil), .init(id: .integer(7), updated: nil, lock: 4000),
    .init(id: .integer(8), updated: -200_000, lock: 8000),
    .init(id: .integer(9), updated: -40_000, lock: -1000),
    .init(id: .integer(10), updated: -300, lock: -2000), .init(id: .integer(11), updated: nil, lock: -3000),
  ]

  @Test("check tells seconds since the update and seconds still locked", arguments: TestStore.all)
  func check(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.put(Self.entries)
      let checks = try await world.loop.check(ids(8, 6, 99, 9, 8))
      #expect(checks.map(\.id) == ids(6, 8, 9))
      #expect(checks[0].sinceUpdated == nil && checks[0].lockedFor == nil)
      #expect(isNear(checks[1].sinceUpdated, 200_000) && isNear(checks[1].lockedFor, 8000))
      #expect(isNear(checks[2].sinceUpdated, 40_000) && isNear(checks[2].lockedFor, -1000))
      #expect(try await world.loop.check([]).isEmpty)
      #expect(try await world.loop.check(ids(1000..<2200)).isEmpty)
    }
  }

  @Test("stats are what doloop's are", arguments: TestStore.all)
  func stats(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.put(Self.entries)
      let stats = try await world.loop.stats()
      #expect(stats.bumped == 3)
      #expect(stats.locked == 2)
      #expect(stats.minID == .integer(-4))
      #expect(stats.maxID == .integer(11))
      #expect(isNear(stats.minBumpTime, 1000) && isNear(stats.maxBumpTime, 3000), "\(stats)")
      #expect(isNear(stats.minLockTime, 4000) && isNear(stats.maxLockTime, 8000), "\(stats)")
      #expect(isNear(stats.minUpdateTime, 300) && isNear(stats.maxUpdateTime, 200_000), "\(stats)")
    }
  }

  @Test("the stats of an empty loop are zero, without ids", arguments: TestStore.all)
  func empty(kind: TestStore.Kind) async throws {
    try await World.with(kind, type: "text(8)") { world in
      let stats = try await world.loop.stats()
      #expect(stats.minID == nil && stats.maxID == nil)
      #expect(
        [stats.bumped, stats.locked, stats.minBumpTime, stats.maxBumpTime, stats.minLockTime] == [
          0, 0, 0, 0, 0,
        ])
      #expect([stats.maxLockTime, stats.minUpdateTime, stats.maxUpdateTime] == [0, 0, 0])
      let full = try await world.loop.fullStats(thresholds: [.seconds(1)])
      #expect(full.all == 0 && full.neverUpdated == 0 && full.rate == nil && full.loopTime == nil)
      #expect(full.delayed == [.init(age: 1, count: 0)])
      // One id alone, locked: the ends are its own.
      try await world.put([.init(id: .text("z"), updated: nil, lock: 500)])
      let one = try await world.loop.stats()
      #expect(one.minID == .text("z") && one.maxID == .text("z"))
      #expect(isNear(one.minLockTime, 500) && one.maxLockTime == one.minLockTime && one.maxUpdateTime == 0)
    }
  }

  @Test(
    "full stats count all, those never updated and those delayed, and tell the time of a loop",
    arguments: TestStore.all)
  func full(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.put(Self.entries)
      let full = try await world.loop.fullStats(thresholds: [
        .seconds(86_400), .seconds(7 * 86_400), .seconds(36_000),
      ])
      #expect(full.all == 8)
      #expect(full.neverUpdated == 3)
      #expect(
        full.delayed == [
          .init(age: 86_400, count: 2), .init(age: 604_800, count: 0), .init(age: 36_000, count: 3),
        ])
      // Two in the last hour: eight take four hours.
      #expect(abs((full.rate ?? 0) * 3600 - 2) < 0.001)
      #expect(abs((full.loopTime ?? 0) - 4 * 3600) < 1)
    }
  }

  @Test("the rate is looked for further back, and all ids updated are one loop", arguments: TestStore.all)
  func rate(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.put([
        .init(id: .integer(1), updated: -40_000, lock: nil),
        .init(id: .integer(2), updated: -200_000, lock: nil),
      ])
      let day = try await world.loop.fullStats()
      #expect(abs((day.loopTime ?? 0) - 2 * 86_400) < 1)
      try await world.loop.did(ids(2))
      try await world.loop.did(ids(1))
      #expect(try await world.loop.fullStats().loopTime ?? 10_000 <= 120)
    }
  }
}
