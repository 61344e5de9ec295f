public import Secrets

/// The store that agents of nodes serve, as their configuration names it, and the secrets that it refers to.
public struct NodeStore: Sendable {
  /// Its tag under `databases:`.
  public let tag: String
  /// What stands there: a URL without a password, or with `secret:NAME`.
  public let entry: String
  /// The secrets in that, which each node's vault is given, sealed for its key.
  public let secrets: [(name: String, value: SecretBytes)]

  /// A store of these parts.
  public init(tag: String, entry: String, secrets: [(name: String, value: SecretBytes)]) {
    self.tag = tag
    self.entry = entry
    self.secrets = secrets
  }
}
