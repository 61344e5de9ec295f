import Model

/// Reads conditions over events: names joined by `and`, `or` and parentheses; `and` binds closer.
struct ExpressionParser {
  /// The deepest that parentheses may be nested.
  static let depthLimit = 50

  /// What is wrong with a condition, and how many scalars into it.
  struct Failure: Error, Equatable {
    let offset: Int
    let message: String
  }

  private struct Token {
    let text: String
    let offset: Int
  }

  private var tokens: ArraySlice<Token>
  private let length: Int

  /// The condition written as `text`.
  static func parse(_ text: String) throws(Failure) -> Model.Expression {
    var parser = ExpressionParser(text)
    guard !parser.tokens.isEmpty else { throw Failure(offset: 0, message: "the condition is empty") }
    let expression = try parser.any(depth: 0)
    if let left = parser.tokens.first { throw Failure(offset: left.offset, message: parser.surplus(left)) }
    return expression
  }

  private init(_ text: String) {
    var tokens: [Token] = []
    var word = ""
    var start = 0
    func flush() {
      if !word.isEmpty { tokens.append(Token(text: word, offset: start)) }
      word = ""
    }
    var offset = 0
    for scalar in text.unicodeScalars {
      switch scalar {
      case " ", "\t", "\n", "\r": flush()
      case "(", ")":
        flush()
        tokens.append(Token(text: String(scalar), offset: offset))
      default:
        if word.isEmpty { start = offset }
        word.unicodeScalars.append(scalar)
      }
      offset += 1
    }
    flush()
    self.tokens = tokens[...]
    length = offset
  }

  private mutating func any(depth: Int) throws(Failure) -> Model.Expression {
    var parts = [try all(depth: depth)]
    while tokens.first?.text == "or" {
      tokens.removeFirst()
      parts.append(try all(depth: depth))
    }
    return parts.count == 1 ? parts[0] : .any(parts)
  }

  private mutating func all(depth: Int) throws(Failure) -> Model.Expression {
    var parts = [try operand(depth: depth)]
    while tokens.first?.text == "and" {
      tokens.removeFirst()
      parts.append(try operand(depth: depth))
    }
    return parts.count == 1 ? parts[0] : .all(parts)
  }

  private mutating func operand(depth: Int) throws(Failure) -> Model.Expression {
    guard let token = tokens.popFirst() else {
      throw Failure(offset: length, message: "the condition ends where an event is missing")
    }
    switch token.text {
    case "(":
      guard depth < Self.depthLimit else {
        throw Failure(offset: token.offset, message: "parentheses nested more than \(Self.depthLimit) deep")
      }
      let inner = try any(depth: depth + 1)
      if tokens.first?.text == ")" {
        tokens.removeFirst()
        return inner
      }
      if let next = tokens.first { throw Failure(offset: next.offset, message: surplus(next)) }
      throw Failure(offset: token.offset, message: "this '(' is never closed")
    case ")": throw Failure(offset: token.offset, message: "an event is missing before ')'")
    case "and", "or":
      throw Failure(offset: token.offset, message: "an event is missing before '\(token.text)'")
    case "not", "!":
      throw Failure(offset: token.offset, message: "there is no 'not': an event can't be taken back")
    default:
      guard Name.isValid(token.text) else {
        throw Failure(offset: token.offset, message: invalid(token.text))
      }
      return .event(token.text)
    }
  }

  /// Why `token` can't follow an operand.
  private func surplus(_ token: Token) -> String {
    switch token.text {
    case ")": "this ')' closes nothing"
    case _ where ["and", "or"].contains(token.text.lowercased()):
      "write '\(token.text.lowercased())' in lower case"
    case "&&", "&": "write 'and' for '\(token.text)'"
    case "||", "|": "write 'or' for '\(token.text)'"
    default: "'and' or 'or' is missing before '\(token.text.abridged)'"
    }
  }

  private func invalid(_ text: String) -> String {
    if text.hasPrefix("!") { return "there is no 'not': an event can't be taken back" }
    return "'\(text.abridged)' is no name of an event; conditions are events, 'and', 'or' and parentheses"
  }
}
