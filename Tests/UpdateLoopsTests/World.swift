import Database
import Drivers
import Foundation
import TestSupport
import Testing
import UpdateLoops

/// A loop in a store of a test's own.
struct World: Sendable {
  let url: StoreURL
  let pool: Pool
  let loop: UpdateLoop

  /// Hands `body` a fresh loop called `a_loop` whose ids are of `type`.
  static func with(
    _ kind: TestStore.Kind, type: String = "int", driver: (any Driver)? = nil, connections: Int = 4,
    _ body: (World) async throws -> Void
  ) async throws {
    try await withStore(kind) { url in
      let pool = Pool(url: url, driver: driver ?? Drivers.driver(for: url), size: connections)
      try await UpdateLoop.create(LoopTable(name: "a_loop", idType: LoopIDType(type)), in: pool)
      let world = World(url: url, pool: pool, loop: try await UpdateLoop(named: "a_loop", in: pool))
      try await body(world)
      await pool.close()
    }
  }

  /// A row as a test writes and reads it: times are seconds from now.
  struct Entry: Equatable, CustomStringConvertible {
    var id: LoopID
    var updated: Int?
    var lock: Int?

    var description: String {
      "(\(id) updated \(updated.map(String.init) ?? "never") lock \(lock.map(String.init) ?? "none"))"
    }
  }

  /// Writes rows as they are, with times from now.
  func put(_ entries: [Entry]) async throws {
    try await pool.transaction(.write) { session in
      let now = try session.query(SQL(text: "SELECT \(session.dialect.now)"))[0].integer(0) / 1_000_000
      for chunk in stride(from: 0, to: entries.count, by: 64).map({
        entries[$0..<min($0 + 64, entries.count)]
      }) {
        try session.insert(
          into: "a_loop", columns: ["id", "last_updated", "lock_until"],
          rows: chunk.map { entry in
            [
              entry.id.databaseValue, entry.updated.map { Int(now) + $0 }.databaseValue,
              entry.lock.map { Int(now) + $0 }.databaseValue,
            ]
          })
      }
    }
  }

  /// The whole table, as it is written, by id.
  func rows() async throws -> [[Value]] {
    try await pool.transaction(.read) { session in
      try session.query("SELECT id, last_updated, lock_until FROM a_loop ORDER BY id").map { row in
        (0..<row.count).map { row[$0] }
      }
    }
  }

  /// One row with times from now.
  func entry(_ id: LoopID) async throws -> Entry? {
    let check = try await loop.check([id]).first
    return check.map { Entry(id: $0.id, updated: $0.sinceUpdated.map { -$0 }, lock: $0.lockedFor) }
  }
}

/// Numbers as ids.
func ids(_ numbers: some Sequence<Int>) -> [LoopID] { numbers.map { .integer(Int64($0)) } }
/// Numbers as ids.
func ids(_ numbers: Int...) -> [LoopID] { ids(numbers) }
/// Texts as ids.
func ids(_ texts: [String]) -> [LoopID] { texts.map { .text($0) } }

/// Whether a time is what was meant, give or take the seconds that a busy machine needs between two statements.
func isNear(_ value: Int?, _ wanted: Int, within seconds: Int = 120) -> Bool {
  value.map { abs($0 - wanted) <= seconds } ?? false
}
