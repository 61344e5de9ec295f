/// The URL of a database that was a secret: what may be known of it, and its password.
///
/// The text goes to whoever parses URLs, logs and shows them; the password never becomes a Swift string.
public struct SecretURL: Sendable {
  /// The URL without the password.
  public let text: String
  /// The password, percent-decoded, if there is one.
  public let password: SecretBytes?

  /// Takes `secret`, a text such as `postgresql://user:password@host/db`, apart: the password is what stands between the
  /// first colon behind `//` and the last `@` before the path, as ``StoreURL`` of the module `Database` has it too.
  ///
  /// - Throws: ``SecretError`` with `.badValue`: `name` is what the secret is called.
  public init(_ secret: SecretBytes, named name: String) throws(SecretError) {
    let range = secret.withBytes { Self.password(in: $0) }
    text = secret.withBytes { bytes in
      guard let range else { return String(decoding: bytes, as: UTF8.self) }
      return String(decoding: bytes[..<(range.lowerBound - 1)], as: UTF8.self)
        + String(decoding: bytes[range.upperBound...], as: UTF8.self)
    }
    guard !Self.hasPasswordOption(text) else {
      throw SecretError(
        .badValue, "secret '\(name)'", "its URL has a password among the options",
        "write it before the host: postgresql://USER:PASSWORD@HOST/DATABASE")
    }
    guard let range else {
      password = nil
      return
    }
    password = try Self.decode(SecretBytes(secret, range), named: name)
  }

  private static func password(in bytes: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
    guard let scheme = bytes.firstIndex(of: UInt8(ascii: ":")),
      bytes[scheme...].starts(with: "://".utf8)
    else { return nil }
    let start = scheme + 3
    let end = bytes[start...].firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? bytes.count
    guard let at = bytes[start..<end].lastIndex(of: UInt8(ascii: "@")),
      let colon = bytes[start..<at].firstIndex(of: UInt8(ascii: ":"))
    else { return nil }
    return colon + 1..<at
  }

  private static func hasPasswordOption(_ text: String) -> Bool {
    guard let query = text.split(separator: "?", maxSplits: 1).dropFirst().first else { return false }
    return query.split(separator: "&").contains { option in
      (option.split(separator: "=").first ?? "").lowercased() == "password"
    }
  }

  private static func decode(_ text: SecretBytes, named name: String) throws(SecretError) -> SecretBytes {
    var count = 0
    let decoded = try SecretBytes(count: text.count) { (target) throws(SecretError) in
      try text.withBytes { (bytes) throws(SecretError) in
        var place = 0
        while place < bytes.count {
          var byte = bytes[place]
          if byte == UInt8(ascii: "%") {
            guard place + 2 < bytes.count, let high = digit(bytes[place + 1]),
              let low = digit(bytes[place + 2]),
              high << 4 | low != 0
            else {
              throw SecretError(
                .badValue, "secret '\(name)'",
                "its URL has a % that is not followed by two hexadecimal digits", "write %25 for a %")
            }
            byte = high << 4 | low
            place += 2
          }
          place += 1
          target[count] = byte
          count += 1
        }
      }
    }
    return try SecretBytes(decoded, 0..<count)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
  }
}
