import Runtime

/// One connection of a pool and the thread it lives on; opened when first needed, replaced when broken.
///
/// Unchecked because the session can't be Sendable: `session` and `isClosed` are touched only by jobs of
/// `worker`, which runs one at a time.
final class PoolLane: @unchecked Sendable {
  /// Why one attempt failed, and whether the same may simply be tried again.
  struct Failure: Error {
    let error: any Error
    let mayRepeat: Bool
    /// The connection broke under the attempt.
    var isLoss = false
  }

  private let url: StoreURL
  private let driver: any Driver
  private let worker: SerialWorker
  private var session: (any Session)?
  private var isClosed = false

  init(url: StoreURL, driver: any Driver, name: String) {
    self.url = url
    self.driver = driver
    worker = SerialWorker(name: name)
  }

  /// Runs `body` on the connection's thread, within a transaction if `kind` is given.
  ///
  /// Throws ``Failure``, or CancellationError when `interruption` was cancelled before the COMMIT.
  func attempt<T: Sendable>(
    _ kind: TransactionKind?, _ interruption: Interruption,
    _ body: @escaping @Sendable (any Session) throws -> T
  ) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
      // One that is cancelled while another's job is done on the thread does not wait for that.
      let isWanted = interruption.wait { continuation.resume(throwing: CancellationError()) }
      guard isWanted else { return continuation.resume(throwing: CancellationError()) }
      worker.enqueue { [self] in
        guard interruption.start() else { return }
        continuation.resume(with: Result { try carryOut(kind, interruption, body) })
      }
    }
  }

  /// On the connection's thread.
  private func carryOut<T>(
    _ kind: TransactionKind?, _ interruption: Interruption, _ body: (any Session) throws -> T
  ) throws -> T {
    let session = try openSession()
    try interruption.begin(session.interrupter)
    var isCommitting = false
    do {
      if let kind { try session.begin(kind) }
      let value = try body(session)
      guard interruption.end() else { throw CancellationError() }
      isCommitting = true
      if kind != nil { try session.commit() }
      if session.isBroken { self.session = nil }
      return value
    } catch {
      let isCancelled = !interruption.end()
      let isLoss = session.isBroken
      tidy(session)
      if isCancelled { throw CancellationError() }
      // A read may be repeated even when its COMMIT got lost.
      let repeatable = kind == .read || (kind == .write && !isCommitting)
      let undone = (error as? DatabaseError)?.certainlyDidNotHappen ?? false
      throw Failure(
        error: error, mayRepeat: kind != nil && (undone || (isLoss && repeatable)), isLoss: isLoss)
    }
  }

  /// Closes the connection after what runs; later attempts fail.
  func close() async {
    await withCheckedContinuation { continuation in
      worker.enqueue { [self] in
        isClosed = true
        session = nil
        continuation.resume()
      }
    }
  }

  private func openSession() throws(Failure) -> any Session {
    if isClosed { throw Failure(error: Pool.closedError, mayRepeat: false) }
    if let session, !session.isBroken { return session }
    session = nil
    do {
      let fresh = try driver.open(url)
      session = fresh
      return fresh
    } catch {
      throw Failure(error: error, mayRepeat: error.kind == .busy)
    }
  }

  /// Ends what the failed attempt left behind; a session that can't be trusted any more is closed.
  private func tidy(_ session: any Session) {
    if !session.isBroken, session.isInTransaction { session.rollback() }
    if session.isBroken {
      self.session = nil
    } else {
      session.interrupter.clear()
    }
  }
}
