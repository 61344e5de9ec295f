import Synchronization

/// Opens once; whoever waits for it may lose patience.
public final class Latch: Sendable {
  private struct State {
    var isOpen = false
    var waiters: [Int: CheckedContinuation<Bool, Never>] = [:]
    var nextWaiter = 0
  }

  private let state = Mutex(State())

  /// A closed latch.
  public init() {}

  /// Whether it is open.
  public var isOpen: Bool { state.withLock { $0.isOpen } }

  /// Opens it, for good.
  public func open() {
    let waiters = state.withLock { state in
      state.isOpen = true
      defer { state.waiters = [:] }
      return state.waiters.values
    }
    for waiter in waiters { waiter.resume(returning: true) }
  }

  /// Waits until it is open, but no longer than `limit`; returns whether it is. Cancelling the task changes nothing.
  @discardableResult
  public func wait(upTo limit: Duration) async -> Bool {
    await withCheckedContinuation { continuation in
      let ticket = state.withLock { state -> Int? in
        if state.isOpen { return nil }
        state.nextWaiter += 1
        state.waiters[state.nextWaiter] = continuation
        return state.nextWaiter
      }
      guard let ticket else { return continuation.resume(returning: true) }
      Task.detached { [self] in
        // Never cancelled, so it sleeps the whole time.
        try? await Task.sleep(for: limit)
        state.withLock { $0.waiters.removeValue(forKey: ticket) }?.resume(returning: false)
      }
    }
  }
}
