import Database
import Drivers
import Synchronization
import TestSupport

/// A store with a table of counters, one listener, and who writes and rings.
final class World: Sendable {
  let kind: Dialect.Kind
  let wakes: [Wakes]
  private let pool: Pool
  private let caller: any WakeCaller
  private let listeners: [any WakeListener]
  private let addresses: [String]

  init(_ url: StoreURL, size: Int, listeners count: Int = 1, _ way: String) async throws {
    kind = url.kind
    pool = Pool(url: url, driver: Drivers.driver(for: url), size: size)
    caller = Drivers.wakeCaller(for: url, pool: way == "pool" ? pool : nil)
    listeners = (0..<count).compactMap { Drivers.wakeListener(for: url, name: "probe-\($0)") }
    wakes = (0..<count).map { _ in Wakes() }
    try await pool.run { session in
      try session.executeScript(
        "CREATE TABLE counter (id BIGINT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)\(session.dialect.tableOptions)"
      )
      try session.insert(
        into: "counter", columns: ["id", "n"], rows: (0..<Int64(size)).map { [.integer($0), .integer(0)] })
    }
    var addresses: [String] = []
    for (listener, wakes) in zip(listeners, wakes) {
      let (told, isTold) = AsyncStream<String?>.makeStream()
      listener.start(onWake: { wakes.add() }, onAddress: { isTold.yield($0) })
      for await case let address? in told {
        addresses.append(address)
        break
      }
    }
    self.addresses = addresses
  }

  func commit(row: Int, notifyingInside: Bool = false) async throws {
    let channel = notifyingInside ? addresses.first : nil
    try await pool.transaction(.write) { session in
      try session.execute("UPDATE counter SET n = n + 1 WHERE id = \(row)")
      if let channel { _ = try session.query("SELECT pg_notify(\(channel), '')") }
    }
  }

  func look(row: Int) async throws -> Int {
    try await pool.transaction(.read) { session in
      try session.query("SELECT n FROM counter WHERE id = \(row)").first?.int(0) ?? 0
    }
  }

  /// Rings the first listener, or the first few.
  func ring(_ count: Int = 1) {
    caller.ring(Array(addresses.prefix(count)))
  }

  func close() async {
    for listener in listeners { await listener.stop() }
    await caller.close()
    await pool.close()
  }
}

/// When the last wake was, for one who waits.
final class Wakes: Sendable {
  private struct State {
    var last: ContinuousClock.Instant?
    var waiter: CheckedContinuation<ContinuousClock.Instant?, Never>?
    var round = 0
  }

  private let state = Mutex(State())

  func add() {
    let now = ContinuousClock.now
    state.withLock { state in
      if let waiter = state.waiter {
        state.waiter = nil
        waiter.resume(returning: now)
      } else {
        state.last = now
      }
    }
  }

  /// Forgets the one that waits to be taken.
  func forget() {
    state.withLock { $0.last = nil }
  }

  /// The wake since the last one taken, or the next; nil if there is none in time.
  func next(within limit: Duration) async -> ContinuousClock.Instant? {
    await withCheckedContinuation { continuation in
      let round = state.withLock { state -> Int? in
        if let last = state.last {
          state.last = nil
          continuation.resume(returning: last)
          return nil
        }
        state.round += 1
        state.waiter = continuation
        return state.round
      }
      guard let round else { return }
      Task {
        try await Task.sleep(for: limit)
        state.withLock { state in
          guard state.round == round, let waiter = state.waiter else { return }
          state.waiter = nil
          waiter.resume(returning: nil)
        }
      }
    }
  }
}
