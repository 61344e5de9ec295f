/// Words as a POSIX shell has to be given them, so that it takes them as they are.
public enum ShellWord {
  private static let plain = Set(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+:,./-".utf8)

  /// `word`, quoted where it has to be: within single quotes a shell changes nothing, and a single quote itself is
  /// `'\''` (POSIX 1003.1, 2.2.2). Any byte but NUL arrives as it was, a newline and half of a character too.
  public static func quoted(_ word: [UInt8]) -> [UInt8] {
    if !word.isEmpty, word.allSatisfy(plain.contains) { return word }
    let quote = UInt8(ascii: "'")
    var text = [quote]
    text.reserveCapacity(word.count + 2)
    for byte in word {
      if byte == quote { text += Array("'\\''".utf8) } else { text.append(byte) }
    }
    return text + [quote]
  }

  /// The same for text.
  public static func quoted(_ word: String) -> String {
    String(decoding: quoted(Array(word.utf8)), as: UTF8.self)
  }

  /// Words quoted, with spaces between.
  public static func joined(_ words: [[UInt8]]) -> [UInt8] {
    Array(words.map { quoted($0) }.joined(separator: [UInt8(ascii: " ")]))
  }
}
