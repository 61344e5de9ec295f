import Database
import Drivers
import Foundation
import TestSupport
import Testing
import UpdateLoops

/// Only where MySQL is among the stores to test.
private let mysql = TestStore.servers.filter { $0 == .mysql }

@Suite("beside doloop 1.0.0 on MariaDB", .serialized)
struct DoloopTests {
  /// Another number with `EVENTOR_TEST_SHARED_IDS`.
  static var count: Int {
    ProcessInfo.processInfo.environment["EVENTOR_TEST_SHARED_IDS"].flatMap(Int.init) ?? 20_000
  }

  @Test("four of its workers and four of ours at one table: no id twice, none lost", arguments: mysql)
  func sharedTable(kind: TestStore.Kind) async throws {
    let count = Self.count
    try await World.with(kind, connections: 4) { world in
      for start in stride(from: 0, to: count, by: 5000) {
        try await world.loop.add(ids(start..<min(start + 5000, count)))
      }
      let (theirs, ours) = (HandedOut(), HandedOut())
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<4 {
          group.addTask {
            let batches = try await Self.turnByDoloop(world.url)
            for batch in batches { theirs.note(batch) }
          }
          group.addTask {
            // Each of ours has a first batch before theirs begin, and goes on when theirs have done one:
            // whichever process starts late, both work.
            var batch = try await world.loop.get(20)
            while try await world.loop.fullStats().neverUpdated == count {
              try await Task.sleep(for: .milliseconds(5))
            }
            while !batch.isEmpty {
              ours.note(batch)
              batch = try await world.loop.turn(did: batch, get: 20)
            }
          }
        }
        // Ours wait for theirs, and are not to when one of theirs has failed.
        while try await group.next() != nil {}
      }
      let all = theirs.counts.merging(ours.counts) { $0 + $1 }
      #expect(all.count == count)
      #expect(all.values.allSatisfy { $0 == 1 })
      #expect(!theirs.counts.isEmpty && !ours.counts.isEmpty, "both have worked")
      let stats = try await world.loop.stats()
      #expect(stats.locked == 0 && stats.bumped == 0)
      #expect(try await world.loop.fullStats().neverUpdated == 0)
    }
  }

  /// Python is waited for on a thread of its own.
  private static func turnByDoloop(_ url: StoreURL) async throws -> [[LoopID]] {
    try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread {
        continuation.resume(
          with: Result {
            let peer = try DoloopPeer(url)
            let call = DoloopPeer.Call(verb: "turn", arguments: [.text("a_loop"), .number(20)])
            return try peer.call(call, as: [[Int]].self).map { ids($0) }
          })
      }
    }
  }

  @Test("whatever is done, both come to the same table and the same answers", arguments: mysql, 1...3)
  func sameSemantics(kind: TestStore.Kind, seed: Int) async throws {
    // One connection, whose clock the test sets.
    try await World.with(kind, connections: 1) { world in
      var twins = Twins(
        world: world, peer: try DoloopPeer(world.url), random: SeededGenerator(seed: UInt64(seed)))
      try await twins.begin()
      for _ in 0..<120 { try await twins.step() }
    }
  }
}

/// Two tables to which the same is done at the same time, by us and by doloop.
private struct Twins {
  let world: World
  let peer: DoloopPeer
  var random: SeededGenerator
  private var now = 1_700_000_000

  init(world: World, peer: DoloopPeer, random: SeededGenerator) {
    self.world = world
    self.peer = peer
    self.random = random
  }

  func begin() async throws {
    let _: Int? = try peer.call(.init(verb: "create", arguments: [.text("twin_loop")]))
  }

  /// Does one thing to both, at a time somewhat later than the last.
  mutating func step() async throws {
    now += Int.random(in: 0...900, using: &random)
    let now = now
    try await world.pool.run { _ = try $0.execute("SET timestamp = \(now)") }
    let some = ids(
      (0..<Int.random(in: 1...6, using: &random)).map { _ in Int.random(in: 1...30, using: &random) })
    let loop = world.loop
    let seconds = Int.random(in: -2000...4000, using: &random)
    let hours: (Duration, Duration) = (.seconds(abs(seconds) + 1), .seconds(abs(seconds)))
    let autoAdd = Bool.random(using: &random)
    switch Int.random(in: 0..<10, using: &random) {
    case 0:
      let updated = Bool.random(using: &random)
      try await compare("add", some, ["updated": updated ? 1 : 0], try await loop.add(some, updated: updated))
    case 1: try await compare("remove", some, [:], try await loop.remove(some))
    case 2, 3:
      // Which of several that are due equally comes first is the database's choice, so all are taken.
      let before = try await tables()[0]
      let taken = try await loop.get(100, lockFor: hours.0, minLoopTime: hours.1)
      let options = ["lock_for": abs(seconds) + 1, "min_loop_time": abs(seconds)]
      let theirs: [Int] = try peer.call(
        .init(verb: "get", arguments: [.text("twin_loop"), .number(100)], options: options, now: now))
      #expect(Set(taken) == Set(ids(theirs)))
      let due = Dictionary(uniqueKeysWithValues: before.map { ($0[0], [$0[1], $0[2]]) })
      #expect(taken.map { due[$0.databaseValue] } == ids(theirs).map { due[$0.databaseValue] })
    case 4:
      try await compare(
        "did", some, ["auto_add": autoAdd ? 1 : 0], try await loop.did(some, autoAdd: autoAdd))
    case 5:
      // doloop's count depends on the connection and is "not for anything critical".
      try await loop.unlock(some, autoAdd: autoAdd)
      let _: Int = try peer.call(
        .init(
          verb: "unlock", arguments: [.text("twin_loop"), .ids(some)], options: ["auto_add": autoAdd ? 1 : 0],
          now: now))
    case 6, 7:
      let count = try await loop.bump(some, lockFor: .seconds(seconds), autoAdd: autoAdd)
      try await compare("bump", some, ["lock_for": seconds, "auto_add": autoAdd ? 1 : 0], count)
    case 8:
      let theirs: [[Int?]] = try peer.call(
        .init(verb: "check", arguments: [.text("twin_loop"), .ids(some)], now: now))
      let ours = try await loop.check(some).map {
        ["\($0.id)", $0.sinceUpdated, $0.lockedFor] as [AnyHashable?]
      }
      let others = theirs.sorted { ($0[0] ?? 0) < ($1[0] ?? 0) }
      #expect(ours == others.map { ["\($0[0] ?? 0)", $0[1], $0[2]] })
    default:
      let theirs: [String: Double?] = try peer.call(
        .init(verb: "stats", arguments: [.text("twin_loop")], now: now))
      try await expectSame(theirs)
    }
    try await expectSameTables()
  }

  private func compare(_ verb: String, _ ids: [LoopID], _ options: [String: Int], _ ours: Int) async throws {
    let theirs: Int = try peer.call(
      .init(verb: verb, arguments: [.text("twin_loop"), .ids(ids)], options: options, now: now))
    #expect(ours == theirs, "\(verb) \(ids) \(options)")
  }

  private func expectSame(_ theirs: [String: Double?]) async throws {
    let stats = try await world.loop.stats()
    func number(_ id: LoopID?) -> Double? {
      if case .integer(let number) = id { Double(number) } else { nil }
    }
    let ours: [String: Double?] = [
      "bumped": Double(stats.bumped), "locked": Double(stats.locked), "min_id": number(stats.minID),
      "max_id": number(stats.maxID), "min_bump_time": Double(stats.minBumpTime),
      "max_bump_time": Double(stats.maxBumpTime), "min_lock_time": Double(stats.minLockTime),
      "max_lock_time": Double(stats.maxLockTime), "min_update_time": Double(stats.minUpdateTime),
      "max_update_time": Double(stats.maxUpdateTime),
    ]
    #expect(ours == theirs)
  }

  private func expectSameTables() async throws {
    let tables = try await tables()
    #expect(tables[0] == tables[1])
  }

  private func tables() async throws -> [[[Value]]] {
    try await world.pool.run { session in
      try ["a_loop", "twin_loop"].map { table in
        try session.query("SELECT id, last_updated, lock_until FROM \(identifier: table) ORDER BY id").map {
          row in
          [row[0], row[1], row[2]]
        }
      }
    }
  }
}

/// The same numbers for the same seed (SplitMix64, Steele, Lea and Flood 2014).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
