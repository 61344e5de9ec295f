import Glibc
import Runtime

/// A session with one host: logged in, and ready for commands and files, one after the other.
///
/// Everything is done on a thread of the session's own, so waiting for a host costs no thread of Swift's. A task that is
/// cancelled ends what the session does for it; a command on the host is ended too. What a second task asks of the same
/// session waits until the first is done. While something is under way, a silent host is asked for signs of life, and
/// given up as `ServerAliveInterval` and `ServerAliveCountMax` say.
public final class SSHSession: Sendable {
  /// Who was reached, and how.
  public struct Peer: Sendable, Hashable {
    /// The host's settings.
    public let settings: HostSettings
    /// The key it has shown.
    public let hostKey: HostKey
    /// Whether that key was unknown and has been stored.
    public let isNewKey: Bool
    /// How the login went: the type and place of the key.
    public let authentication: String
    /// The host's greeting, such as `SSH-2.0-OpenSSH_9.2p1`.
    public let greeting: String
  }

  /// Who was reached, and how.
  public let peer: Peer
  private let worker: SerialWorker
  private let waker: Waker
  private let place: WirePlace
  /// The session that carries this one, where it goes through another host.
  private let carrier: SSHSession?

  private init(
    peer: Peer, worker: SerialWorker, waker: Waker, place: WirePlace, carrier: SSHSession?
  ) {
    self.peer = peer
    self.worker = worker
    self.waker = waker
    self.place = place
    self.carrier = carrier
  }

  /// Connects, through `carrier` if there is one, and logs in.
  static func open(_ settings: HostSettings, options: SSHClient.Options, through carrier: SSHSession?)
    async throws
    -> SSHSession
  {
    let shown = settings.host == settings.hostName ? settings.host : "\(settings.host) (\(settings.hostName))"
    guard let waker = Waker() else {
      throw TransportError(
        .unreachable, what: "can't reach \(shown)", why: "this process has no descriptor left",
        mend: "raise ulimit -n")
    }
    let worker = SerialWorker(name: "ssh \(settings.host)")
    let interruption = Interruption(waker: waker)
    let socket = try await carrier?.connection(to: settings.hostName, port: settings.port, name: shown)
    return try await withTaskCancellationHandler {
      try await worker.run {
        let descriptor =
          try socket
          ?? Dial(
            host: settings.hostName, port: settings.port, family: settings.addressFamily.number, name: shown,
            waker: waker, interruption: interruption
          ).connect(by: .now + settings.connectTimeout)
        let wire = try Wire(
          name: shown, link: Link(descriptor: descriptor), waker: waker, settings: settings)
        wire.interruption = interruption
        defer { wire.interruption = nil }
        let check = HostKeyCheck(settings: settings, acceptsNew: options.acceptsNewKeys)
        let known = try check.knownHosts()
        let key = try wire.shakeHands(preferredTypes: known.types(for: check.names))
        let isNew = try check.admit(key, known: known, activity: wire.activity)
        var authentication = Authentication(wire: wire, settings: settings, passphrase: options.passphrase)
        let how = try authentication.logIn()
        wire.activity = "\(shown) over SSH"
        let peer = Peer(
          settings: settings, hostKey: key, isNewKey: isNew, authentication: how, greeting: wire.greeting)
        return SSHSession(
          peer: peer, worker: worker, waker: waker, place: WirePlace(wire), carrier: carrier)
      }
    } onCancel: {
      interruption.set()
    }
  }

  // MARK: Commands

  /// Carries out `command` with its streams as given, and returns how it ended there.
  ///
  /// Cancelling the task ends the command and its process group: by `TERM`, after 5 seconds by `KILL`, and is thrown as
  /// `CancellationError`. If instead this process or the connection dies, the command finds its input at its end and
  /// its output closed, and no signal comes.
  public func execute(
    _ command: RemoteCommand, input: ByteSource = .none, output: ByteSink = .discard,
    error: ByteSink = .discard,
    control: RemoteControl = RemoteControl()
  ) async throws -> RemoteEnd {
    let waker = waker
    let pipes = BytePipe.all(input, output, error)
    for pipe in pipes { pipe.observe { waker.ring() } }
    control.attach(waker)
    defer {
      control.attach(nil)
      for pipe in pipes { pipe.observe(nil) }
      if case .pipe(let pipe) = input { pipe.abandon() }
      if case .pipe(let pipe) = output { pipe.finish() }
      if case .pipe(let pipe) = error { pipe.finish() }
    }
    return try await run { wire in
      try wire.execute(
        command, input: input, output: Outlet(output), error: Outlet(error), control: control)
    }
  }

  /// Carries out a short command and returns what it said, up to `limit` bytes of each stream. One that has not ended
  /// `within` a time is ended, and thrown as ``TransportError`` with `.timedOut`: however much it says meanwhile.
  public func gather(
    _ command: RemoteCommand, input: [UInt8] = [], limit: Int = 1 << 20, within time: Duration? = nil
  ) async throws -> RemoteOutcome {
    try await run { wire in
      let (output, error) = (Outlet.Gathered(limit: limit), Outlet.Gathered(limit: limit))
      let end = try wire.execute(
        command, input: .bytes(input), output: Outlet(output), error: Outlet(error), control: RemoteControl(),
        within: time)
      return RemoteOutcome(
        end: end, output: output.bytes, error: error.bytes, isCut: output.isCut || error.isCut)
    }
  }

  // MARK: The session's thread

  /// Runs `body` on the session's thread; cancelling the task ends its waiting.
  func run<T: Sendable>(_ body: @escaping @Sendable (Wire) throws -> T) async throws -> T {
    let interruption = Interruption(waker: waker)
    let place = place
    return try await withTaskCancellationHandler {
      try await worker.run {
        if interruption.isSet { throw CancellationError() }
        return try place.use(interruption, body)
      }
    } onCancel: {
      interruption.set()
    }
  }

  /// A socket whose other end the host connects to `target`. It occupies the session until it is closed.
  private func connection(to target: String, port: Int, name: String) async throws -> Int32 {
    let (channel, ours, theirs) = try await run { wire -> (ChannelPlace, Int32, Int32) in
      wire.activity = "can't reach \(name) through \(wire.name)"
      let channel = try Channel.connection(
        wire, to: target, port: port, limit: Wire.Limit(wire.patience, "connecting on"))
      var ends: [Int32] = [-1, -1]
      let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
      guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
        throw wire.failure(.unreachable, "this process has no descriptor left", "raise ulimit -n")
      }
      return (ChannelPlace(channel), ends[0], ends[1])
    }
    Task {
      // What breaks here the session at the other end of the socket finds out: it is closed then, also if this session was
      // closed before its thread came to it.
      defer { Glibc.close(theirs) }
      try? await run { _ in
        defer { channel.channel.close() }
        var pump = Pump(
          channel.channel, inlet: Inlet(.descriptor(theirs)), outlets: [Outlet(.descriptor(theirs))],
          endsWithEither: true)
        try pump.run()
      }
    }
    return ours
  }

  /// Says goodbye and closes the connection, after what the session does at the moment.
  public func close() async {
    let place = place
    _ = try? await worker.run { place.close() }
    await carrier?.close()
  }
}

/// The wire of a session, in the hands of its thread.
///
// Checked by hand: the wire is touched in jobs of one serial worker only, and freed when nobody can give it any more.
private final class WirePlace: @unchecked Sendable {
  private var wire: Wire?

  init(_ wire: Wire) { self.wire = wire }

  func use<T>(_ interruption: Interruption, _ body: (Wire) throws -> T) throws -> T {
    guard let wire else {
      throw TransportError(.lost, what: "an SSH session", why: "it was closed before")
    }
    wire.interruption = interruption
    defer { wire.interruption = nil }
    return try body(wire)
  }

  func close() {
    wire?.disconnect()
    wire = nil
  }
}

/// A channel on its way from one job of a session's worker to the next.
///
// Checked by hand: only jobs of that worker touch the channel.
private final class ChannelPlace: @unchecked Sendable {
  let channel: Channel

  init(_ channel: Channel) { self.channel = channel }
}

extension HostSettings.AddressFamily {
  fileprivate var number: Int32 {
    switch self {
    case .any: AF_UNSPEC
    case .inet: AF_INET
    case .inet6: AF_INET6
    }
  }
}

extension BytePipe {
  fileprivate static func all(_ input: ByteSource, _ sinks: ByteSink...) -> [BytePipe] {
    var pipes: [BytePipe] = []
    if case .pipe(let pipe) = input { pipes.append(pipe) }
    for case .pipe(let pipe) in sinks { pipes.append(pipe) }
    return pipes
  }
}
