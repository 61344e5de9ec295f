/// How one host is reached, after everything that `ssh_config` says of it.
public struct HostSettings: Sendable, Hashable {
  /// What is done about a host key that is not known.
  public enum StrictHostKeyChecking: String, Sendable, Hashable {
    /// It is refused: also for `ask`, since nobody is asked here.
    case refuse
    /// It is stored. Also for `no`: but a changed key is refused then too.
    case acceptNew
  }

  /// Which addresses are tried.
  public enum AddressFamily: String, Sendable, Hashable {
    case any, inet, inet6
  }

  /// The host as it was named.
  public var host: String
  /// Where it is.
  public var hostName: String
  /// Its port.
  public var port = 22
  /// The user there.
  public var user: String
  /// Key files, in the order they are tried; those that are not there are passed over.
  public var identityFiles: [String] = []
  /// Whether keys of the agent are used only if they are among ``identityFiles``.
  public var identitiesOnly = false
  /// The socket of ssh-agent; nil for none.
  public var identityAgent: String?
  /// Files of known hosts; a new key is stored in the first.
  public var userKnownHostsFiles: [String] = []
  /// Files of known hosts that are only read.
  public var globalKnownHostsFiles: [String] = []
  /// What is done about a key that is not known.
  public var strictHostKeyChecking = StrictHostKeyChecking.refuse
  /// Whether names of hosts are hashed when they are stored.
  public var hashKnownHosts = false
  /// What the host is called in `known_hosts` instead.
  public var hostKeyAlias: String?
  /// How long each of connecting, exchanging keys and logging in may take.
  public var connectTimeout = Duration.seconds(10)
  /// After how long a silence the host is asked for a sign of life; nil for never.
  public var serverAliveInterval: Duration? = .seconds(15)
  /// After how many such intervals the connection is given up; 0 for never.
  public var serverAliveCountMax = 3
  /// The hosts to go through, the first one first.
  public var proxyJump: [Destination] = []
  /// Which addresses are tried.
  public var addressFamily = AddressFamily.any
  /// Whether nobody may be asked for a passphrase.
  public var batchMode = false
  /// What in the configuration was left out of account, each with its place.
  public var notes: [String] = []

  /// Settings for `host`, as if there were no configuration.
  public init(host: String, user: String) {
    self.host = host
    hostName = host
    self.user = user
  }
}
