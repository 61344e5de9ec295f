/// Patterns of `ssh_config` and `known_hosts`: `*` for any characters, `?` for one, `!` in front to except
/// (ssh_config(5), PATTERNS).
enum HostPattern {
  /// Whether one of `patterns` matches `text`, and none that excepts it.
  static func list(_ patterns: [Substring], match text: String) -> Bool {
    var isMatched = false
    for pattern in patterns {
      if pattern.hasPrefix("!") {
        if matches(pattern.dropFirst(), text) { return false }
      } else if matches(pattern, text) {
        isMatched = true
      }
    }
    return isMatched
  }

  /// Whether `pattern` matches all of `text`. Takes no longer than the product of their lengths.
  static func matches(_ pattern: Substring, _ text: String) -> Bool {
    let (pattern, text) = (Array(pattern.lowercased().utf8), Array(text.lowercased().utf8))
    var (p, t) = (0, 0)
    // Where to go on if a letter doesn't fit: the last star, and what it has taken so far.
    var back: (p: Int, t: Int)?
    while t < text.count {
      if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
        back = (p, t)
        p += 1
      } else if p < pattern.count, pattern[p] == UInt8(ascii: "?") || pattern[p] == text[t] {
        p += 1
        t += 1
      } else if let last = back {
        p = last.p + 1
        t = last.t + 1
        back = (last.p, t)
      } else {
        return false
      }
    }
    return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
