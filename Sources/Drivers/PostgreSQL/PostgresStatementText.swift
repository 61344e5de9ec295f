/// A statement in PostgreSQL's form: `$1` for `?`, double quotes for backticks.
///
/// Strings, quoted names, comments and dollar-quoted bodies are left alone.
public struct PostgresStatementText {
  /// The statement as PostgreSQL reads it.
  public let text: String
  /// How many `?` there were.
  public let parameterCount: Int

  /// Translates a statement.
  public init(_ source: String) {
    var scanner = Scanner(rest: Array(source.utf8)[...])
    scanner.translate()
    text = String(decoding: scanner.output, as: UTF8.self)
    parameterCount = scanner.parameterCount
  }

  private struct Scanner {
    var rest: ArraySlice<UInt8>
    var output: [UInt8] = []
    var parameterCount = 0

    mutating func translate() {
      output.reserveCapacity(rest.count + 32)
      while let byte = rest.first {
        switch byte {
        case UInt8(ascii: "?"):
          parameterCount += 1
          output += Array("$\(parameterCount)".utf8)
          rest.removeFirst()
        case UInt8(ascii: "`"):
          output.append(UInt8(ascii: "\""))
          rest.removeFirst()
        case UInt8(ascii: "'"): copyQuoted(byte, backslashes: isEscapeString)
        case UInt8(ascii: "\""): copyQuoted(byte, backslashes: false)
        case UInt8(ascii: "-") where rest.starts(with: "--".utf8): copy(through: "\n")
        case UInt8(ascii: "/") where rest.starts(with: "/*".utf8): copyComment()
        case UInt8(ascii: "$"): copyDollarQuoted()
        default: copy(1)
        }
      }
    }

    /// Whether the quote that comes opens an `E'…'` string: an E that is no end of a longer word.
    private var isEscapeString: Bool {
      guard let last = output.last, last | 0x20 == UInt8(ascii: "e") else { return false }
      guard let before = output.dropLast().last else { return true }
      return !Self.isWord(before)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
      byte == 0x5f || byte == 0x24 || byte >= 0x80 || (byte >= 0x30 && byte <= 0x39)
        || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a)
    }

    private mutating func copy(_ count: Int) {
      output += rest.prefix(count)
      rest = rest.dropFirst(count)
    }

    private mutating func copy(through end: String) {
      let end = Array(end.utf8)
      while !rest.isEmpty {
        if rest.starts(with: end) { return copy(end.count) }
        copy(1)
      }
    }

    /// A doubled quote needs no care: it ends one string and begins the next.
    private mutating func copyQuoted(_ quote: UInt8, backslashes: Bool) {
      copy(1)
      while let byte = rest.first {
        if backslashes, byte == UInt8(ascii: "\\") {
          copy(2)
          continue
        }
        copy(1)
        if byte == quote { return }
      }
    }

    private mutating func copyComment() {
      var depth = 0
      while !rest.isEmpty {
        if rest.starts(with: "/*".utf8) {
          depth += 1
          copy(2)
        } else if rest.starts(with: "*/".utf8) {
          depth -= 1
          copy(2)
          if depth == 0 { return }
        } else {
          copy(1)
        }
      }
    }

    /// `$tag$ … $tag$`; another dollar is part of a name.
    private mutating func copyDollarQuoted() {
      let isInName = output.last.map(Self.isWord) ?? false
      let tag = rest.dropFirst().prefix { Self.isWord($0) && $0 != 0x24 }
      let opening = rest.prefix(tag.count + 2)
      guard !isInName, opening.count == tag.count + 2, opening.last == 0x24 else { return copy(1) }
      copy(opening.count)
      copy(through: String(decoding: opening, as: UTF8.self))
    }
  }
}
