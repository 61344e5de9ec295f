import CSodium

/// What others need to seal secrets for a vault: a point on Curve25519, no secret itself.
///
/// Written `evpk1.` and, in base64 for URLs, the 32 bytes and 4 of their BLAKE2b hash, by which a slip is noticed.
public struct PublicKey: Sendable, Hashable, CustomStringConvertible {
  static let length = Int(crypto_box_curve25519xsalsa20poly1305_PUBLICKEYBYTES)
  private static let prefix = "evpk1."

  let point: [UInt8]

  init(point: [UInt8]) { self.point = point }

  /// The key that `text` says.
  ///
  /// - Throws: ``SecretError`` with `.badPublicKey`.
  public init(_ text: String) throws(SecretError) {
    guard text.hasPrefix(Self.prefix), let bytes = Sodium.bytes(base64: text.dropFirst(Self.prefix.count)),
      bytes.count == Self.length + 4, Array(bytes.suffix(4)) == Self.check(Array(bytes.prefix(Self.length)))
    else {
      throw SecretError(
        .badPublicKey, "the public key", "it is not as a vault writes its own, or was cut off",
        "call `coordinator secret list --public-key` on the other host")
    }
    point = Array(bytes.prefix(Self.length))
  }

  /// The key as it is written.
  public var description: String { Self.prefix + Sodium.base64(point + Self.check(point)) }

  private static func check(_ point: [UInt8]) -> [UInt8] {
    var hash = [UInt8](repeating: 0, count: 16)
    _ = crypto_generichash(&hash, hash.count, point, UInt64(point.count), nil, 0)
    return Array(hash.prefix(4))
  }
}
