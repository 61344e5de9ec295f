import CSodium

/// libsodium, made ready once; and the public bytes it makes or prints.
enum Sodium {
  /// `sodium_init` may be called from any thread and more than once; 0 and 1 both mean that the library is ready.
  private static let isReady = sodium_init() >= 0

  /// Throws if the library can't be used: without a source of random numbers there is no encryption.
  static func prepare() throws(SecretError) {
    guard isReady else {
      throw SecretError(
        .system, "the encryption library", "libsodium finds no source of random numbers",
        "see that /dev/urandom is there")
    }
  }

  /// So many random bytes that need not stay secret: a nonce, a salt.
  static func random(_ count: Int) throws(SecretError) -> [UInt8] {
    try prepare()
    var bytes = [UInt8](repeating: 0, count: count)
    randombytes_buf(&bytes, count)
    return bytes
  }

  /// Public bytes as base64 for URLs, without padding.
  static func base64(_ bytes: [UInt8]) -> String {
    let length = sodium_base64_encoded_len(bytes.count, Int32(sodium_base64_VARIANT_URLSAFE_NO_PADDING))
    var text = [CChar](repeating: 0, count: length)
    sodium_bin2base64(
      &text, length, bytes, bytes.count, Int32(sodium_base64_VARIANT_URLSAFE_NO_PADDING))
    return String(decoding: text.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// The public bytes that a text stands for; nil if it is not exactly what ``base64(_:)`` writes.
  static func bytes(base64 text: some StringProtocol) -> [UInt8]? {
    let input = text.utf8.map(CChar.init(bitPattern:))
    var bytes = [UInt8](repeating: 0, count: input.count)
    var count = 0
    // No end is asked for, so that characters after the last are an error; bits that stand for nothing are one too.
    guard
      sodium_base642bin(
        &bytes, bytes.count, input, input.count, nil, &count, nil,
        Int32(sodium_base64_VARIANT_URLSAFE_NO_PADDING)) == 0
    else { return nil }
    return Array(bytes.prefix(count))
  }

  /// Hexadecimal digits, lower case.
  static func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
