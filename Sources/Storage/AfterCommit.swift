import Synchronization

/// What a transaction leads to once it is committed, and not before. One for each, filled while it goes on.
final class AfterCommit: Sendable {
  private struct State {
    var addresses: Set<String> = []
    var queues: Set<String> = []
  }
  private let state = Mutex(State())

  /// A transaction that is tried again begins with nothing.
  func reset() { state.withLock { $0 = State() } }

  /// Wakes whoever listens there.
  func ring(_ addresses: some Swift.Sequence<String>) {
    state.withLock { $0.addresses.formUnion(addresses) }
  }

  /// A group queue that the transaction has made, or found.
  func note(queue: String) { state.withLock { _ = $0.queues.insert(queue) } }

  /// Whether the transaction has seen to the queue already.
  func knows(queue: String) -> Bool { state.withLock { $0.queues.contains(queue) } }

  var addresses: [String] { state.withLock { Array($0.addresses) } }
  var queues: [String] { state.withLock { Array($0.queues) } }
}
