import CSodium

/// A secret as the vault keeps it: `ev1.KEY.DATA`, the key's id and, in base64 for URLs, nonce, ciphertext and tag.
///
/// XChaCha20-Poly1305 (`crypto_aead_xchacha20poly1305_ietf_encrypt`, libsodium manual, "XChaCha20-Poly1305
/// construction"; draft-irtf-cfrg-xchacha) with a random nonce of 24 bytes, large enough never to repeat. Its
/// additional data is `eventor-secret-1`, the key's id and the name of the secret, so an entry is of use under its own
/// name and with its own key alone. The value is padded to a multiple of 64 bytes, so its length tells little.
public struct SealedEntry: Sendable, Hashable, CustomStringConvertible {
  private static let version = "ev1"
  private static let block = 64
  private static let nonceLength = Int(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES)
  private static let overhead = Int(crypto_aead_xchacha20poly1305_ietf_ABYTES)

  /// The id of the key that encrypted it.
  public let keyID: String
  private let data: [UInt8]

  /// Reads the entry `name` of a vault.
  ///
  /// - Throws: ``SecretError`` with `.malformed`.
  public init(_ text: String, of name: String) throws(SecretError) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == Self.version, Self.isKeyID(parts[1]),
      let data = Sodium.bytes(base64: parts[2]), data.count >= Self.nonceLength + Self.block + Self.overhead,
      (data.count - Self.nonceLength - Self.overhead) % Self.block == 0
    else {
      throw SecretError(
        .malformed, "secret '\(name)'", "its entry in the vault is cut off, or was written by something else",
        Self.mend(name))
    }
    keyID = String(parts[1])
    self.data = data
  }

  /// Encrypts `value` as the secret `name`.
  init(_ value: SecretBytes, as name: String, with key: VaultKey) throws(SecretError) {
    let nonce = try Sodium.random(Self.nonceLength)
    let padded = try Self.padded(value)
    let context = Self.context(name, key.id)
    var ciphertext = [UInt8](repeating: 0, count: padded.count + Self.overhead)
    padded.withPointer { message in
      key.sealing.withPointer { key in
        // Fails only for messages of 256 GiB and more.
        _ = crypto_aead_xchacha20poly1305_ietf_encrypt(
          &ciphertext, nil, message, UInt64(padded.count), context, UInt64(context.count), nil, nonce, key)
      }
    }
    keyID = key.id
    data = nonce + ciphertext
  }

  /// Decrypts it as the secret `name`.
  ///
  /// - Throws: ``SecretError`` with `.oldKey` or `.tampered`.
  func open(as name: String, with key: VaultKey) throws(SecretError) -> SecretBytes {
    guard keyID == key.id else {
      throw SecretError(
        .oldKey, "secret '\(name)'",
        "key \(VaultKey.short(keyID)) encrypted it, and the vault's is \(VaultKey.short(key.id))",
        Self.mend(name))
    }
    let (nonce, ciphertext) = (Array(data.prefix(Self.nonceLength)), Array(data.dropFirst(Self.nonceLength)))
    let context = Self.context(name, key.id)
    var status: Int32 = -1
    let length = ciphertext.count - Self.overhead
    let padded = try SecretBytes(count: length) { target in
      key.sealing.withPointer { key in
        status = crypto_aead_xchacha20poly1305_ietf_decrypt(
          target, nil, nil, ciphertext, UInt64(ciphertext.count), context, UInt64(context.count), nonce, key)
      }
    }
    var count = 0
    guard status == 0, padded.withPointer({ sodium_unpad(&count, $0, length, Self.block) }) == 0
    else {
      throw SecretError(
        .tampered, "secret '\(name)'", "its entry was changed, or moved there from another name",
        Self.mend(name))
    }
    return try SecretBytes(padded, 0..<count)
  }

  /// The entry as it is written.
  public var description: String { "\(Self.version).\(keyID).\(Sodium.base64(data))" }

  /// Whether `text` is the id of a key.
  static func isKeyID(_ text: some StringProtocol) -> Bool {
    text.utf8.count == 32 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }

  /// Unambiguous because all before the name has a fixed length.
  private static func context(_ name: String, _ keyID: String) -> [UInt8] {
    Array("eventor-secret-1".utf8) + Array(keyID.utf8) + Array(name.utf8)
  }

  private static func padded(_ value: SecretBytes) throws(SecretError) -> SecretBytes {
    // ISO/IEC 7816-4, as sodium_pad has it: at least one byte is added.
    let length = (value.count / block + 1) * block
    return try SecretBytes(count: length) { target in
      value.withPointer { target.update(from: $0, count: value.count) }
      var padded = 0
      _ = sodium_pad(&padded, target, value.count, block, length)
    }
  }

  private static func mend(_ name: String) -> String {
    "set it again: coordinator secret set \(name)"
  }
}
