import CPostgres
import Database
import Glibc

/// Owns the connection of libpq and the object that cancels its statement.
///
/// Unchecked because of the pointers: `pointer` is used on the session's thread only; of `canceller` the
/// manual says "PQcancel can safely be invoked from a signal handler", and it is freed in `deinit`, which
/// runs when no interrupter holds this object any more.
final class PostgresConnection: @unchecked Sendable {
  let pointer: OpaquePointer
  private var canceller: OpaquePointer?

  init(_ pointer: OpaquePointer) {
    self.pointer = pointer
    // Notices go to standard error otherwise.
    PQsetNoticeProcessor(pointer, { _, _ in }, nil)
  }

  deinit {
    if let canceller { PQfreeCancel(canceller) }
    PQfinish(pointer)
  }

  /// Notes how to cancel, which libpq knows once connected; called before any other thread sees this.
  func prepareCancelling() {
    canceller = PQgetCancel(pointer)
  }

  var isAlive: Bool { PQstatus(pointer) == CONNECTION_OK }

  /// Asks the server, over a connection of its own, to stop the running statement. Blocks.
  func cancel() {
    var text = [CChar](repeating: 0, count: 256)
    guard let canceller else { return }
    // A failure means that the server is gone, which the statement notices by itself.
    _ = PQcancel(canceller, &text, Int32(text.count))
  }

  /// Reads what came while idle: the last words of a server that is leaving, then the end of the stream.
  func noticeLoss() {
    for _ in 0..<4 {
      var descriptor = pollfd(fd: PQsocket(pointer), events: Int16(POLLIN), revents: 0)
      guard descriptor.fd >= 0, poll(&descriptor, 1, 0) > 0, PQconsumeInput(pointer) != 0 else { return }
    }
  }

  /// Breaks the connection below libpq, as a cut cable would.
  func sever() {
    _ = shutdown(PQsocket(pointer), Int32(SHUT_RDWR))
  }

  /// libpq's last error text on one line; it never holds the password.
  var errorText: String {
    String(cString: PQerrorMessage(pointer))
      .split(separator: "\n").map { $0.drop { $0 == " " || $0 == "\t" } }.joined(separator: "; ")
  }
}
