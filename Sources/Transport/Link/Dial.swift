import Glibc
import Runtime

/// Makes the TCP connection to a host, within a deadline.
struct Dial {
  let host: String
  let port: Int
  /// `AF_UNSPEC`, `AF_INET` or `AF_INET6`.
  let family: Int32
  /// How the host is called in messages.
  let name: String
  let waker: Waker
  let interruption: Interruption

  /// The socket, which does not block. Tries one address after the other.
  func connect(by deadline: ContinuousClock.Instant) throws -> Int32 {
    var last: (kind: TransportError.Kind, why: String) = (.unreachable, "it has no address")
    for address in try addresses(by: deadline) {
      switch try attempt(address, by: deadline) {
      case .connected(let socket): return socket
      case .failed(let code):
        last = (code == ETIMEDOUT ? .timedOut : .unreachable, String(cString: strerror(code)))
      case .outOfTime:
        throw failure(.timedOut, "no connection to port \(port) within the time allowed")
      }
    }
    throw failure(last.kind, "port \(port): \(last.why)")
  }

  private enum Outcome {
    case connected(Int32)
    case failed(Int32)
    case outOfTime
  }

  private func addresses(by deadline: ContinuousClock.Instant) throws -> [SocketAddress] {
    let answer = SocketAddress.resolving(host, port: port, family: family, waker: waker)
    while true {
      switch answer.value.withLock({ $0 }) {
      case .success(let addresses): return addresses
      case .failure(let failure):
        throw self.failure(
          .unreachable, "\(host): \(failure.text)",
          "check the name, or give HostName in ~/.ssh/config")
      case nil: break
      }
      var entry = pollfd(fd: waker.descriptor, events: Int16(POLLIN), revents: 0)
      let ready = poll(&entry, 1, deadline.pollTimeout)
      waker.quieten()
      if interruption.isSet { throw CancellationError() }
      if ready == 0 { throw failure(.timedOut, "the resolver does not answer for \(host)") }
    }
  }

  private func attempt(_ address: SocketAddress, by deadline: ContinuousClock.Instant) throws -> Outcome {
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let socket = Glibc.socket(address.family, type, 0)
    guard socket >= 0 else { return .failed(errno) }
    var keeps = false
    defer { if !keeps { close(socket) } }
    var one: Int32 = 1
    // Small packets of a dialogue must not wait for one another; and a peer whose host is gone is noticed.
    setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &one, socklen_t(MemoryLayout<Int32>.size))
    let code = address.bytes.withUnsafeBytes { bytes -> Int32 in
      guard let pointer = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self) else { return EINVAL }
      return Glibc.connect(socket, pointer, socklen_t(bytes.count)) == 0 ? 0 : errno
    }
    if code != 0, code != EINPROGRESS { return .failed(code) }
    while code != 0 {
      var entries = [
        pollfd(fd: socket, events: Int16(POLLOUT), revents: 0),
        pollfd(fd: waker.descriptor, events: Int16(POLLIN), revents: 0),
      ]
      let ready = poll(&entries, 2, deadline.pollTimeout)
      if entries[1].revents != 0 { waker.quieten() }
      if interruption.isSet { throw CancellationError() }
      if ready == 0 { return .outOfTime }
      if entries[0].revents != 0 { break }
    }
    var error: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size)
    guard error == 0 else { return .failed(error) }
    keeps = true
    return .connected(socket)
  }

  private func failure(_ kind: TransportError.Kind, _ why: String, _ mend: String? = nil) -> TransportError {
    TransportError(
      kind, what: "can't reach \(name)", why: why,
      mend: mend ?? "check that the host is up and that sshd listens there")
  }
}

extension ContinuousClock.Instant {
  /// What is left until then, as poll(2) wants it.
  var pollTimeout: Int32 {
    let left = max(.zero, self - ContinuousClock.now) / Duration.milliseconds(1)
    return Int32(min(left.rounded(.up), 1e9))
  }
}
