import Synchronization

/// What was read once and never changes, kept while there is room: one that is full begins anew, as an entry costs
/// little to read again and it is rarely full.
final class BoundedCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private struct State {
    var entries: [Key: Value] = [:]
    var weight = 0
  }

  private let capacity: Int
  private let state = Mutex(State())

  /// - Parameter capacity: The most that all entries weigh together, one each unless ``note(_:for:weighing:)`` is told.
  init(capacity: Int) { self.capacity = capacity }

  subscript(key: Key) -> Value? { state.withLock { $0.entries[key] } }

  /// Keeps `value`; one that weighs more than there is room for is not kept.
  func note(_ value: Value, for key: Key, weighing weight: Int = 1) {
    guard weight <= capacity else { return }
    // What is let go is freed after the lock.
    _ = state.withLock { state -> State? in
      let former = state.weight + weight > capacity ? state : nil
      if former != nil { state = State() }
      // One that is replaced counts twice, until the next beginning.
      state.entries[key] = value
      state.weight += weight
      return former
    }
  }

  /// The value that is kept, or what `make` makes, which then is.
  func value(of key: Key, else make: () throws -> Value) rethrows -> Value {
    if let value = self[key] { return value }
    let value = try make()
    note(value, for: key)
    return value
  }
}
