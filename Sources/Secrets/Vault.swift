/// Secrets by name, each encrypted; what a file `secrets.yaml` says, without the file.
public struct Vault: Sendable, Hashable {
  /// Where its key comes from.
  public enum Source: Sendable, Hashable {
    /// From a key file, whose path this is, unless whoever calls gives another.
    case file(String)
    /// From a passphrase.
    case passphrase(PassphraseSettings)
  }

  /// The form of the file.
  public static let format = 1
  /// The most bytes of a secret.
  public static let longestValue = 64 << 10

  /// The id of the key.
  public let keyID: String
  /// Where the key comes from.
  public let source: Source
  /// The encrypted secrets by name.
  public private(set) var entries: [String: SealedEntry]

  /// An empty vault of `key`.
  public init(key: VaultKey, from source: Source) {
    keyID = key.id
    self.source = source
    entries = [:]
  }

  /// The vault of which a file says these things.
  ///
  /// - Throws: ``SecretError`` with `.malformed`.
  public init(keyID: String, source: Source, entries: [String: String]) throws(SecretError) {
    guard SealedEntry.isKeyID(keyID) else {
      throw SecretError(
        .malformed, "the vault", "it does not say which key it has", "restore the file from a backup")
    }
    self.keyID = keyID
    self.source = source
    var sealed: [String: SealedEntry] = [:]
    for (name, text) in entries { sealed[name] = try SealedEntry(text, of: name) }
    self.entries = sealed
  }

  /// Refuses a key that is not the vault's.
  public func check(_ key: VaultKey) throws(SecretError) {
    guard key.id != keyID else { return }
    throw SecretError(
      .wrongKey, "the vault",
      "its key is \(VaultKey.short(keyID)), and the one at hand is \(VaultKey.short(key.id))",
      "name the right one with --key-file or --key-fd")
  }

  /// The secret `name`.
  ///
  /// - Throws: ``SecretError`` with `.wrongKey`, `.noSuchSecret`, `.oldKey` or `.tampered`.
  public func value(of name: String, with key: VaultKey) throws(SecretError) -> SecretBytes {
    try check(key)
    guard let entry = entries[name] else { throw Self.none(name) }
    return try entry.open(as: name, with: key)
  }

  /// Encrypts `value` as the secret `name`, in place of what it was.
  ///
  /// - Throws: ``SecretError`` with `.wrongKey` or `.badValue`.
  public mutating func set(_ name: String, to value: SecretBytes, with key: VaultKey) throws(SecretError) {
    try check(key)
    guard (1...Self.longestValue).contains(value.count), !value.withBytes({ $0.contains(0) }) else {
      throw SecretError(
        .badValue, "secret '\(name)'", "a value has 1 to \(Self.longestValue) bytes, and no NUL",
        "give it on standard input")
    }
    entries[name] = try SealedEntry(value, as: name, with: key)
  }

  /// Forgets the secret `name`.
  public mutating func remove(_ name: String) throws(SecretError) {
    guard entries.removeValue(forKey: name) != nil else { throw Self.none(name) }
  }

  /// The same secrets with another key.
  ///
  /// - Throws: ``SecretError`` if one of them can't be opened: none is left behind.
  public func rekeyed(from old: VaultKey, to new: VaultKey, source: Source) throws(SecretError) -> Vault {
    var vault = Vault(key: new, from: source)
    for name in entries.keys.sorted() { try vault.set(name, to: value(of: name, with: old), with: new) }
    return vault
  }

  private static func none(_ name: String) -> SecretError {
    SecretError(
      .noSuchSecret, "secret '\(name)'", "the vault has none of that name", "coordinator secret set \(name)")
  }
}
