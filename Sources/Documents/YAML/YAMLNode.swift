/// A value of a YAML document with its place, aliases and merge keys resolved.
struct YAMLNode: Sendable {
  /// What stands there.
  enum Content: Sendable {
    /// Text as it was written; plain if neither quoted nor a block.
    case scalar(String, isPlain: Bool)
    case list([YAMLNode])
    case mapping([YAMLEntry])
    /// Nothing that could be read, which has been said.
    case broken
  }

  let content: Content
  let position: Position
  /// How many values it holds, itself and what aliases repeat counted.
  let size: Int
  /// How many levels it is deep.
  let height: Int

  init(_ content: Content, at position: Position) {
    self.content = content
    self.position = position
    let inner: [YAMLNode] =
      switch content {
      case .scalar, .broken: []
      case .list(let items): items
      case .mapping(let entries): entries.map(\.value)
      }
    size = inner.reduce(1) { sum, node in
      let (total, overflow) = sum.addingReportingOverflow(node.size)
      return overflow ? Int.max : total
    }
    height = 1 + (inner.map(\.height).max() ?? 0)
  }

  /// Whether nothing, or `null`, is written there.
  var isNull: Bool {
    if case .scalar(let text, isPlain: true) = content { return CoreScalar(plain: text) == .null }
    return false
  }

  /// What it is, for "must be a list, not …".
  var kind: String {
    switch content {
    case .scalar(let text, _): isNull ? "empty" : "'\(text.abridged)'"
    case .list: "a list"
    case .mapping: "a mapping"
    case .broken: "broken"
    }
  }
}

/// A key and its value.
struct YAMLEntry: Sendable {
  let key: String
  let position: Position
  let value: YAMLNode
}

extension String {
  /// Short enough, and on one line, to be quoted in a message.
  var abridged: String {
    let line = split(whereSeparator: \.isNewline).joined(separator: " ")
    return line.count > 60 ? line.prefix(57) + "…" : line
  }
}
