import CSSH2
import Glibc

/// The socket of one session, as libssh2 reads and writes it.
///
/// What libssh2 sends goes into a buffer first, so that to it no sending ever blocks: half-sent packets are what its
/// non-blocking calls can't share. And one call never reads more than a quota, so that a host that talks without end
/// can't keep it from coming back to look at the clock.
///
/// Belongs to the thread of its session.
final class Link {
  /// The socket; closed with the link.
  let descriptor: Int32
  /// When the other end was last heard of.
  private(set) var lastHeard = ContinuousClock.now
  /// The first bytes received, until ``forgetBeginning()``: before encryption begins, they tell what a host offers.
  private(set) var beginning: [UInt8] = []
  /// Bytes received in all.
  private(set) var received = 0
  /// Whether the other end has closed the connection.
  private(set) var isEnded = false
  /// The errno of the socket's failure, if it has failed.
  private(set) var failure: Int32?
  /// What the other end said when it closed the connection in due form.
  fileprivate(set) var farewell: String?
  /// How long ssh-agent may take to answer.
  var sideDeadline = ContinuousClock.now

  private var quota = 0
  private var keepsBeginning = true
  private var outbound: [UInt8] = []
  private var sent = 0
  private var isSevered = false

  /// Takes over `descriptor`, which must not block.
  init(descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// Bytes that wait to be sent.
  var backlog: Int { outbound.count - sent }

  /// Lets the next call of libssh2 read: 4 MiB, or 65,536 times next to nothing.
  func allowReading() { quota = 4 << 20 }

  /// Stops keeping what is received.
  func forgetBeginning() {
    keepsBeginning = false
    beginning = []
  }

  /// From now on nothing is sent or received: libssh2 gives up its state without waiting for anybody.
  func sever() { isSevered = true }

  /// Sends as much of the backlog as the socket takes.
  func flush() {
    while backlog > 0, failure == nil {
      let count = outbound.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress?.advanced(by: sent), backlog, Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        sent += count
      } else if errno == EAGAIN {
        break
      } else if errno != EINTR {
        failure = errno
      }
    }
    if backlog == 0 {
      outbound.removeAll(keepingCapacity: true)
      sent = 0
    } else if sent > 1 << 20 {
      outbound.removeFirst(sent)
      sent = 0
    }
  }

  // MARK: As libssh2 calls it: a count, or the negative errno

  fileprivate func receive(_ socket: Int32, _ buffer: UnsafeMutableRawPointer, _ length: Int) -> Int {
    guard socket == descriptor else { return converse(socket, POLLIN) { recv(socket, buffer, length, 0) } }
    if isSevered { return -Int(ECONNRESET) }
    guard quota > 0 else { return -Int(EAGAIN) }
    while true {
      let count = recv(descriptor, buffer, length, 0)
      if count < 0 {
        if errno == EINTR { continue }
        if errno != EAGAIN { failure = errno }
        return -Int(errno)
      }
      if count == 0 {
        isEnded = true
        return 0
      }
      quota -= max(count, 64)
      received += count
      lastHeard = .now
      if keepsBeginning, beginning.count < 64 << 10 {
        beginning += UnsafeRawBufferPointer(start: buffer, count: count)
      }
      return count
    }
  }

  fileprivate func send(_ socket: Int32, _ buffer: UnsafeRawPointer, _ length: Int) -> Int {
    guard socket == descriptor else {
      return converse(socket, POLLOUT) { Glibc.send(socket, buffer, length, Int32(MSG_NOSIGNAL)) }
    }
    if isSevered { return -Int(ECONNRESET) }
    if let failure { return -Int(failure) }
    outbound += UnsafeRawBufferPointer(start: buffer, count: length)
    return length
  }

  /// libssh2 speaks with ssh-agent through the same callbacks, and would wait for it, or read its end, for ever.
  private func converse(_ socket: Int32, _ event: Int32, _ body: () -> Int) -> Int {
    while true {
      var entry = pollfd(fd: socket, events: Int16(event), revents: 0)
      let left = max(.zero, sideDeadline - .now) / Duration.milliseconds(1)
      let ready = poll(&entry, 1, Int32(min(left.rounded(.up), 1e9)))
      if ready < 0, errno == EINTR { continue }
      guard ready > 0 else { return -Int(ETIMEDOUT) }
      let count = body()
      if count > 0 { return count }
      if count == 0 { return -Int(ECONNRESET) }
      if errno != EINTR, errno != EAGAIN { return -Int(errno) }
    }
  }
}

/// libssh2's way to the link: its session's `abstract` points at it.
enum LinkCallbacks {
  static let receive: eventor_ssh2_receive = { socket, buffer, length, _, abstract in
    guard let link = abstract?.pointee, let buffer else { return -Int(EBADF) }
    return Unmanaged<Link>.fromOpaque(link).takeUnretainedValue().receive(socket, buffer, length)
  }

  static let send: eventor_ssh2_send = { socket, buffer, length, _, abstract in
    guard let link = abstract?.pointee, let buffer else { return -Int(EBADF) }
    return Unmanaged<Link>.fromOpaque(link).takeUnretainedValue().send(socket, buffer, length)
  }

  static let farewell: eventor_ssh2_farewell = { _, reason, message, length, _, _, abstract in
    guard let link = abstract?.pointee else { return }
    let bytes = UnsafeRawBufferPointer(start: message, count: message == nil ? 0 : Int(length))
    let text = String(decoding: bytes, as: UTF8.self)
    Unmanaged<Link>.fromOpaque(link).takeUnretainedValue().farewell = text.isEmpty ? "code \(reason)" : text
  }
}
