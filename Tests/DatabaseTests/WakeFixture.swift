import Database
import Foundation
import Synchronization
import TestSupport

@testable import Drivers

/// A listener, and what it was told so far.
final class Hearer: Sendable {
  private struct Heard {
    var addresses: [String?] = []
    var wakes = 0
  }

  /// The name of its thread, which nobody else's has.
  let threadName = "wk" + UUID().uuidString.prefix(8)
  private let listener: any WakeListener
  private let heard = Mutex(Heard())

  init(_ url: StoreURL) throws {
    guard let listener = Drivers.wakeListener(for: url, name: threadName) else { throw NoListener() }
    self.listener = listener
  }

  struct NoListener: Error {}

  /// All it was told, in order; nil for "can't be reached".
  var addresses: [String?] { heard.withLock { $0.addresses } }
  var wakes: Int { heard.withLock { $0.wakes } }

  func start() {
    listener.start(
      onWake: { [self] in heard.withLock { $0.wakes += 1 } },
      onAddress: { [self] address in heard.withLock { $0.addresses.append(address) } })
  }

  func stop() async { await listener.stop() }

  /// Waits until it can be reached, and says where.
  func address() async throws -> String {
    try await until("the listener can be reached") { addresses.last?.flatMap { $0 } != nil }
    return addresses.last?.flatMap { $0 } ?? ""
  }

  /// Waits until it was woken more than `count` times.
  func isWoken(beyond count: Int) async throws {
    try await until("the listener is woken more than \(count) times") { wakes > count }
  }

  /// How many threads of this listener there are.
  var threads: Int {
    let directory = "/proc/self/task"
    let tasks = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    return tasks.count { task in
      let name = try? String(contentsOfFile: "\(directory)/\(task)/comm", encoding: .utf8)
      return name == threadName + "\n"
    }
  }
}

/// Hands `body` a started hearer on `url` with its address, and stops it afterwards.
func withHearer(
  _ url: StoreURL, isolation: isolated (any Actor)? = #isolation,
  _ body: (Hearer, String) async throws -> Void
) async throws {
  let hearer = try Hearer(url)
  hearer.start()
  do {
    try await body(hearer, try await hearer.address())
  } catch {
    await hearer.stop()
    throw error
  }
  await hearer.stop()
}

/// Hands `body` a caller on `url` with a connection of its own, and closes it afterwards.
func withCaller(
  _ url: StoreURL, isolation: isolated (any Actor)? = #isolation,
  _ body: (any WakeCaller) async throws -> Void
) async throws {
  let caller = Drivers.wakeCaller(for: url, pool: nil)
  do {
    try await body(caller)
  } catch {
    await caller.close()
    throw error
  }
  await caller.close()
}

/// How many there are in the store (connections) or on this machine (sockets) that listen at one of `addresses`.
func ears(at addresses: [String], _ url: StoreURL) async throws -> Int {
  if url.kind == .sqlite {
    // A name that is in use can't be taken. (`/proc/net/unix` leaves some out while others come and go.)
    return addresses.count { WakeAddress($0).map { WakeSocket()?.bind(to: $0) } == false }
  }
  return try await withAdmin(url) { session in
    var count = 0
    for address in addresses {
      if let connection = try ear(at: address, session) { count += connection > 0 ? 1 : 0 }
    }
    return count
  }
}

/// The server's number for the connection that listens at `address`; nil if there is none.
func ear(at address: String, _ session: any Session) throws -> Int? {
  let statement: SQL =
    session.dialect.kind == .mysql
    ? "SELECT IS_USED_LOCK(\(address))"
    : "SELECT pid FROM pg_stat_activity WHERE query = \("LISTEN \"\(address)\"")"
  return try session.query(statement).first?.optionalInt(0)
}

/// Waits until `address` is listened at: with MySQL that begins a moment after it was told, and after each ring. Whoever
/// rings tries again for some milliseconds, which may be too few on a busy machine.
func isListening(at address: String, _ url: StoreURL) async throws {
  guard url.kind == .mysql else { return }
  try await until("somebody listens") { try await ears(at: [address], url) == 1 }
}

/// Runs `body` on a connection to the server that is neither a listener's nor a caller's.
func withAdmin<T: Sendable>(
  _ url: StoreURL, _ body: @escaping @Sendable (any Session) throws -> T
) async throws -> T {
  let pool = Pool(url: url, driver: Drivers.driver(for: url), size: 1)
  do {
    let value = try await pool.run(body)
    await pool.close()
    return value
  } catch {
    await pool.close()
    throw error
  }
}

/// A condition that did not come true.
struct Impatience: Error, CustomStringConvertible {
  let description: String
}

/// Waits until `condition` holds. The bound is against hanging, and far from what any machine needs.
func until(
  _ what: @autoclosure () -> String, isolation: isolated (any Actor)? = #isolation,
  _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + .seconds(120)
  while try await !condition() {
    guard ContinuousClock.now < deadline else { throw Impatience(description: "never: " + what()) }
    try await Task.sleep(for: .milliseconds(2))
  }
}
