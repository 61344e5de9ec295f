/// Why something over SSH did not come about: what, why, and how to mend it, with nothing secret in it.
public struct TransportError: ExplainedError, Sendable, Hashable {
  /// What kind of failure it is, to act on.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// No address, no route, connection refused.
    case unreachable
    /// The host did not answer within the time allowed.
    case timedOut = "timed_out"
    /// The connection broke, or the peer fell silent, after it had been made.
    case lost
    /// What the other end says is not SSH.
    case protocolViolation = "protocol_violation"
    /// The two ends have no algorithm in common.
    case noCommonAlgorithm = "no_common_algorithm"
    /// The host's key is not in any `known_hosts`.
    case hostKeyUnknown = "host_key_unknown"
    /// The host's key is another than the one that is known.
    case hostKeyChanged = "host_key_changed"
    /// The host's key is marked as revoked.
    case hostKeyRevoked = "host_key_revoked"
    /// The host is known through a certificate authority only, which can't be checked here.
    case hostKeyAuthority = "host_key_authority"
    /// `known_hosts` can't be read or written.
    case knownHosts = "known_hosts"
    /// The host took none of the keys.
    case authenticationRefused = "authentication_refused"
    /// `ssh_config`, or the name of a host, is wrong or asks for what there is not.
    case configuration
    /// The host would not carry out a request: a command, a forwarding, file transfer.
    case refused
    /// Arguments that no remote command can be given.
    case badArgument = "bad_argument"
    /// A file that is not there, here or on the host.
    case noSuchFile = "no_such_file"
    /// Another failure of a file transfer.
    case transfer
    /// What arrived differs from what was sent.
    case digestMismatch = "digest_mismatch"
  }

  /// What kind of failure it is.
  public let kind: Kind
  /// What was not done, with the name of the host.
  public let what: String
  /// Why.
  public var why: String
  /// How to mend it; may be empty.
  public var mend: String

  /// A failure of these parts.
  public init(_ kind: Kind, what: String, why: String, mend: String = "") {
    self.kind = kind
    self.what = what
    self.why = why
    self.mend = mend
  }
}

/// What a host says of itself, for a message: printable, on one line, not endless.
func quoted(_ text: some StringProtocol) -> String {
  let clean = text.unicodeScalars.prefix(200).map {
    $0.properties.generalCategory == .control || $0.properties.generalCategory == .format ? "?" : String($0)
  }
  return "\"" + clean.joined() + "\""
}
