/// A condition over events: names joined by `and`, `or` and parentheses. There is no `not`: an event can't be
/// taken back, so an expression that is true stays true.
public indirect enum Expression: Sendable, Hashable, Codable, CustomStringConvertible {
  /// True once the named event is triggered in the sequence.
  case event(String)
  /// True once every part is.
  case all([Expression])
  /// True once any part is.
  case any([Expression])

  /// Every event named in it, once, in the order they are written.
  public var operands: [String] {
    var seen: Set<String> = []
    var names: [String] = []
    visit { if seen.insert($0).inserted { names.append($0) } }
    return names
  }

  /// Whether the expression holds when exactly the events for which `isTriggered` is true have been triggered.
  public func holds(_ isTriggered: (String) throws -> Bool) rethrows -> Bool {
    switch self {
    case .event(let name): try isTriggered(name)
    case .all(let parts): try parts.allSatisfy { try $0.holds(isTriggered) }
    case .any(let parts): try parts.contains { try $0.holds(isTriggered) }
    }
  }

  /// Whether it is one name.
  public var isEvent: Bool {
    if case .event = self { return true }
    return false
  }

  /// As it would be written in a program file.
  public var description: String {
    switch self {
    case .event(let name): name
    case .all(let parts):
      parts.map { part in
        if case .any = part { return "(\(part))" }
        return part.description
      }.joined(separator: " and ")
    case .any(let parts): parts.map(\.description).joined(separator: " or ")
    }
  }

  private func visit(_ body: (String) -> Void) {
    switch self {
    case .event(let name): body(name)
    case .all(let parts), .any(let parts): for part in parts { part.visit(body) }
    }
  }
}
