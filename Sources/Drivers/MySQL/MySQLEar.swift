import Database
import Runtime

/// Listens on MySQL and MariaDB: a connection that waits in the server until another one interrupts it.
///
/// The address is a user-level lock. The statement that waits takes it first, so that whoever rings can ask for the
/// number of the connection that holds it. A kill is heard by a statement that runs, and dropped by the server when
/// none does; therefore the lock is given back before a ring is told. Who finds it held after that finds a statement
/// that runs, and who finds it free tries again in a moment. With the connection the lock ends by itself.
///
/// What it waits for is a second lock, which a second connection keeps. `SLEEP` would do without, but killing sleepers
/// has a flaw in MariaDB (10.11): a killer that finds their common mutex taken tries again for up to two seconds, while
/// the sleeper that has it waits for the killer. One ring of a hundred came so late, and those behind it. Each waiter
/// for a lock has a mutex of its own.
final class MySQLEar: Ear {
  private let waiter: MySQLDialogue
  private let keeper: MySQLDialogue
  private let address: WakeAddress

  /// Seconds between two statements: proxies cut connections that are silent for half a minute.
  private static let nap = 20
  /// No limit on a statement's time, which each of the two databases has under a name of its own, in a comment that the
  /// other one skips; and no entry in the log of slow statements.
  private static let undisturbed = """
    SET SESSION long_query_time = 31536000 /*M!100101 , max_statement_time = 0 */ /*!50708 , max_execution_time = 0 */
    """

  init(_ url: StoreURL, _ address: WakeAddress) throws(DatabaseError) {
    waiter = try MySQLDialogue(url)
    keeper = try MySQLDialogue(url)
    self.address = address
  }

  func listen(until stop: StopSignal, onReady: () -> Void, onRing: () -> Void) throws(DatabaseError) {
    guard let isKept = try keeper.ask("SELECT GET_LOCK('\(address.name).door', 0)", stop) else { return }
    guard isKept == .number(1) else { throw disturbed }
    // A server that refuses this ends naps early, or notes them as slow; both can be lived with. If the connection
    // was lost, the next statement says so.
    _ = try? waiter.ask(Self.undisturbed, stop)
    var keptAt = ContinuousClock.now
    try wait()
    onReady()
    while let answer = try waiter.receive(stop, within: .seconds(Self.nap) + MySQLDialogue.patience) {
      // 1: the keeper has lost the door. 2: somebody else has the address. A killed GET_LOCK says NULL or an error.
      guard answer != .number(1), answer != .number(2) else { throw disturbed }
      guard try giveBackAddress(stop) else { return }
      try wait()
      if answer != .number(0) { onRing() }
      if ContinuousClock.now - keptAt >= .seconds(Self.nap) {
        guard try keeper.ask("DO 0", stop) != nil else { break }
        keptAt = .now
      }
    }
    leave()
  }

  private func wait() throws(DatabaseError) {
    try waiter.send(
      """
      SELECT IF(GET_LOCK('\(address.name)', 0), GET_LOCK('\(address.name).door', \(Self.nap)), 2)
      /* eventor: an agent waits for work */
      """)
  }

  /// False if it was given up because of `stop`.
  private func giveBackAddress(_ stop: StopSignal) throws(DatabaseError) -> Bool {
    // A second kill may come late and hit this. (`DO` would then say that all is well.)
    while let answer = try waiter.ask("SELECT RELEASE_LOCK('\(address.name)')", stop) {
      if answer != .interrupted { return true }
    }
    return false
  }

  /// Opens the door, so that the waiter comes in and its connection is closed in order: the server is slow to notice
  /// that the client of a waiting statement has left.
  private func leave() {
    guard (try? keeper.send("SELECT RELEASE_LOCK('\(address.name).door')")) != nil else { return }
    waiter.drop(within: 500)
    keeper.drop(within: 500)
  }

  private var disturbed: DatabaseError {
    DatabaseError(.other, code: "GET_LOCK", message: "the server does not keep the locks of a listener")
  }
}
