import CSodium

/// SHA-256 of public bytes: the identity of program versions and of schema migrations.
public struct Digest: Sendable, Hashable, CustomStringConvertible {
  /// The 32 bytes of the hash.
  public let bytes: [UInt8]

  /// Hashes `content` with libsodium's `crypto_hash_sha256` (FIPS 180-4).
  public init(of content: some Sequence<UInt8>) {
    let input = Array(content)
    var output = [UInt8](repeating: 0, count: Int(crypto_hash_sha256_BYTES))
    // The call can't fail: it returns 0 for every input (libsodium manual, "SHA-2").
    _ = crypto_hash_sha256(&output, input, UInt64(input.count))
    bytes = output
  }

  /// 64 hexadecimal digits, lower case.
  public var hexadecimal: String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// `sha256:` and the hexadecimal digits, as versions are written.
  public var description: String { "sha256:" + hexadecimal }
}
