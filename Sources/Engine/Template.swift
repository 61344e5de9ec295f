public import Model

/// Text in which `${param.x}`, `${steps.s.result}`, `${loop.item}` and `${loop.index}` stand for values.
///
/// Every other `${…}` is left as it is, for the shell; `$${` is a literal `${`.
public struct Template: Sendable, Hashable {
  /// What a reference names.
  public enum Reference: Sendable, Hashable {
    /// A parameter.
    case parameter(String)
    /// The result of a step, or a part of it.
    case result(step: String, path: [String])
    /// The item of the innermost loop.
    case loopItem
    /// Its number, from 1.
    case loopIndex

    /// Reads what stands between the braces; nil if it is not ours.
    init?(_ text: Substring) {
      if text == "loop.item" {
        self = .loopItem
      } else if text == "loop.index" {
        self = .loopIndex
      } else if text.hasPrefix("param.") {
        self = .parameter(String(text.dropFirst(6)))
      } else if text.hasPrefix("steps."), let end = Self.resultRange(in: text) {
        let path = text[end...].split(separator: ".").map(String.init)
        self = .result(step: String(text.dropFirst(6)[..<text.index(end, offsetBy: -7)]), path: path)
      } else {
        return nil
      }
    }

    /// Just behind the first `.result` that ends a component: names may hold dots.
    private static func resultRange(in text: Substring) -> Substring.Index? {
      var position = text.index(text.startIndex, offsetBy: 6)
      while position < text.endIndex {
        if text[position...].hasPrefix(".result") {
          let end = text.index(position, offsetBy: 7)
          if end == text.endIndex || text[end] == "." { return end }
        }
        position = text.index(after: position)
      }
      return nil
    }
  }

  private enum Piece: Hashable {
    case text(String)
    case reference(Reference, source: String)
  }

  private let pieces: [Piece]

  /// Reads `text`.
  public init(_ text: String) {
    guard text.utf8.contains(UInt8(ascii: "$")) else {
      pieces = [.text(text)]
      return
    }
    var pieces: [Piece] = []
    var literal = ""
    var rest = Substring(text)
    while let dollar = rest.firstIndex(of: "$") {
      literal += rest[..<dollar]
      let tail = rest[dollar...]
      if tail.hasPrefix("$${") {
        literal += "${"
        rest = tail.dropFirst(3)
      } else if tail.hasPrefix("${"), let close = tail.firstIndex(of: "}"),
        let reference = Reference(tail[tail.index(tail.startIndex, offsetBy: 2)..<close])
      {
        if !literal.isEmpty { pieces.append(.text(literal)) }
        literal = ""
        pieces.append(.reference(reference, source: String(tail[...close])))
        rest = tail[tail.index(after: close)...]
      } else {
        literal += "$"
        rest = tail.dropFirst()
      }
    }
    literal += rest
    if !literal.isEmpty { pieces.append(.text(literal)) }
    self.pieces = pieces
  }

  /// Everything it refers to.
  public var references: [Reference] {
    pieces.compactMap { piece in
      if case .reference(let reference, _) = piece { return reference }
      return nil
    }
  }

  /// The reference that is all of the text, if it is one.
  public var onlyReference: Reference? {
    guard pieces.count == 1, case .reference(let reference, _) = pieces[0] else { return nil }
    return reference
  }

  /// The text with each reference replaced by what `value` says of it; one without a value throws.
  public func filled(_ value: (Reference) -> JSONValue?) throws(MissingValue) -> String {
    var out = ""
    for piece in pieces {
      switch piece {
      case .text(let text): out += text
      case .reference(let reference, let source):
        guard let value = value(reference) else { throw MissingValue(source: source) }
        out += value.plainText
      }
    }
    return out
  }

  /// The text with parameters replaced and everything else as it is.
  func filled(parameters: [String: JSONValue]) -> String {
    var out = ""
    for piece in pieces {
      switch piece {
      case .text(let text): out += text
      case .reference(.parameter(let name), let source): out += parameters[name]?.plainText ?? source
      case .reference(_, let source): out += source
      }
    }
    return out
  }

  /// A reference that has no value.
  public struct MissingValue: Error, Sendable, Hashable, CustomStringConvertible {
    /// As written.
    public let source: String
    /// What is wrong, in a sentence.
    public var description: String { "\(source) has no value here" }
  }
}
