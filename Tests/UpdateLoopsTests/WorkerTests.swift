import Database
import Drivers
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import UpdateLoops

@Suite("the worker")
struct WorkerTests {
  @Test("works every id once and ends when none is left", arguments: TestStore.all)
  func all(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.loop.add(ids(1...25))
      let seen = HandedOut()
      let worker = LoopWorker(world.loop, .init(batch: 10)) { batch in
        seen.note(batch)
        return true
      }
      let tally = try await worker.run()
      #expect(tally == .init(batches: 3, updated: 25))
      #expect(seen.counts == Dictionary(uniqueKeysWithValues: ids(1...25).map { ($0, 1) }))
      #expect(try await world.loop.stats().locked == 0)
      #expect(try await world.loop.fullStats().neverUpdated == 0)
      #expect(try await worker.run() == .init())
    }
  }

  @Test("a batch that fails stays locked, and the others are worked", arguments: TestStore.all)
  func failure(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.loop.add(ids(1...6))
      let events = Events()
      let worker = LoopWorker(world.loop, .init(batch: 2), tell: events.note) { !$0.contains(.integer(3)) }
      #expect(try await worker.run() == .init(batches: 3, updated: 4, failedBatches: 1, failed: 2))
      #expect(events.all == ["failed 2"])
      #expect(try await isNear(world.entry(.integer(3))?.lock, 3600))
      #expect(try await world.entry(.integer(3))?.updated == nil)
    }
  }

  @Test("with unlocking, a batch that fails ends the worker and is free for others", arguments: TestStore.all)
  func unlocking(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.loop.add(ids(1...6))
      var settings = LoopWorker.Settings(batch: 2)
      settings.unlocksOnFailure = true
      let events = Events()
      let calls = Atomic(0)
      let worker = LoopWorker(world.loop, settings, tell: events.note) { _ in
        calls.add(1, ordering: .relaxed).newValue < 2
      }
      #expect(try await worker.run() == .init(batches: 2, updated: 2, failedBatches: 1, failed: 2))
      #expect(events.all == ["failed 2 unlocked"])
      let stats = try await world.loop.stats()
      #expect(stats.locked == 0 && stats.bumped == 0)
      #expect(try await world.loop.fullStats().neverUpdated == 4)
    }
  }

  @Test("what the work throws unlocks the batch and ends the worker", arguments: TestStore.all)
  func throwing(kind: TestStore.Kind) async throws {
    struct Oops: Error {}
    try await World.with(kind) { world in
      try await world.loop.add(ids(1...6))
      await #expect(throws: Oops.self) {
        try await LoopWorker(world.loop, .init(batch: 2)) { _ in throw Oops() }.run()
      }
      let stats = try await world.loop.stats()
      #expect(stats.locked == 0)
    }
  }

  @Test(
    "a worker that polls takes what comes, and ends after the batch when it is stopped",
    arguments: TestStore.all)
  func polling(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      var settings = LoopWorker.Settings(batch: 2)
      settings.poll = .milliseconds(20)
      let (batches, next) = AsyncStream<[LoopID]>.makeStream()
      let worker = LoopWorker(world.loop, settings) { batch in
        next.yield(batch)
        return true
      }
      async let tally = worker.run()
      try await world.loop.add(ids(1))
      var iterator = batches.makeAsyncIterator()
      #expect(await iterator.next() == ids(1))
      try await world.loop.bump(ids(2))
      #expect(await iterator.next() == ids(2))
      worker.stop()
      #expect(try await tally == .init(batches: 2, updated: 2))
      #expect(try await world.loop.stats().locked == 0)
    }
  }

  @Test("stopped in the middle of a batch, it marks the batch and takes no other", arguments: TestStore.all)
  func stopping(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.loop.add(ids(1...10))
      let stop = Mutex<(@Sendable () -> Void)?>(nil)
      let worker = LoopWorker(world.loop, .init(batch: 4)) { _ in
        stop.withLock { $0 }?()
        return true
      }
      stop.withLock { $0 = { worker.stop() } }
      #expect(try await worker.run() == .init(batches: 1, updated: 4))
      stop.withLock { $0 = nil }
      #expect(try await world.loop.stats().locked == 0)
      #expect(try await world.loop.fullStats().neverUpdated == 6)
    }
  }

  @Test(
    "a batch longer than its lock is told, and not unlocked: it may be another's by then",
    arguments: TestStore.all)
  func overrun(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.loop.add(ids(1, 2))
      var settings = LoopWorker.Settings(batch: 2)
      settings.lockFor = .milliseconds(100)
      settings.unlocksOnFailure = true
      let events = Events()
      let worker = LoopWorker(world.loop, settings, tell: events.note) { _ in
        try await Task.sleep(for: .milliseconds(300))
        return false
      }
      _ = try await worker.run()
      #expect(events.all == ["overran 2", "failed 2"])
      #expect(try await world.entry(.integer(1))?.lock != nil)
    }
  }

  @Test("a connection that breaks between two batches loses nothing", arguments: TestStore.all)
  func lostConnection(kind: TestStore.Kind) async throws {
    try await World.with(kind, connections: 1) { world in
      try await world.loop.add(ids(1...30))
      let seen = HandedOut()
      let worker = LoopWorker(world.loop, .init(batch: 4)) { batch in
        seen.note(batch)
        try await world.pool.run { $0.sever() }
        return true
      }
      #expect(try await worker.run() == .init(batches: 8, updated: 30))
      #expect(seen.counts.count == 30 && seen.counts.values.allSatisfy { $0 == 1 })
    }
  }

  @Test("a command reads the batch, whole or not at all, and its end is told")
  func command() async throws {
    let environment = ["PATH": "/usr/bin:/bin"]
    let large = Array(repeating: UInt8(ascii: "x"), count: 300_000)
    let counting = BatchCommand(["sh", "-c", #"test "$(wc -c)" -eq 300000"#], environment: environment)
    #expect(try await counting.run(input: large) == .exited(0))
    #expect(try await counting.run(input: []) == .exited(1))
    #expect(try await BatchCommand(["true"], environment: environment).run(input: large) == .exited(0))
    #expect(
      try await BatchCommand(["sh", "-c", "exit 7"], environment: environment).run(input: []) == .exited(7))
    #expect(
      try await BatchCommand(["sh", "-c", "kill -9 $$"], environment: environment).run(input: [])
        == .signalled(9))
    let missing = BatchCommand(["/nix/nix"], environment: environment)
    await #expect(throws: LoopError.self) { try await missing.run(input: []) }
    await #expect(throws: LoopError.self) { try await BatchCommand([], environment: [:]).run(input: []) }
  }

  @Test("a signal reaches the command and what it started")
  func signal() async throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("batch-\(UUID().uuidString)")
      .path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let command = BatchCommand(
      ["sh", "-c", #"sleep 600 & echo $! > "$0.new"; mv "$0.new" "$0"; wait"#, path],
      environment: ["PATH": "/usr/bin:/bin"])
    command.signal(SIGTERM)  // nothing runs: nobody is hit
    async let end = command.run(input: [])
    while !FileManager.default.fileExists(atPath: path) { try await Task.sleep(for: .milliseconds(10)) }
    command.signal(SIGTERM)
    #expect(try await end == .signalled(SIGTERM))
    let text = try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(
      in: .whitespacesAndNewlines)
    let sleeper = try #require(pid_t(text))
    // Gone, or a zombie that nobody has waited for yet.
    for _ in 0..<1000 where FileManager.default.contents(atPath: "/proc/\(sleeper)/cmdline")?.isEmpty == false
    {
      try await Task.sleep(for: .milliseconds(10))
    }
    #expect(FileManager.default.contents(atPath: "/proc/\(sleeper)/cmdline")?.isEmpty ?? true)
  }
}

/// What a worker told.
private final class Events: Sendable {
  private let state = Mutex<[String]>([])

  var all: [String] { state.withLock { $0 } }

  @Sendable func note(_ event: LoopWorker.Event) {
    let text =
      switch event {
      case .failed(let ids, let unlocked): "failed \(ids)\(unlocked ? " unlocked" : "")"
      case .overran(let ids, _): "overran \(ids)"
      case .lost: "lost"
      }
    state.withLock { $0.append(text) }
  }
}
