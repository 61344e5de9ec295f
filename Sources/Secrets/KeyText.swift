import CSodium

/// How keys are written, in a key file or where a password manager keeps one: a line `eventor-key-1:` and the 32
/// bytes in base64 for URLs. Lines that begin with `#` are comments.
///
/// A file has two keys while a rotation is under way: that of the vault as it is, and that of the vault as it will be.
/// Everything is read and written in memory for secrets.
enum KeyText {
  private static let prefix = "eventor-key-1:"
  /// Bytes of a line without its end: the prefix, and 43 characters of base64.
  private static let lineLength = prefix.utf8.count + 43
  private static let comment =
    "# The key of Eventor's secrets. Whoever can read it can read them; see docs/secrets.md.\n"

  /// Whether `text` means to be a key, and not a passphrase.
  static func isMeant(_ text: SecretBytes) -> Bool {
    text.withBytes { $0.starts(with: prefix.utf8) || $0.starts(with: "# The key of Eventor".utf8) }
  }

  /// The keys of a text that came from `place`.
  ///
  /// - Throws: ``SecretError`` with `.badKey` if a line is neither key nor comment, or there is no key.
  static func keys(in text: SecretBytes, from place: String) throws(SecretError) -> [VaultKey] {
    var keys: [VaultKey] = []
    for range in lines(of: text) {
      let first = text.withBytes { $0[range.lowerBound] }
      if first == UInt8(ascii: "#") { continue }
      guard let bytes = try key(in: text, range) else { throw bad(place) }
      keys.append(try VaultKey(bytes))
    }
    guard !keys.isEmpty else { throw bad(place) }
    return keys
  }

  /// The text that holds these keys.
  static func text(of keys: [VaultKey]) throws(SecretError) -> SecretBytes {
    let count = comment.utf8.count + keys.count * (lineLength + 1)
    return try SecretBytes(count: count) { target in
      var place = 0
      func put(_ text: String) {
        for byte in text.utf8 {
          target[place] = byte
          place += 1
        }
      }
      put(comment)
      for key in keys {
        put(prefix)
        // The NUL that it writes is overwritten by the newline.
        key.bytes.withPointer {
          _ = sodium_bin2base64(
            UnsafeMutableRawPointer(target + place).assumingMemoryBound(to: CChar.self), 44, $0,
            VaultKey.length, Int32(sodium_base64_VARIANT_URLSAFE_NO_PADDING))
        }
        place += 43
        put("\n")
      }
    }
  }

  /// The ranges of lines that are not empty.
  private static func lines(of text: SecretBytes) -> [Range<Int>] {
    text.withBytes { bytes in
      var ranges: [Range<Int>] = []
      var start = 0
      for index in 0...bytes.count {
        guard index == bytes.count || bytes[index] == UInt8(ascii: "\n") else { continue }
        let end = index > start && bytes[index - 1] == UInt8(ascii: "\r") ? index - 1 : index
        if end > start { ranges.append(start..<end) }
        start = index + 1
      }
      return ranges
    }
  }

  private static func key(in text: SecretBytes, _ range: Range<Int>) throws(SecretError) -> SecretBytes? {
    guard range.count == lineLength,
      text.withBytes({ $0[range].starts(with: prefix.utf8) })
    else { return nil }
    var count = 0
    let key = try SecretBytes(count: VaultKey.length) { target in
      text.withCString { text in
        // No end is asked for, so that what is no base64 to the last character is an error.
        let status = sodium_base642bin(
          target, VaultKey.length, text + range.lowerBound + prefix.utf8.count, 43, nil, &count, nil,
          Int32(sodium_base64_VARIANT_URLSAFE_NO_PADDING))
        if status != 0 { count = 0 }
      }
    }
    return count == VaultKey.length ? key : nil
  }

  private static func bad(_ place: String) -> SecretError {
    SecretError(
      .badKey, place, "it holds no key, or not in the form of one",
      "it must be as `coordinator secret init` wrote it: \(prefix) and 43 characters")
  }
}
