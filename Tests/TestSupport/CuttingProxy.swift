public import Database
import Foundation
import Synchronization

/// Stands between a client and its server on loopback, and can cut the connection at a chosen word.
///
/// With a word set, the first message of a client that contains it is passed on to the server, and both
/// sides are closed before the answer comes back: the client can't know what became of it.
public final class CuttingProxy: Sendable {
  /// Where to connect to.
  public let port: Int
  private let listener: Int32
  private let host: String
  private let serverPort: Mutex<Int>
  private let word = Mutex<[UInt8]?>(nil)

  /// Why there is no proxy.
  public struct Failure: Error {
    /// errno of the call that failed.
    public let code: Int32
  }

  /// Listens on a free port of 127.0.0.1 for connections to `host`:`port`.
  public init(host: String, port: Int) throws {
    self.host = host
    serverPort = Mutex(port)
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = Self.address("127.0.0.1", 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    let isBound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 16) == 0
          && getsockname(listener, $0, &length) == 0
      }
    }
    guard isBound else { throw Failure(code: errno) }
    self.port = Int(UInt16(bigEndian: address.sin_port))
    Thread.detachNewThread { [self] in serve() }
  }

  /// Cuts the next connection that sends `word`; others are left alone afterwards.
  public func cut(at word: String) {
    self.word.withLock { $0 = Array(word.utf8) }
  }

  /// Passes new connections on to another port: the server was started anew.
  public func goOn(to port: Int) { serverPort.withLock { $0 = port } }

  /// Stops taking connections.
  public func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  private func serve() {
    while true {
      let client = accept(listener, nil, nil)
      guard client >= 0 else { return }
      let upstream = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var address = Self.address(host, serverPort.withLock { $0 })
      let isConnected = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(upstream, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
      }
      guard isConnected else {
        close(client)
        close(upstream)
        continue
      }
      Thread.detachNewThread { [self] in copy(from: client, to: upstream, mayCut: true) }
      Thread.detachNewThread { [self] in copy(from: upstream, to: client, mayCut: false) }
    }
  }

  /// Copies until either side ends. The descriptors stay open then: two threads share them, and a test's
  /// few are closed with the process.
  private func copy(from source: Int32, to target: Int32, mayCut: Bool) {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(source, &buffer, buffer.count, 0)
      guard count > 0 else { break }
      if mayCut, takeWord(ifIn: buffer[..<count]) {
        shutdown(source, Int32(SHUT_RDWR))  // the client is cut off before the server can answer
        _ = send(target, buffer, count, Int32(MSG_NOSIGNAL))
        break
      }
      guard send(target, buffer, count, Int32(MSG_NOSIGNAL)) == count else { break }
    }
    shutdown(source, Int32(SHUT_RDWR))
    shutdown(target, Int32(SHUT_WR))
  }

  private func takeWord(ifIn bytes: ArraySlice<UInt8>) -> Bool {
    word.withLock { word in
      guard let wanted = word, bytes.contains(wanted) else { return false }
      word = nil
      return true
    }
  }

  private static func address(_ host: String, _ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port).bigEndian)
    address.sin_addr.s_addr = inet_addr(host == "localhost" ? "127.0.0.1" : host)
    return address
  }
}

extension StoreURL {
  /// The same database at another port of this machine, without encryption, so that a proxy can read along.
  public func unencrypted(port: Int) throws -> StoreURL {
    let option =
      kind == .mysql ? "ssl-mode=DISABLED" : "sslmode=disable&schema=\(options["schema"] ?? "")"
    return try StoreURL(
      "\(kind)://\(user ?? ""):\(password ?? "")@127.0.0.1:\(port)/\(database ?? "")?\(option)")
  }
}
