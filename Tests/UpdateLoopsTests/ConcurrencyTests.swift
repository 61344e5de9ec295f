import Database
import Foundation
import Synchronization
import TestSupport
import Testing
import UpdateLoops

@Suite("many workers at one loop")
struct ConcurrencyTests {
  /// A million in all tests would be long; `EVENTOR_TEST_LOOP_IDS=1000000` is what a loop is for.
  static var count: Int {
    ProcessInfo.processInfo.environment["EVENTOR_TEST_LOOP_IDS"].flatMap(Int.init) ?? 60_000
  }

  @Test(
    "16 getters of batches of 100 are never given the same id, and see no error", arguments: TestStore.all)
  func getters(kind: TestStore.Kind) async throws {
    let count = Self.count
    try await World.with(kind, connections: 16) { world in
      for start in stride(from: 0, to: count, by: 10_000) {
        try await world.loop.add(ids(start..<min(start + 10_000, count)))
      }
      let seen = HandedOut()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<16 {
          group.addTask {
            while true {
              let batch = try await world.loop.get(100)
              if batch.isEmpty { return }
              seen.note(batch)
            }
          }
        }
        try await group.waitForAll()
      }
      // One that found nothing may have come while others still held the last rows.
      var rest = try await world.loop.get(100)
      while !rest.isEmpty {
        seen.note(rest)
        rest = try await world.loop.get(100)
      }
      #expect(seen.counts.count == count)
      #expect(seen.counts.values.allSatisfy { $0 == 1 })
      #expect(try await world.loop.stats().locked == count)
    }
  }

  @Test(
    "getters, markers, bumpers and adders together: no error, and every id keeps one row",
    arguments: TestStore.all)
  func everything(kind: TestStore.Kind) async throws {
    try await World.with(kind, connections: 12) { world in
      try await world.loop.add(ids(0..<300))
      let loop = world.loop
      try await withThrowingTaskGroup(of: Void.self) { group in
        for worker in 0..<12 {
          group.addTask {
            for round in 0..<12 {
              let some = ids((0..<40).map { _ in Int.random(in: 0..<320) })
              switch worker % 4 {
              case 0: try await loop.did(loop.get(30, minLoopTime: .zero))
              case 1: _ = try await loop.turn(did: some, get: 30, lockFor: .seconds(1), minLoopTime: .zero)
              case 2: try await loop.bump(some, lockFor: .seconds(round - 6))
              default:
                try await loop.add(some)
                try await loop.unlock(some)
                try await loop.remove(ids(310 + round % 10))
              }
            }
          }
        }
        try await group.waitForAll()
      }
      let rows = try await world.rows()
      #expect(Set(rows.map { $0[0] }).count == rows.count)
      #expect(rows.count >= 300)
    }
  }

  @Test("a getter steps over what another transaction holds, and does not wait", arguments: TestStore.servers)
  func skips(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.loop.add(ids(1...20))
      let (isHeld, holder) = (AsyncStream<Void>.makeStream(), DispatchSemaphore(value: 0))
      let holding = Task {
        try await world.pool.transaction(.write) { session in
          try session.execute("UPDATE a_loop SET lock_until = NULL WHERE id <= 15")
          isHeld.continuation.yield()
          holder.wait()
        }
      }
      for await _ in isHeld.stream { break }
      // It would wait for ten seconds, and then throw.
      let taken = try await world.loop.get(10)
      #expect(taken.sorted() == ids(16...20))
      holder.signal()
      try await holding.value
      #expect(try await world.loop.get(20).sorted() == ids(1...15))
    }
  }
}

/// How often each id was handed out, by whomever.
final class HandedOut: Sendable {
  private let state = Mutex<[LoopID: Int]>([:])

  var counts: [LoopID: Int] { state.withLock { $0 } }

  func note(_ ids: [LoopID]) { state.withLock { counts in for id in ids { counts[id, default: 0] += 1 } } }
}
