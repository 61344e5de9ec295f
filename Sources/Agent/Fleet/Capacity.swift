import Synchronization

/// How many steps may run on this host at once, shared by everything that starts some: an agent that serves several
/// databases has one of these for all of them.
public final class Capacity: Sendable {
  private struct State {
    var used = 0
    var listeners: [@Sendable () -> Void] = []
  }

  /// Steps at once.
  public let total: Int
  private let state = Mutex(State())

  /// Room for `total` steps.
  public init(_ total: Int) { self.total = max(1, total) }

  /// How many more could start.
  var free: Int { state.withLock { max(0, total - $0.used) } }

  /// Takes places for at most `wanted` steps, and says for how many.
  func take(upTo wanted: Int) -> Int {
    state.withLock { state in
      let taken = max(0, min(wanted, total - state.used))
      state.used += taken
      return taken
    }
  }

  /// Takes places for steps that run already, whether there is room or not.
  func occupy(_ count: Int) { state.withLock { $0.used += count } }

  /// Gives places back; whoever else waits for some is told when there were none.
  func give(_ count: Int) {
    guard count > 0 else { return }
    let listeners = state.withLock { state in
      let wasFull = state.used >= total
      state.used -= count
      return wasFull ? state.listeners : []
    }
    for listener in listeners { listener() }
  }

  /// Calls `body`, which must not block, whenever there is room again after there was none: for agents of several stores.
  public func whenFree(_ body: @escaping @Sendable () -> Void) {
    state.withLock { $0.listeners.append(body) }
  }
}
