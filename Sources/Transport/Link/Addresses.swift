import Glibc
import Runtime
import Synchronization

/// Where a host name leads.
struct SocketAddress: Sendable, Hashable {
  let family: Int32
  /// A `sockaddr` of that family.
  let bytes: [UInt8]

  /// What getaddrinfo(3) says to `host`; blocks for as long as the resolver does.
  static func resolve(_ host: String, port: Int, family: Int32) -> Result<[SocketAddress], ResolverFailure> {
    var hints = addrinfo()
    hints.ai_family = family
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &list)
    guard code == 0 else { return .failure(ResolverFailure(text: String(cString: gai_strerror(code)))) }
    defer { freeaddrinfo(list) }
    var found: [SocketAddress] = []
    var entry = list
    while let info = entry?.pointee {
      let bytes = UnsafeRawBufferPointer(start: info.ai_addr, count: Int(info.ai_addrlen))
      found.append(SocketAddress(family: info.ai_family, bytes: Array(bytes)))
      entry = info.ai_next
    }
    return .success(found)
  }

  /// As ``resolve(_:port:family:)``, on a thread of its own that is left to itself after `limit`: the resolver knows
  /// no deadline. `waker` is rung when there is an answer.
  static func resolving(
    _ host: String, port: Int, family: Int32, waker: Waker
  ) -> Mutexed<Result<[SocketAddress], ResolverFailure>?> {
    let answer = Mutexed<Result<[SocketAddress], ResolverFailure>?>(nil)
    let isStarted = BackgroundThread.start(named: "ssh-resolver") {
      let result = resolve(host, port: port, family: family)
      answer.value.withLock { $0 = result }
      waker.ring()
    }
    if !isStarted {
      answer.value.withLock { $0 = .failure(ResolverFailure(text: "no thread is to be had")) }
    }
    return answer
  }
}

/// Why a name has no address.
struct ResolverFailure: Error, Hashable {
  let text: String
}

/// A mutex that two threads may hold on to.
final class Mutexed<Value: Sendable>: Sendable {
  let value: Mutex<Value>

  init(_ value: Value) { self.value = Mutex(value) }
}
