/// Commands as they can be pasted into a shell.
enum ShellWords {
  /// The words with spaces between, quoted where a shell would read them differently.
  static func line(_ words: [String]) -> String { words.map(quoted).joined(separator: " ") }

  /// The database URL without a password: `user:secret@` loses its second part, `password=…` goes. The clients find
  /// the password where they always do.
  static func withoutPassword(_ url: String) -> String {
    guard let scheme = url.firstRange(of: "://") else { return url }
    var rest = url[scheme.upperBound...]
    var out = String(url[..<scheme.upperBound])
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    // The last `@` ends the user part: a password may hold one unescaped.
    if let at = authority.lastIndex(of: "@") {
      out += authority[..<at].prefix { $0 != ":" } + "@"
      rest = rest[rest.index(after: at)...]
    }
    guard let mark = rest.firstIndex(of: "?") else { return out + rest }
    let options = rest[rest.index(after: mark)...].split(separator: "&").filter { option in
      !["password=", "passwd=", "pwd="].contains { option.lowercased().hasPrefix($0) }
    }
    return out + rest[..<mark] + (options.isEmpty ? "" : "?" + options.joined(separator: "&"))
  }

  private static func quoted(_ word: String) -> String {
    let isPlain = { (byte: UInt8) in
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
      default: "_-./:@%+=,".utf8.contains(byte)
      }
    }
    if !word.isEmpty, word.utf8.allSatisfy(isPlain) { return word }
    return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
}
