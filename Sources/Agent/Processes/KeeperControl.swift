import CProcess
import Glibc
import Synchronization

/// Reaches the living keeper of an earlier agent, to guard, stop and forget the steps it has started. What comes of that is
/// in its journal.
///
/// Keepers answer only their own user and root, under a name that stands in their journal; each end checks the other.
final class KeeperControl: Sendable {
  private let journal: String
  /// The socket; nil until the first request, and again after one that could not be sent.
  private let socket = Mutex<Int32?>(nil)

  /// The keeper that writes `journal`. It is connected to when there is something to say.
  init(journal: String) { self.journal = journal }

  deinit { socket.withLock { if let descriptor = $0 { close(descriptor) } } }

  /// Sends requests in their order.
  ///
  /// - Returns: Whether the keeper has them; false if it is gone, of another version, or does not read.
  func send(_ requests: [[UInt8]]) -> Bool {
    socket.withLock { socket in
      guard let descriptor = socket ?? connect() else { return false }
      socket = descriptor
      for request in requests where !send(request, to: descriptor) {
        // A part of it may be on its way: nothing that follows would be understood.
        close(descriptor)
        socket = nil
        return false
      }
      return true
    }
  }

  private func connect() -> Int32? {
    guard let greeting = try? KeeperJournal.contents(of: journal).greeting,
      greeting.name.hasPrefix("eventor-keeper-\(evk_wire_version())-")
    else { return nil }
    let descriptor = evk_connect(greeting.name, greeting.keeper)
    return descriptor >= 0 ? descriptor : nil
  }

  private func send(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }
}
