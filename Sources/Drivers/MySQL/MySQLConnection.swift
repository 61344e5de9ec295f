import CMySQL
import Database
import Glibc

/// Owns the connection of MariaDB's connector; used on the session's thread only.
final class MySQLConnection {
  let pointer: UnsafeMutablePointer<MYSQL>

  init(_ pointer: UnsafeMutablePointer<MYSQL>) {
    self.pointer = pointer
  }

  deinit {
    mysql_close(pointer)
  }

  var errorNumber: UInt32 { mysql_errno(pointer) }
  var errorText: String { String(cString: mysql_error(pointer)) }
  /// The server's number for this connection, which KILL takes.
  var identifier: UInt { UInt(mysql_thread_id(pointer)) }

  /// Runs text as it is, all its statements, and drops their rows; false on an error.
  func run(_ text: String) -> Bool {
    guard mysql_real_query(pointer, text, UInt(text.utf8.count)) == 0 else { return false }
    while true {
      if let result = mysql_store_result(pointer) {
        mysql_free_result(result)
      } else if mysql_field_count(pointer) != 0 {
        return false
      }
      switch mysql_next_result(pointer) {
      case 0: continue
      case -1: return true
      default: return false
      }
    }
  }

  /// Whether the server has closed, or said its last words: between statements it never sends anything.
  var hasLeft: Bool { hasInput(within: 0) }

  /// Waits for something to read, or for the end of the stream, at most so many milliseconds.
  func hasInput(within milliseconds: Int32) -> Bool {
    var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    return descriptor.fd < 0 || poll(&descriptor, 1, milliseconds) > 0
  }

  /// A host that vanished is noticed within about half a minute, not in hours.
  func keepAlive() {
    set(SOL_SOCKET, SO_KEEPALIVE, 1)
    set(Int32(IPPROTO_TCP), TCP_KEEPIDLE, 10)
    set(Int32(IPPROTO_TCP), TCP_KEEPINTVL, 5)
    set(Int32(IPPROTO_TCP), TCP_KEEPCNT, 3)
    set(Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, 30_000)
  }

  /// Breaks the connection below the connector, as a cut cable would.
  func sever() {
    _ = shutdown(socket, Int32(SHUT_RDWR))
  }

  /// The socket below, to wait on.
  var socket: Int32 { Int32(truncatingIfNeeded: mysql_get_socket(pointer)) }

  /// On a Unix socket the TCP options fail, and aren't needed.
  private func set(_ level: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    _ = setsockopt(socket, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }
}
