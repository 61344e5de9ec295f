import Foundation
import Glibc
import Synchronization
import Testing

/// A plain TCP server on loopback, which does with each connection what a test wants.
final class Listener: Sendable {
  let port: Int
  private let descriptor: Int32
  private let connections = Mutex<[Int32]>([])

  init() throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = descriptor
    let isBound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) == 0 && Glibc.listen(descriptor, 64) == 0
          && getsockname(descriptor, $0, &size) == 0
      }
    }
    port = Int(in_port_t(bigEndian: address.sin_port))
    guard isBound else { throw Tool.Failure(description: "no port is to be had") }
  }

  func close() { Glibc.close(descriptor) }

  /// Ends all connections.
  func hangUp() { for connection in connections.withLock({ $0 }) { shutdown(connection, Int32(SHUT_RDWR)) } }

  /// Hands `body` a server that treats each connection, on a thread of its own, with `serve`, and closes it after that.
  static func with(
    _ serve: @escaping @Sendable (Int32) -> Void, _ body: (Listener) async throws -> Void
  ) async throws {
    let listener = try Listener()
    Thread.detachNewThread {
      while true {
        let connection = accept(listener.descriptor, nil, nil)
        if connection < 0 { return }
        listener.connections.withLock { $0.append(connection) }
        Thread.detachNewThread {
          serve(connection)
          shutdown(connection, Int32(SHUT_RDWR))
        }
      }
    }
    let result: Result<Void, any Error>
    do { result = .success(try await body(listener)) } catch { result = .failure(error) }
    // The descriptors themselves are closed only when no thread can use them any more: never.
    shutdown(listener.descriptor, Int32(SHUT_RDWR))
    for connection in listener.connections.withLock({ $0 }) { shutdown(connection, Int32(SHUT_RDWR)) }
    try result.get()
  }

  // MARK: What servers do

  static func say(_ bytes: some Sequence<UInt8>, to connection: Int32) -> Bool {
    var rest = Array(bytes)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if count <= 0 { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  static func say(_ text: String, to connection: Int32) -> Bool { say(text.utf8, to: connection) }

  /// Waits until the client is gone.
  static func listen(to connection: Int32) {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while recv(connection, &buffer, buffer.count, 0) > 0 {}
  }
}

/// Passes connections on to a port, until it is told to keep everything to itself: as a host whose cable was cut.
final class Relay: Sendable {
  private let isFrozen = Mutex(false)
  private let count = Mutex(0)
  let port: Int

  init(port: Int) { self.port = port }

  func freeze() { isFrozen.withLock { $0 = true } }

  /// How many bytes it has passed on.
  var passed: Int { count.withLock { $0 } }

  /// What a ``Listener`` does with each connection.
  func serve(_ connection: Int32) {
    let onward = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(onward) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    let isThere = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(onward, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    guard isThere else { return }
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      var entries = [
        pollfd(fd: connection, events: Int16(POLLIN), revents: 0),
        pollfd(fd: onward, events: Int16(POLLIN), revents: 0),
      ]
      poll(&entries, 2, 100)
      if isFrozen.withLock({ $0 }) {
        Listener.listen(to: connection)
        return
      }
      for (entry, other) in [(entries[0], onward), (entries[1], connection)] where entry.revents != 0 {
        let count = recv(entry.fd, &buffer, buffer.count, 0)
        if count <= 0 || !Listener.say(buffer[..<count], to: other) { return }
        self.count.withLock { $0 += count }
      }
    }
  }
}
