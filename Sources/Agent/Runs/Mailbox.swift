import Synchronization

/// What happens to an agent, gathered until it looks: many ends that come at once are taken at once.
final class Mailbox<Message: Sendable>: Sendable {
  private struct State {
    var messages: [Message] = []
    var waiter: (id: Int, continuation: CheckedContinuation<Void, Never>)?
    var lastID = 0
    /// The wait whose time is over, which may be before its continuation is there.
    var overID = 0
  }
  private let state = Mutex(State())

  /// Adds a message and wakes whoever waits. May be called on any thread; never blocks for long.
  func post(_ message: Message) {
    let waiter = state.withLock { state in
      state.messages.append(message)
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.continuation.resume()
  }

  /// Whether there is no message.
  var isEmpty: Bool { state.withLock { $0.messages.isEmpty } }

  /// Takes all messages there are.
  func take() -> [Message] {
    state.withLock { state in
      defer { state.messages.removeAll(keepingCapacity: true) }
      return state.messages
    }
  }

  /// Returns when there is a message, after `time`, or when the task is cancelled. One caller at a time.
  func wait(atMost time: Duration) async {
    let id = state.withLock { state in
      state.lastID += 1
      return state.lastID
    }
    let timer = Task {
      try? await Task.sleep(for: time)
      self.wake(id)
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isReady = state.withLock { state in
          guard state.messages.isEmpty, state.overID != id, !Task.isCancelled else { return true }
          state.waiter = (id, continuation)
          return false
        }
        if isReady { continuation.resume() }
      }
    } onCancel: {
      wake(id)
    }
    timer.cancel()
  }

  private func wake(_ id: Int) {
    let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
      guard state.waiter?.id == id else {
        if state.lastID == id { state.overID = id }
        return nil
      }
      defer { state.waiter = nil }
      return state.waiter?.continuation
    }
    waiter?.resume()
  }
}
