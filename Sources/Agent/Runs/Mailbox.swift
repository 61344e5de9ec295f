import Synchronization

/// What happens to an agent, gathered until it looks: many ends that come at once are taken at once.
final class Mailbox<Message: Sendable>: Sendable {
  private struct State {
    var messages: [Message] = []
    var waiter: CheckedContinuation<Void, Never>?
    /// Rings at a moment at which, or after which, somebody wanted to be woken.
    var timer: (moment: ContinuousClock.Instant, task: Task<Void, Never>)?
    /// Whether it has rung, or the waiting task was cancelled, since somebody waited last.
    var hasRung = false
  }
  private let state = Mutex(State())

  deinit { state.withLock { $0.timer?.task.cancel() } }

  /// Adds a message and wakes whoever waits. May be called on any thread; never blocks for long.
  func post(_ message: Message) {
    let waiter = state.withLock { state in
      state.messages.append(message)
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume()
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

  /// Returns when there is a message, after `time`, or when the task is cancelled; now and then for no reason. One caller at
  /// a time.
  func wait(atMost time: Duration) async {
    arm(for: .now + time)
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isReady = state.withLock { state in
          guard state.messages.isEmpty, !state.hasRung, !Task.isCancelled else { return true }
          state.waiter = continuation
          return false
        }
        if isReady { continuation.resume() }
      }
    } onCancel: {
      ring(at: nil)
    }
    state.withLock { $0.hasRung = false }
  }

  /// A busy agent waits a thousand times a second, and hardly ever until its time is over: a timer that rings too early costs
  /// a turn of its loop, and setting one anew each time costs two threads that are woken.
  private func arm(for moment: ContinuousClock.Instant) {
    state.withLock { state in
      if let timer = state.timer, timer.moment <= moment { return }
      state.timer?.task.cancel()
      let task = Task { [weak self] in
        do { try await Task.sleep(until: moment, clock: .continuous) } catch { return }
        self?.ring(at: moment)
      }
      state.timer = (moment, task)
    }
  }

  private func ring(at moment: ContinuousClock.Instant?) {
    let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
      if let moment {
        // One that was replaced while it was about to ring.
        guard state.timer?.moment == moment else { return nil }
        state.timer = nil
      }
      state.hasRung = true
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume()
  }
}
