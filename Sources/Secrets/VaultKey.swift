import CSodium

/// The key of a vault: 32 random bytes, or what a passphrase comes to.
///
/// The key itself encrypts nothing. Three others are derived from it (`crypto_kdf_derive_from_key`, libsodium manual,
/// "Key derivation"; context `eventor1`): 1 names it, 2 encrypts entries, 3 is the seed of the pair of keys for which
/// other hosts seal.
public struct VaultKey: Sendable {
  /// How many bytes a key has.
  static let length = Int(crypto_kdf_blake2b_KEYBYTES)

  /// Names the key and tells nothing of it: 32 hexadecimal digits.
  public let id: String
  let bytes: SecretBytes
  /// Encrypts entries.
  let sealing: SecretBytes
  /// What others need to seal something for this vault.
  public let publicKey: PublicKey
  let privateKey: SecretBytes

  /// The key of these 32 bytes.
  init(_ bytes: SecretBytes) throws(SecretError) {
    self.bytes = bytes
    let name = try Self.derive(1, 16, from: bytes)
    id = name.withBytes { Sodium.hexadecimal(Array($0)) }
    sealing = try Self.derive(2, Int(crypto_aead_xchacha20poly1305_ietf_KEYBYTES), from: bytes)
    let seed = try Self.derive(3, Int(crypto_box_curve25519xsalsa20poly1305_SEEDBYTES), from: bytes)
    var point = [UInt8](repeating: 0, count: PublicKey.length)
    privateKey = try SecretBytes(count: Int(crypto_box_curve25519xsalsa20poly1305_SECRETKEYBYTES)) {
      secret in
      seed.withPointer { _ = crypto_box_seed_keypair(&point, secret, $0) }
    }
    publicKey = PublicKey(point: point)
  }

  /// A new, random key.
  public static func random() throws(SecretError) -> VaultKey { try VaultKey(.random(length)) }

  /// The first digits of the id, enough for people to tell keys apart.
  public static func short(_ id: String) -> String { String(id.prefix(8)) }

  private static func derive(_ number: UInt64, _ count: Int, from key: SecretBytes) throws(SecretError)
    -> SecretBytes
  {
    try SecretBytes(count: count) { target in
      key.withPointer { _ = crypto_kdf_derive_from_key(target, count, number, "eventor1", $0) }
    }
  }
}
