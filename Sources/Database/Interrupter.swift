import Synchronization

/// Wakes a session from another thread: the one part of a session that may leave its own.
///
/// Once interrupted, a session refuses every further statement with `.cancelled` until ``clear()``.
public final class Interrupter: Sendable {
  private let flag = Atomic(false)
  private let wake: @Sendable () -> Void

  /// `wake` stops the statement that is running, if one is; it may block.
  public init(wake: @escaping @Sendable () -> Void) {
    self.wake = wake
  }

  /// Whether ``interrupt()`` was called since the last ``clear()``.
  public var isInterrupted: Bool { flag.load(ordering: .acquiring) }

  /// Stops the running statement and all that follow; may block, so never on a cooperative thread.
  public func interrupt() {
    flag.store(true, ordering: .releasing)
    wake()
  }

  /// Lets the session work again.
  public func clear() {
    flag.store(false, ordering: .releasing)
  }

  /// Throws `.cancelled` once interrupted; sessions ask before each statement.
  public func check() throws(DatabaseError) {
    if isInterrupted {
      throw DatabaseError(.cancelled, code: "interrupted", message: "the statement was interrupted")
    }
  }
}
