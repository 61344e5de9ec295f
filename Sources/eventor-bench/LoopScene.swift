import Database
import Drivers
import Foundation
import UpdateLoops

/// A loop full of ids that were never updated, and workers to turn it.
struct LoopScene {
  let url: StoreURL
  let workers: Int
  let n: Int
  let batch: Int
  let name: String

  /// Makes the loop and fills it.
  init(url: StoreURL, workers: Int, n: Int, batch: Int) async throws {
    self.url = url
    self.workers = workers
    self.n = n
    self.batch = batch
    name = "bench_loop_\(UInt32.random(in: 0...(.max)))"
    let pool = Self.pool(url)
    try await UpdateLoop.create(LoopTable(name: name, idType: .int), in: pool)
    let loop = try await UpdateLoop(named: name, in: pool)
    for start in stride(from: 0, to: n, by: 10_000) {
      try await loop.add((start..<min(start + 10_000, n)).map { .integer(Int64($0)) })
    }
    if url.kind == .postgresql {
      try await pool.run { [name] in try $0.executeScript("ANALYZE \"\(name)\"") }
    }
    await pool.close()
  }

  private static func pool(_ url: StoreURL) -> Pool {
    Pool(url: url, driver: Drivers.driver(for: url), size: 1)
  }

  /// Removes the loop.
  func remove() async throws {
    let pool = Self.pool(url)
    try await UpdateLoop(named: name, in: pool).drop()
    await pool.close()
  }

  /// Seconds that our workers, each with a connection of its own, take for one turn of all ids.
  ///
  /// - Parameter combined: Whether the end of a batch and the next batch go in one transaction.
  func turnAll(combined: Bool) async throws -> Double {
    var loops: [UpdateLoop] = []
    for _ in 0..<workers { loops.append(try await UpdateLoop(named: name, in: Self.pool(url))) }
    let started = ContinuousClock.now
    let total = try await withThrowingTaskGroup(of: Int.self) { [batch] group in
      for loop in loops {
        group.addTask {
          var count = 0
          var ids: [LoopID] = try await loop.get(batch)
          while !ids.isEmpty {
            count += ids.count
            if combined {
              ids = try await loop.turn(did: ids, get: batch)
            } else {
              try await loop.did(ids)
              ids = try await loop.get(batch)
            }
          }
          return count
        }
      }
      return try await group.reduce(0, +)
    }
    let seconds = (ContinuousClock.now - started) / .seconds(1)
    for loop in loops { await loop.pool.close() }
    try expect(total)
    return seconds
  }

  /// Seconds that our workers take for one turn of all ids, going together.
  func turnAllTogether() async throws -> Double {
    let pool = Self.pool(url)
    let turns = SharedTurns(try await UpdateLoop(named: name, in: pool))
    let started = ContinuousClock.now
    let total = try await withThrowingTaskGroup(of: Int.self) { [batch] group in
      for _ in 0..<workers {
        group.addTask {
          var count = 0
          var ids: [LoopID] = try await turns.turn(did: [], get: batch)
          while !ids.isEmpty {
            count += ids.count
            ids = try await turns.turn(did: ids, get: batch)
          }
          return count
        }
      }
      return try await group.reduce(0, +)
    }
    let seconds = (ContinuousClock.now - started) / .seconds(1)
    await pool.close()
    try expect(total)
    return seconds
  }

  /// Seconds that doloop's workers take, each a process of its own; their start is not counted.
  func turnAllByDoloop(python: String) async throws -> Double {
    let crew = try DoloopCrew(python: python, url: url, table: name, workers: workers, batch: batch)
    let (seconds, total) = try crew.work()
    try expect(total)
    return seconds
  }

  private func expect(_ total: Int) throws {
    guard total == n else { throw Wrong("\(total) ids were handed out, of \(n)") }
  }
}
