import CSSH2
import Glibc
import Runtime

/// libssh2's session over one link: every call of the library is made through it, on the session's thread.
///
/// libssh2 is used without blocking. Where it would block, the wire waits in poll(2) until there is something to do, the
/// time is up, the peer has been silent for too long, or the task that waits has been cancelled.
final class Wire {
  /// How long something may take, and how it is called where it took longer.
  struct Limit {
    let at: ContinuousClock.Instant
    let stage: String

    /// `duration` from now.
    init(_ duration: Duration, _ stage: String) {
      at = .now + duration
      self.stage = stage
    }
  }

  /// How the host is called in messages.
  let name: String
  let link: Link
  let waker: Waker
  /// What every call of libssh2 is given first.
  let session: OpaquePointer
  /// What messages say was not done.
  var activity: String
  /// How the task that waits at the moment can end its waiting.
  var interruption: Interruption?
  /// How long a dialogue may take that no work on the host is part of.
  let patience: Duration

  private let aliveInterval: Duration?
  private let aliveCount: Int
  private var nextKeepAlive = ContinuousClock.now
  private var readingSince = ContinuousClock.now
  /// Probes without an answer, and since when there has been none.
  private var probes = 0
  private var probedSince = ContinuousClock.now

  /// A session over `link`; nothing is sent before the handshake.
  init(name: String, link: Link, waker: Waker, settings: HostSettings) throws {
    Library.start()
    self.name = name
    self.link = link
    self.waker = waker
    activity = "can't reach \(name)"
    patience = settings.connectTimeout
    aliveInterval = settings.serverAliveInterval
    aliveCount = settings.serverAliveCountMax
    let abstract = Unmanaged.passUnretained(link).toOpaque()
    guard
      let session = eventor_ssh2_session(
        abstract, LinkCallbacks.receive, LinkCallbacks.send, LinkCallbacks.farewell)
    else {
      throw TransportError(.unreachable, what: activity, why: "there is no memory left")
    }
    self.session = session
    // Answers are wanted; when it is due is decided below. libssh2 sends no two within two seconds.
    libssh2_keepalive_config(session, 1, 1)
  }

  deinit {
    // A link that is severed makes every call return at once, so that this doesn't ask to be called again for long.
    link.sever()
    var tries = 0
    while libssh2_session_free(session) == LIBSSH2_ERROR_EAGAIN, tries < 100 { tries += 1 }
  }

  // MARK: Calls

  /// Calls `body` until libssh2 has an answer, and returns it.
  func perform(_ limit: Limit, _ body: () -> Int32) throws -> Int32 {
    while true {
      link.allowReading()
      let code = body()
      link.flush()
      if code != LIBSSH2_ERROR_EAGAIN { return code }
      try wait(until: limit)
    }
  }

  /// Calls `body` until it makes something, and returns that; nil if it failed, for which ``lastError`` has the reason.
  func make(_ limit: Limit, _ body: () -> OpaquePointer?) throws -> OpaquePointer? {
    while true {
      link.allowReading()
      let made = body()
      link.flush()
      if let made { return made }
      if lastError.code != LIBSSH2_ERROR_EAGAIN { return nil }
      try wait(until: limit)
    }
  }

  /// Waits until there is something to read from the host (unless `reading` is false), room to send, or something to
  /// do on one of `others`. Throws if the time is up, the peer seems dead, or the task was cancelled.
  func wait(until limit: Limit? = nil, reading: Bool = true, others: inout [pollfd]) throws {
    link.flush()
    if let interruption, interruption.isSet { throw CancellationError() }
    let now = ContinuousClock.now
    if let limit, limit.at <= now {
      throw failure(
        .timedOut, "\(limit.stage): no end within the time allowed", "try again, or raise ConnectTimeout")
    }
    if !reading { readingSince = now }
    let wakeUp = try keepAlive(now, reading: reading)
    let deadline = [limit?.at, wakeUp].compactMap { $0 }.min()
    let events = (reading ? POLLIN : 0) | (link.backlog > 0 ? POLLOUT : 0)
    var entries = [
      pollfd(fd: events == 0 ? -1 : link.descriptor, events: Int16(events), revents: 0),
      pollfd(fd: waker.descriptor, events: Int16(POLLIN), revents: 0),
    ]
    entries += others
    _ = poll(&entries, nfds_t(entries.count), deadline?.pollTimeout ?? -1)
    if entries[1].revents != 0 { waker.quieten() }
    others = Array(entries.dropFirst(2))
    link.flush()
    if let interruption, interruption.isSet { throw CancellationError() }
  }

  /// Throws as ``wait(until:reading:others:)`` does, but doesn't wait.
  func glance(until limit: Limit?) throws {
    if let interruption, interruption.isSet { throw CancellationError() }
    if let limit, limit.at <= .now {
      throw failure(.timedOut, "\(limit.stage): no end within the time allowed")
    }
  }

  /// As above, with nothing else to wait for.
  func wait(until limit: Limit? = nil) throws {
    var none: [pollfd] = []
    try wait(until: limit, others: &none)
  }

  /// Asks a host for a sign of life that has been silent for a while; returns when to look again.
  private func keepAlive(_ now: ContinuousClock.Instant, reading: Bool) throws -> ContinuousClock.Instant? {
    guard let aliveInterval, reading else { return nil }
    let silentSince = max(link.lastHeard, readingSince)
    if silentSince > probedSince { (probes, probedSince) = (0, silentSince) }
    // Counted, as a process that stood still for so long has not asked for as long.
    if aliveCount > 0, probes >= aliveCount, now >= nextKeepAlive {
      let seconds = Int((now - silentSince) / .seconds(1))
      throw failure(
        .lost, "the host has been silent for \(seconds) s", "check the host and the network between")
    }
    if now - silentSince >= aliveInterval, now >= nextKeepAlive {
      var next: Int32 = 0
      if libssh2_keepalive_send(session, &next) == 0 { link.flush() }
      probes += 1
      nextKeepAlive = now + aliveInterval
    }
    return max(silentSince + aliveInterval, nextKeepAlive)
  }

  // MARK: Failures

  /// What libssh2 says of the last call that failed.
  var lastError: (code: Int32, text: String) {
    var text: UnsafeMutablePointer<CChar>?
    var length: Int32 = 0
    let code = libssh2_session_last_error(session, &text, &length, 0)
    return (code, text.map { String(cString: $0) } ?? "no reason given")
  }

  /// A failure of what the wire is about.
  func failure(_ kind: TransportError.Kind, _ why: String, _ mend: String = "") -> TransportError {
    TransportError(kind, what: activity, why: why, mend: mend)
  }

  /// The failure of a call that returned `code` while `stage` was under way; nil if the connection still stands.
  func connectionFailure(_ code: Int32, _ stage: String) -> TransportError? {
    if let farewell = link.farewell {
      return failure(.lost, "\(stage): the host has closed the connection, saying \(quoted(farewell))")
    }
    if link.isEnded { return failure(.lost, "\(stage): the host has closed the connection") }
    if let error = link.failure {
      return failure(.lost, "\(stage): \(String(cString: strerror(error)))")
    }
    return switch code {
    case LIBSSH2_ERROR_SOCKET_DISCONNECT, LIBSSH2_ERROR_SOCKET_RECV, LIBSSH2_ERROR_SOCKET_SEND:
      failure(.lost, "\(stage): the connection is lost")
    case LIBSSH2_ERROR_PROTO, LIBSSH2_ERROR_OUT_OF_BOUNDARY, LIBSSH2_ERROR_DECRYPT, LIBSSH2_ERROR_INVALID_MAC,
      LIBSSH2_ERROR_KEX_FAILURE, LIBSSH2_ERROR_KEY_EXCHANGE_FAILURE, LIBSSH2_ERROR_ZLIB:
      failure(.protocolViolation, "\(stage): \(lastError.text)")
    default: nil
    }
  }

  /// The failure of a call that returned `code`, whatever it is; a refusal if the connection still stands.
  func anyFailure(_ code: Int32, _ stage: String) -> TransportError {
    connectionFailure(code, stage) ?? failure(.refused, "\(stage): \(lastError.text)")
  }

  /// Says goodbye, as far as that goes without waiting.
  func disconnect() {
    link.allowReading()
    _ = libssh2_session_disconnect_ex(session, SSH_DISCONNECT_BY_APPLICATION, "done", "")
    link.flush()
  }
}

/// libssh2 as a whole.
enum Library {
  private static let started: Bool = libssh2_init(0) == 0

  /// Prepares the library, once. The call isn't safe on two threads; a static's beginning is.
  static func start() { _ = started }

  /// The version at run time, such as `1.10.0`.
  static var version: String { libssh2_version(0).map { String(cString: $0) } ?? "?" }

  /// Whether RSA keys are of use: before 1.11 libssh2 knows only their signatures with SHA-1.
  static var signsRSAWithSHA2: Bool { libssh2_version(0x010b00) != nil }
}
