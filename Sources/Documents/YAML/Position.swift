/// A place in a text, counted from 1; columns count Unicode scalars, as libyaml does.
struct Position: Sendable, Hashable, Comparable {
  static let first = Position(line: 1, column: 1)

  var line: Int
  var column: Int

  /// Steps over `scalar`, which follows `last`. The line breaks are those of libyaml.
  mutating func advance(over scalar: Unicode.Scalar, after last: Unicode.Scalar?) {
    switch scalar {
    case "\n" where last == "\r": break
    case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}":
      line += 1
      column = 1
    default: column += 1
    }
  }

  static func < (left: Position, right: Position) -> Bool {
    (left.line, left.column) < (right.line, right.column)
  }
}
