import Glibc

/// A datagram socket in Linux' abstract namespace (unix(7)) that never blocks; may be used by several threads.
final class WakeSocket: Sendable {
  let descriptor: Int32

  /// A socket without a name; nil if there is none to be had, for the reason in errno.
  init?() {
    let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    descriptor = socket(AF_UNIX, type, 0)
    if descriptor < 0 { return nil }
  }

  deinit {
    close(descriptor)
  }

  /// Gives it the address's name; false, with errno, if that can't be.
  func bind(to address: WakeAddress) -> Bool {
    Self.withName(of: address) { Glibc.bind(descriptor, $0, $1) == 0 }
  }

  /// Sends a ring. It is dropped when nobody has that address, and when so many lie there unread that one more
  /// makes no difference.
  func ring(_ address: WakeAddress) {
    let content = Array(address.name.utf8)
    _ = Self.withName(of: address) {
      sendto(descriptor, content, content.count, Int32(MSG_NOSIGNAL), $0, $1)
    }
  }

  /// Takes all rings that lie here; true if one of them is by somebody who knows the whole address.
  func takeRings(for address: WakeAddress) -> Bool {
    let expected = Array(address.name.utf8)
    var buffer = [UInt8](repeating: 0, count: expected.count + 1)
    var isRung = false
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count < 0, errno != EINTR { return isRung }
      if count == expected.count, buffer.starts(with: expected) { isRung = true }
    }
  }

  /// The address's first half after a NUL, which is what makes it abstract.
  private static func withName<R>(
    of address: WakeAddress, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R
  ) -> R {
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    let path = [0] + Array("eventor.\(address.publicHalf)".utf8)
    withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path) }
    let length = MemoryLayout<sockaddr_un>.offset(of: \.sun_path).map { $0 + path.count } ?? 0
    return withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(length)) }
    }
  }
}
