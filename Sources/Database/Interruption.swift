import Dispatch
import Runtime
import Synchronization

/// Carries the cancellation of one task to the session that works for it, and to no later one.
///
/// The worker calls ``begin(_:)`` and ``end()`` around the part that may be interrupted; the cancelling
/// thread calls ``cancel()``. An interrupt that comes just before a statement does nothing to it, so it is
/// repeated until the worker is through; ``end()`` waits for the last one, so that it can't hit the
/// statement of whoever gets the session next.
final class Interruption: Sendable {
  private enum State {
    case idle
    case waiting(@Sendable () -> Void)
    case running(Interrupter)
    case interrupting
    case cancelled
  }

  private let state = Mutex(State.idle)
  private let workIsOver = DispatchSemaphore(value: 0)
  private let interrupterIsDone = DispatchSemaphore(value: 0)

  /// Waits for its turn at a session; `abandon` is called if it is cancelled before that comes. False if it is already.
  func wait(abandon: @escaping @Sendable () -> Void) -> Bool {
    state.withLock { state in
      guard case .idle = state else { return false }
      state = .waiting(abandon)
      return true
    }
  }

  /// Its turn has come; false if it was abandoned.
  func start() -> Bool {
    state.withLock { state in
      guard case .waiting = state else { return false }
      state = .idle
      return true
    }
  }

  /// Opens the part that may be interrupted; throws CancellationError if the task is cancelled already.
  func begin(_ interrupter: Interrupter) throws(CancellationError) {
    let isCancelled = state.withLock { state in
      guard case .idle = state else { return true }
      state = .running(interrupter)
      return false
    }
    if isCancelled { throw CancellationError() }
  }

  /// Closes it: from here on the work is finished whatever happens. False if it was cancelled in time.
  func end() -> Bool {
    let (isInterrupting, wasCancelled) = state.withLock { state in
      switch state {
      case .idle, .waiting: return (false, false)
      case .cancelled: return (false, true)
      case .running:
        state = .idle
        return (false, false)
      case .interrupting:
        state = .cancelled
        return (true, true)
      }
    }
    if isInterrupting {
      workIsOver.signal()
      interrupterIsDone.wait()
    }
    return !wasCancelled
  }

  /// Cancels: stops the running statement from a thread of its own, or keeps ``begin(_:)`` from starting.
  func cancel() {
    let (interrupter, abandon) = state.withLock { state -> (Interrupter?, (@Sendable () -> Void)?) in
      switch state {
      case .idle:
        state = .cancelled
        return (nil, nil)
      case .waiting(let abandon):
        state = .cancelled
        return (nil, abandon)
      case .running(let interrupter):
        state = .interrupting
        return (interrupter, nil)
      case .interrupting, .cancelled: return (nil, nil)
      }
    }
    abandon?()
    guard let interrupter else { return }
    SerialWorker(name: "interrupt").enqueue { [self] in
      var pause = 10
      repeat {
        interrupter.interrupt()
        pause = min(pause * 2, 1000)
      } while workIsOver.wait(timeout: .now() + .milliseconds(pause)) == .timedOut
      interrupterIsDone.signal()
    }
  }
}
