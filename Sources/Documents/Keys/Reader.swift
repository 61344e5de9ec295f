import Model

/// What is found out while a document is read: everything that is wrong, and where each part of it stands.
struct Reader {
  private let file: String
  private let text: YAMLText
  private(set) var diagnostics: [Diagnostic] = []
  private var places: [String: Position] = [:]
  /// Whether messages may quote what is written: the URLs of a configuration hold passwords.
  private let quotesValues: Bool

  init(file: String, text: YAMLText, quotesValues: Bool) {
    self.file = file
    self.text = text
    self.quotesValues = quotesValues
  }

  /// Remembers that what `path` names stands at `position`; an alias does not move what it repeats.
  mutating func place(_ path: String, at position: Position) {
    if places[path] == nil { places[path] = position }
  }

  /// Notes an error at `position`.
  mutating func fail(_ position: Position, _ path: String, _ message: String) {
    note(.error, position, path, message)
  }

  /// Notes that `node` is not what `wanted` says.
  mutating func fail(_ node: YAMLNode, _ path: String, wanted: String) {
    let key = Self.lastKey(of: path)
    if node.isNull {
      fail(node.position, path, "'\(key)' is empty; write \(wanted)")
    } else {
      fail(node, path, sentence: "'\(key)' must be \(wanted), not")
    }
  }

  /// Notes an error whose `sentence` ends in what `node` is.
  mutating func fail(_ node: YAMLNode, _ path: String, sentence: String) {
    switch node.content {
    case .broken: return
    case .scalar where !quotesValues: fail(node.position, path, sentence + " text")
    default: fail(node.position, path, sentence + " " + node.kind)
    }
  }

  /// Takes over what the rules of the domain say, each at the place of the longest part of its path that is known.
  mutating func add(_ problems: [Problem]) {
    for problem in problems {
      note(problem.severity, position(of: problem.path), problem.path, problem.message)
    }
  }

  /// The place `offset` scalars into the text of `node`; its beginning where that can't be told.
  func position(in node: YAMLNode, offset: Int) -> Position {
    guard case .scalar(let written, let isPlain) = node.content else { return node.position }
    var start = node.position
    if !isPlain { start.column += 1 }
    guard text.holds(written, at: start) else { return node.position }
    return Position(line: start.line, column: start.column + offset)
  }

  private func position(of path: String) -> Position {
    var rest = path[...]
    while true {
      if let place = places[String(rest)] { return place }
      guard let cut = rest.lastIndex(where: { $0 == "." || $0 == "[" }) else { return places[""] ?? .first }
      rest = rest[..<cut]
    }
  }

  private mutating func note(
    _ severity: Problem.Severity, _ position: Position, _ path: String, _ message: String
  ) {
    let mark = SourceMark(file: file, line: position.line, column: position.column)
    diagnostics.append(Diagnostic(severity: severity, mark: mark, path: path, message: message))
  }

  /// `delay` of `steps.s1.retry.delay`, and `on` of `steps.s1.on[0]`.
  static func lastKey(of path: String) -> String {
    let key = path.split(separator: ".").last ?? ""
    return String(key.prefix { $0 != "[" })
  }
}

extension String {
  /// The path of `key` within this one.
  func key(_ key: String) -> String { isEmpty ? key : self + "." + key }

  /// The path of a position within this one.
  func item(_ position: Int) -> String { "\(self)[\(position)]" }
}
