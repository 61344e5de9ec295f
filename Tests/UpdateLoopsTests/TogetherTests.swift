import Database
import Dispatch
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import UpdateLoops

@Suite("workers that take their turns together")
struct TogetherTests {
  @Test("eight workers at once work every id once, and mark each", arguments: TestStore.all)
  func crew(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.loop.add(ids(1...205))
      let seen = HandedOut()
      let numbers = Mutex<Set<Int>>([])
      let crew = LoopCrew(8, at: world.loop, .init(batch: 5)) { number, batch in
        seen.note(batch)
        numbers.withLock { _ = $0.insert(number) }
        try await Task.sleep(for: .milliseconds(2))
        return true
      }
      let tally = try await crew.run()
      #expect(tally.updated == 205 && tally.batches >= 41 && tally.failedBatches == 0, "\(tally)")
      #expect(seen.counts == Dictionary(uniqueKeysWithValues: ids(1...205).map { ($0, 1) }))
      #expect(numbers.withLock { $0.isSubset(of: Set(0..<8)) && $0.count > 1 })
      #expect(try await world.loop.stats().locked == 0)
      #expect(try await world.loop.fullStats().neverUpdated == 0)
    }
  }

  /// Holds the row of id 1, so that a turn that marks it waits, until it is told to let go.
  private struct Holder {
    let isReleased = DispatchSemaphore(value: 0)
    let task: Task<Void, any Error>

    init(_ world: World) async {
      let (held, isHeld) = AsyncStream<Void>.makeStream()
      task = Task { [isReleased] in
        try await world.pool.transaction(.write) { session in
          try session.execute("UPDATE a_loop SET lock_until = NULL WHERE id = 1")
          isHeld.yield()
          isHeld.finish()
          isReleased.wait()
        }
      }
      for await _ in held {}
    }

    func release() async throws {
      isReleased.signal()
      try await task.value
    }
  }

  @Test("what gathers while a turn is under way is done by one transaction", arguments: TestStore.servers)
  func gathering(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.put((1...40).map { .init(id: .integer($0), updated: -9000) })
      let turns = SharedTurns(world.loop)
      let holder = await Holder(world)
      defer { holder.isReleased.signal() }
      async let first = turns.turn(did: ids(1), get: 2)
      try await eventually { await turns.isBusy }
      let others = (0..<6).map { _ in Task { try await turns.turn(did: [], get: 3) } }
      try await eventually { await turns.gathered == 6 }
      try await holder.release()
      var all = try await first
      #expect(all.count == 2)
      for other in others {
        let batch = try await other.value
        #expect(batch.count == 3)
        all += batch
      }
      #expect(Set(all).count == 20)
      #expect(await turns.transactions == 2)
      #expect(try await world.entry(.integer(1))?.updated.map { $0 > -120 } == true)
      #expect(try await world.loop.stats().locked == 20)
    }
  }

  @Test("a turn that is cancelled takes none of the others with it", arguments: TestStore.servers)
  func cancelled(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.loop.add(ids(1...20))
      let turns = SharedTurns(world.loop)
      let holder = await Holder(world)
      defer { holder.isReleased.signal() }
      let first = Task { try await turns.turn(did: ids(1), get: 2) }
      try await eventually { await turns.isBusy }
      // These go with one that is cancelled in its turn.
      let second = Task { try await turns.turn(did: ids(1), get: 2) }
      try await eventually { await turns.gathered == 1 }
      let third = Task { try await turns.turn(did: [], get: 3) }
      try await eventually { await turns.gathered == 2 }
      first.cancel()
      await #expect(throws: CancellationError.self) { try await first.value }
      try await eventually { await turns.gathered == 0 }
      second.cancel()
      await #expect(throws: CancellationError.self) { try await second.value }
      #expect(try await third.value.count == 3)
      try await holder.release()
      #expect(try await world.loop.stats().locked == 3)
    }
  }

  @Test("what is wrong with one turn is told to it alone", arguments: TestStore.all)
  func wrong(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.loop.add(ids(1...9))
      let turns = SharedTurns(world.loop)
      try await withThrowingTaskGroup(of: [LoopID].self) { group in
        for _ in 0..<3 { group.addTask { try await turns.turn(did: [], get: 3) } }
        await #expect(throws: LoopError.self) { try await turns.turn(did: [.text("none")], get: 1) }
        await #expect(throws: LoopError.self) { try await turns.turn(did: [], get: -1) }
        let all = try await group.reduce([], +)
        #expect(all.sorted() == ids(1...9))
      }
      #expect(try await turns.turn(did: ids(1...9), get: 5).isEmpty)
      #expect(try await world.loop.stats().locked == 0)
    }
  }

  @Test("an error of the database reaches all that went together", arguments: TestStore.servers)
  func failing(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.loop.add(ids(1...9))
      let turns = SharedTurns(world.loop)
      let holder = await Holder(world)
      defer { holder.isReleased.signal() }
      let first = Task { try await turns.turn(did: ids(1), get: 1) }
      try await eventually { await turns.isBusy }
      let others = (0..<3).map { _ in Task { try await turns.turn(did: [], get: 1) } }
      try await eventually { await turns.gathered == 3 }
      async let closing: Void = world.pool.close()
      try await eventually { (try? await world.pool.run { _ in }) == nil }
      try await holder.release()
      // What was under way is done, what comes after it is refused.
      _ = try await first.value
      for other in others { await #expect(throws: DatabaseError.self) { try await other.value } }
      await closing
      #expect(await !turns.isBusy)
    }
  }

  @Test("whoever asks for more than there ever is goes alone", arguments: TestStore.all)
  func huge(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.loop.add(ids(1...9))
      let turns = SharedTurns(world.loop)
      let tasks = (0..<4).map { _ in Task { try await turns.turn(did: [], get: .max) } }
      var all: [LoopID] = []
      for task in tasks { all += try await task.value }
      #expect(all.sorted() == ids(1...9))
    }
  }

  @Test("a worker that is stopped while it waits for its turn begins nothing", arguments: TestStore.servers)
  func stoppedInLine(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.loop.add(ids(1...3))
      let holders = Mutex<Holder?>(nil)
      let worker = LoopWorker(world.loop, .init(batch: 1)) { batch in
        // Marking it will wait.
        let holder = await Holder(world)
        holders.withLock { $0 = holder }
        return batch == ids(1)
      }
      async let tally = worker.run()
      try await eventually { holders.withLock { $0 != nil } }
      let holder = try #require(holders.withLock { $0 })
      defer { holder.isReleased.signal() }
      try await Task.sleep(for: .milliseconds(300))
      worker.stop()
      try await holder.release()
      #expect(try await tally == .init(batches: 1, updated: 1))
      #expect(try await world.loop.stats().locked == 0)
      #expect(try await world.loop.fullStats().neverUpdated == 2)
    }
  }

  @Test("with unlocking, a batch that fails ends all workers", arguments: TestStore.all)
  func unlocking(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.loop.add(ids(1...400))
      var settings = LoopWorker.Settings(batch: 1)
      settings.unlocksOnFailure = true
      let crew = LoopCrew(3, at: world.loop, settings) { _, batch in
        try await Task.sleep(for: .milliseconds(5))
        return batch != ids(2)
      }
      let tally = try await crew.run()
      #expect(tally.failedBatches >= 1 && tally.failedBatches <= 3, "\(tally)")
      #expect(tally.updated < 390, "\(tally)")
      #expect(try await world.loop.stats().locked == 0)
    }
  }

  @Test("what the work throws ends all workers and unlocks what they hold", arguments: TestStore.all)
  func throwing(kind: TestStore.Kind) async throws {
    struct Oops: Error {}
    try await World.with(kind) { world in
      try await world.loop.add(ids(1...400))
      let crew = LoopCrew(3, at: world.loop, .init(batch: 1)) { number, _ in
        try await Task.sleep(for: .milliseconds(5))
        if number == 1 { throw Oops() }
        return true
      }
      await #expect(throws: Oops.self) { try await crew.run() }
      #expect(try await world.loop.stats().locked == 0)
      #expect(try await world.loop.fullStats().neverUpdated > 0)
    }
  }

  private func eventually(_ condition: () async -> Bool) async throws {
    for _ in 0..<3000 {
      if await condition() { return }
      try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("it does not come to that")
  }
}
