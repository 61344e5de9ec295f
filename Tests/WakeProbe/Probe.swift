import Database
import Drivers
import Glibc
import Synchronization
import TestSupport

/// Measures wake-ups on the test databases (`sqlite`, `postgresql` or `mysql`, see TestSupport).
///
///     wake-probe latency KIND N [pool|inside]   N commits, one after the other: from COMMIT returned to woken;
///                                               rung through the pool, or (PostgreSQL) inside the transaction
///     wake-probe crowd KIND N                   200 commits with N listeners, all rung: until the last is woken
///     wake-probe bursts KIND N                  N bursts of commits: how often the last one isn't seen by whoever
///                                               looks when woken
///     wake-probe load N WAY [LISTENERS]         N writers on PostgreSQL for 3 s: commits per second without
///                                               wake-ups (`none`), with a ring after each (`after`), with NOTIFY
///                                               in each (`inside`)
@main
struct Probe {
  static func main() async throws {
    let words = Array(CommandLine.arguments.dropFirst())
    guard words.count >= 3 else { exit(64) }
    let isLoad = words[0] == "load"
    let count = Int(words[isLoad ? 1 : 2]) ?? 0
    guard let kind = isLoad ? .postgresql : TestStore.Kind(rawValue: words[1]), count > 0 else { exit(64) }
    let way = isLoad ? words[2] : words.dropFirst(3).first ?? ""
    let listeners =
      isLoad ? words.dropFirst(3).first.flatMap { Int($0) } ?? 1 : words[0] == "crowd" ? count : 1
    try await withStore(kind) { url in
      let world = try await World(url, size: isLoad ? count : 2, listeners: listeners, way)
      switch words[0] {
      case "latency": try await latency(world, rounds: count, listeners: 1, way)
      case "crowd": try await latency(world, rounds: 200, listeners: count, "")
      case "bursts": try await bursts(world, count)
      case "load": try await load(world, count, way)
      default: exit(64)
      }
      await world.close()
    }
  }

  static func latency(_ world: World, rounds: Int, listeners: Int, _ way: String) async throws {
    var times: [Double] = []
    var lost = 0
    for round in 0..<(rounds + 20) {
      for wakes in world.wakes { wakes.forget() }
      try await world.commit(row: 0, notifyingInside: way == "inside")
      let committed = ContinuousClock.now
      if way != "inside" { world.ring(listeners) }
      var last: ContinuousClock.Instant?
      for wakes in world.wakes {
        guard let woken = await wakes.next(within: .seconds(1)) else {
          lost += 1
          continue
        }
        last = max(last ?? woken, woken)
      }
      // The first ones open connections.
      if round >= 20, let last { times.append((last - committed) / .milliseconds(1)) }
      try await Task.sleep(for: .microseconds(Int.random(in: 500...5000)))
    }
    times.sort()
    func rank(_ part: Double) -> String {
      let micros = ((times[min(times.count - 1, Int(Double(times.count) * part))]) * 1000).rounded()
      return "\(micros / 1000) ms"
    }
    let name = [world.kind.rawValue, way, listeners > 1 ? "\(listeners) listeners" : ""].filter {
      !$0.isEmpty
    }
    print(name.joined(separator: ", "), "p50 \(rank(0.5)), p99 \(rank(0.99)), most \(rank(1)), lost \(lost)")
  }

  /// The reader looks once for each wake, as an agent does; commits come from 0 to 1 ms apart.
  static func bursts(_ world: World, _ count: Int) async throws {
    let seen = Atomic(0)
    let reader = Task {
      while !Task.isCancelled {
        guard await world.wakes[0].next(within: .seconds(1)) != nil else { continue }
        seen.store(try await world.look(row: 0), ordering: .releasing)
      }
    }
    var (last, missed) = (0, 0)
    for _ in 0..<count {
      for _ in 0..<Int.random(in: 2...6) {
        try await world.commit(row: 0)
        world.ring()
        last += 1
        usleep(UInt32.random(in: 0...1000))
      }
      let deadline = ContinuousClock.now + .milliseconds(300)
      while seen.load(ordering: .acquiring) != last, ContinuousClock.now < deadline {
        try await Task.sleep(for: .microseconds(200))
      }
      if seen.load(ordering: .acquiring) != last { missed += 1 }
    }
    reader.cancel()
    print("\(world.kind): the last commit of \(missed) bursts of \(count) (\(last) commits) was missed")
  }

  static func load(_ world: World, _ writers: Int, _ way: String) async throws {
    let deadline = ContinuousClock.now + .seconds(3)
    let commits = try await withThrowingTaskGroup(of: Int.self) { group in
      for writer in 0..<writers {
        group.addTask {
          var count = 0
          while ContinuousClock.now < deadline {
            try await world.commit(row: writer, notifyingInside: way == "inside")
            if way == "after" { world.ring() }
            count += 1
          }
          return count
        }
      }
      return try await group.reduce(0, +)
    }
    print("\(writers) writers, \(way): \(commits / 3) commits/s")
  }
}
