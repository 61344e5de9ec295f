import CSodium

/// How a passphrase becomes a key: Argon2id (`crypto_pwhash`, libsodium manual, "Password hashing"; RFC 9106).
///
/// The settings stand in the vault beside what they protect. They are held between libsodium's MODERATE and SENSITIVE:
/// whoever can change the file shall neither weaken the key of the next rotation nor have this host work for minutes.
public struct PassphraseSettings: Sendable, Hashable {
  /// Random, new with each passphrase; base64 for URLs.
  public let salt: String
  /// Passes over the memory.
  public let operations: Int
  /// Bytes of memory.
  public let memory: Int

  /// The fewest characters of a passphrase.
  public static let shortest = 8
  private static let saltLength = Int(crypto_pwhash_argon2id_SALTBYTES)

  /// Settings as a vault has them.
  ///
  /// - Throws: ``SecretError`` with `.malformed` if they are not such as this program writes.
  public init(salt: String, operations: Int, memory: Int) throws(SecretError) {
    guard Sodium.bytes(base64: salt)?.count == Self.saltLength,
      (Int(crypto_pwhash_opslimit_moderate())...Int(crypto_pwhash_opslimit_sensitive())).contains(operations),
      (crypto_pwhash_memlimit_moderate()...crypto_pwhash_memlimit_sensitive()).contains(memory)
    else {
      throw SecretError(
        .malformed, "the vault", "what it says of its passphrase is not as this program writes it",
        "restore the file from a backup")
    }
    self.salt = salt
    self.operations = operations
    self.memory = memory
  }

  /// New settings, as MODERATE has them: 3 passes over 256 MiB.
  public static func fresh() throws(SecretError) -> PassphraseSettings {
    try PassphraseSettings(
      salt: Sodium.base64(Sodium.random(saltLength)), operations: Int(crypto_pwhash_opslimit_moderate()),
      memory: crypto_pwhash_memlimit_moderate())
  }

  /// The key that `passphrase` comes to. Takes most of a second, and 256 MiB.
  ///
  /// - Throws: ``SecretError`` with `.system` if there is not enough memory.
  public func key(from passphrase: SecretBytes) throws(SecretError) -> VaultKey {
    try Sodium.prepare()
    let salt = Sodium.bytes(base64: salt) ?? []
    var status: Int32 = -1
    let bytes = try SecretBytes(count: VaultKey.length) { target in
      passphrase.withCString {
        status = crypto_pwhash(
          target, UInt64(VaultKey.length), $0, UInt64(passphrase.count), salt, UInt64(operations), memory,
          crypto_pwhash_alg_argon2id13())
      }
    }
    guard status == 0 else {
      throw SecretError(
        .system, "the passphrase", "there are no \(memory >> 20) MiB of memory to make the key of it",
        "free some, or raise `ulimit -v`")
    }
    return try VaultKey(bytes)
  }

  /// Refuses a passphrase for a new vault that is guessed at once.
  public static func check(_ passphrase: SecretBytes) throws(SecretError) {
    guard passphrase.count >= shortest else {
      throw SecretError(
        .weakPassphrase, "the passphrase", "it has fewer than \(shortest) characters",
        "take four words or more")
    }
  }
}
