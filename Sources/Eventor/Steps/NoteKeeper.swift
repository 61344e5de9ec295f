import Synchronization

/// The last that a step has said of itself: what it leaves out stays as it was, so that a sign of life takes nothing back.
final class NoteKeeper: Sendable {
  private struct State {
    var fraction: Double?
    var message: String?
    var heardAt = ContinuousClock.now
  }

  private let state = Mutex(State())
  private let send: @Sendable (Double?, String?) -> Void

  /// Hands what is to be known to `send`, which must not wait.
  init(send: @escaping @Sendable (Double?, String?) -> Void) { self.send = send }

  /// When the step was last heard of.
  var heardAt: ContinuousClock.Instant { state.withLock { $0.heardAt } }

  /// Takes what the step says.
  func note(_ fraction: Double?, _ message: String?) {
    let (fraction, message) = state.withLock { state in
      if let fraction, !fraction.isNaN { state.fraction = min(1, max(0, fraction)) }
      if let message { state.message = message }
      state.heardAt = .now
      return (state.fraction, state.message)
    }
    send(fraction, message)
  }
}
