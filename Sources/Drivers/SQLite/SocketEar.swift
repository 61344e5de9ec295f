import Database
import Glibc
import Runtime

/// Listens on an SQLite store: a datagram socket in Linux' abstract namespace, which has no file to leave behind.
///
/// The namespace is that of the network: a container with its own hears nothing from outside. Sockets in it have no
/// owner and their names can be seen by everybody (`/proc/net/unix`), so a ring must show the second half of the
/// address, which only the store tells.
final class SocketEar: Ear {
  private let socket: WakeSocket
  private let address: WakeAddress

  init(_ address: WakeAddress) throws(DatabaseError) {
    self.address = address
    guard let socket = WakeSocket(), socket.bind(to: address) else {
      throw DatabaseError(
        .unreachable, code: "errno \(errno)",
        message: "no socket for wake-ups: \(String(cString: strerror(errno)))")
    }
    self.socket = socket
  }

  func listen(until stop: StopSignal, onReady: () -> Void, onRing: () -> Void) throws(DatabaseError) {
    onReady()
    while stop.wait(reading: socket.descriptor) == .readable {
      if socket.takeRings(for: address) { onRing() }
    }
  }
}
