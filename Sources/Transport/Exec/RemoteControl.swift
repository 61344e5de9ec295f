import Runtime
import Synchronization

/// Signals to a remote command while it runs.
///
/// libssh2 can't send the protocol's own signal request before 1.11, and sshd carries it out only since OpenSSH 7.9. So
/// the command says its process id at its start, and a signal is a `kill` over a second channel of the same connection.
public final class RemoteControl: Sendable {
  /// The signals that can be sent.
  public enum Signal: String, Sendable, CaseIterable {
    case interrupt = "INT"
    case hangUp = "HUP"
    case quit = "QUIT"
    case terminate = "TERM"
    case kill = "KILL"
  }

  private struct State {
    var queue: [Signal] = []
    var waker: Waker?
  }

  private let state = Mutex(State())

  /// Controls nothing yet: it is handed to `execute`.
  public init() {}

  /// Sends `signal` to the command and its process group, or as soon as the command runs.
  public func send(_ signal: Signal) {
    let waker = state.withLock { state in
      state.queue.append(signal)
      return state.waker
    }
    waker?.ring()
  }

  func attach(_ waker: Waker?) { state.withLock { $0.waker = waker } }

  func next() -> Signal? { state.withLock { $0.queue.isEmpty ? nil : $0.queue.removeFirst() } }
}
