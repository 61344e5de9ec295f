import Runtime
import Synchronization

/// How a task ends what its session's thread does for it.
final class Interruption: Sendable {
  private let state = Mutex(false)
  private let waker: Waker

  init(waker: Waker) { self.waker = waker }

  /// Whether the thread is to end what it does.
  var isSet: Bool { state.withLock { $0 } }

  /// Asks it to.
  func set() {
    state.withLock { $0 = true }
    waker.ring()
  }
}
