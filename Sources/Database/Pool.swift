import Runtime
import Synchronization

/// The connections to one store, each on a thread of its own.
///
/// SQLite files get one connection that writes and the rest for `.read` transactions, a memory database
/// exactly one, the servers `size` equal ones. Connections are opened when first needed.
public final class Pool: Sendable {
  /// The store.
  public let url: StoreURL
  private let policy: RetryPolicy
  private let patience: Duration
  private let lanes: [PoolLane]
  private let state: Mutex<PoolLanes<CheckedContinuation<Int, any Error>>>

  /// A pool of at most `size` connections; nothing is opened yet.
  ///
  /// `patience` is how long in all a busy SQLite file is tried again.
  public init(url: StoreURL, driver: any Driver, size: Int = 4, patience: Duration = .seconds(30)) {
    self.url = url
    self.patience = patience
    policy = RetryPolicy(attempts: 5)
    let state = PoolLanes<CheckedContinuation<Int, any Error>>(
      kind: url.kind, isMemory: url.isMemory, size: size)
    lanes = (0..<state.count).map { PoolLane(url: url, driver: driver, name: "database.\($0)") }
    self.state = Mutex(state)
  }

  /// Runs `body` once with a session, on its thread, without a transaction.
  ///
  /// Never repeated: each statement commits by itself. Cancelling the task interrupts the running
  /// statement and throws CancellationError.
  ///
  /// - Parameter kind: Which connection serves: one that only reads waits for no writer.
  public func run<T: Sendable>(
    on kind: TransactionKind = .write, _ body: @escaping @Sendable (any Session) throws -> T
  ) async throws -> T {
    try await withLane(kind) { lane in
      do {
        return try await self.interruptible { try await lane.attempt(nil, $0, body) }
      } catch let failure as PoolLane.Failure {
        throw failure.error
      }
    }
  }

  /// Runs BEGIN, `body` and COMMIT in one hop to the connection's thread; ROLLBACK if `body` throws.
  ///
  /// The whole is run again, up to `attempts` times with growing, jittered pauses, when the database says
  /// that nothing happened (deadlock, serialization, lock timeout, connection lost before COMMIT), and for
  /// up to the pool's patience while an SQLite file is busy. So `body` must have no effect outside its
  /// session and let errors of the session through. Throws `.outcomeUnknown` when the connection broke
  /// during COMMIT of a write. Cancelling the task interrupts the running statement, rolls back and
  /// throws CancellationError; a COMMIT under way is let through, and its value returned.
  public func transaction<T: Sendable>(
    _ kind: TransactionKind, attempts: Int = 5,
    _ body: @escaping @Sendable (any Session) throws -> T
  ) async throws -> T {
    var policy = policy
    policy.attempts = max(1, attempts)
    return try await withLane(kind) { lane in
      var firstBusy: ContinuousClock.Instant?
      var attempt = 1
      var wasLost = false
      while true {
        do {
          return try await self.interruptible { try await lane.attempt(kind, $0, body) }
        } catch let failure as PoolLane.Failure {
          let reason = (failure.error as? DatabaseError)?.kind
          let isBusy = reason == .busy
          if isBusy, firstBusy == nil { firstBusy = .now }
          wasLost = wasLost || failure.isLoss
          // A server that restarts is away for a moment after it cut us off; a dead one is said at once.
          let isReturning = wasLost && reason == .unreachable
          let mayRepeat = failure.mayRepeat || isReturning
          let hasPatience = isBusy && firstBusy.map { ContinuousClock.now - $0 < self.patience } == true
          guard mayRepeat, attempts > 1, hasPatience || policy.allowsAnother(after: attempt) else {
            throw failure.error
          }
        }
        try await Task.sleep(for: policy.pause(after: attempt))
        attempt += 1
      }
    }
  }

  /// Refuses everybody from now on, lets what runs end, and closes the connections.
  public func close() async {
    for waiter in state.withLock({ $0.close() }) { waiter.resume(throwing: Self.closedError) }
    for lane in lanes { await lane.close() }
  }

  static let closedError = DatabaseError(
    .other, code: "closed", message: "the connections to the store are closed already")

  private func interruptible<T: Sendable>(_ work: (Interruption) async throws -> T) async throws -> T {
    let interruption = Interruption()
    return try await withTaskCancellationHandler {
      try await work(interruption)
    } onCancel: {
      interruption.cancel()
    }
  }

  private func withLane<T>(_ kind: TransactionKind, _ work: (PoolLane) async throws -> T) async throws -> T {
    let index = try await takeLane(kind)
    defer { state.withLock { $0.giveBack(index) }?.resume(returning: index) }
    return try await work(lanes[index])
  }

  private func takeLane(_ kind: TransactionKind) async throws -> Int {
    let ticket = state.withLock { $0.ticket() }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let outcome = state.withLock { state -> Result<Int, any Error>? in
          if state.isClosed { return .failure(Self.closedError) }
          // Asked under the lock: a cancellation either is seen here or finds the waiter below.
          if Task.isCancelled { return .failure(CancellationError()) }
          if let index = state.take(kind) { return .success(index) }
          state.wait(kind, ticket, continuation)
          return nil
        }
        if let outcome { continuation.resume(with: outcome) }
      }
    } onCancel: {
      state.withLock { $0.leave(ticket) }?.resume(throwing: CancellationError())
    }
  }
}
