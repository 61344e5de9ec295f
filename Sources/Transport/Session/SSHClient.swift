/// Reaches hosts as `ssh` would: by the names, keys and ways of `~/.ssh/config`.
public struct SSHClient: Sendable {
  /// What the configuration leaves to whoever calls.
  public struct Options: Sendable {
    /// Whether a host key that is not known is stored; a changed one never is.
    public var acceptsNewKeys = false
    /// How long each of connecting, exchanging keys and logging in may take, instead of `ConnectTimeout`.
    public var timeout: Duration?
    /// Who knows passphrases of key files; nobody if nil.
    public var passphrase: PassphraseSource?

    /// Accepts no new keys, and asks nobody.
    public init() {}
  }

  private let configuration: ClientConfiguration
  private let options: Options

  /// A client by the configuration of `user`, or by `file` alone.
  public init(user: LocalUser = .current, file: String? = nil, options: Options = Options()) throws {
    configuration = try ClientConfiguration(local: user, file: file)
    self.options = options
  }

  /// How `destination` is reached.
  public func settings(for destination: Destination) throws -> HostSettings {
    var settings = try configuration.settings(for: destination)
    if let timeout = options.timeout { settings.connectTimeout = timeout }
    return settings
  }

  /// Connects to `destination` and logs in, through other hosts where the configuration says so.
  ///
  /// Throws ``TransportError``, and `CancellationError` if the task is cancelled.
  public func connect(_ destination: Destination) async throws -> SSHSession {
    try await connect(destination, depth: 0)
  }

  /// Connects as ``connect(_:)`` does, hands the session to `body`, and closes it again, whatever becomes of that.
  public func withSession<Value>(
    _ destination: Destination, isolation: isolated (any Actor)? = #isolation,
    _ body: (SSHSession) async throws -> Value
  ) async throws -> Value {
    let session = try await connect(destination)
    let result: Result<Value, any Error>
    do { result = .success(try await body(session)) } catch { result = .failure(error) }
    await session.close()
    return try result.get()
  }

  private func connect(_ destination: Destination, depth: Int) async throws -> SSHSession {
    let settings = try settings(for: destination)
    guard depth < 8 else {
      throw TransportError(
        .configuration, what: "can't reach \(destination)", why: "its ProxyJump leads in a circle",
        mend: "except the hosts on the way: Host * !jump")
    }
    var carrier: SSHSession?
    do {
      for hop in settings.proxyJump {
        // A hop after the first is reached through the one before, whatever its own settings say (ssh -J).
        if let before = carrier {
          carrier = try await SSHSession.open(try self.settings(for: hop), options: options, through: before)
        } else {
          carrier = try await connect(hop, depth: depth + 1)
        }
      }
      return try await SSHSession.open(settings, options: options, through: carrier)
    } catch {
      await carrier?.close()
      throw error
    }
  }
}
