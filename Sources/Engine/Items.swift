import Model

/// What a loop goes over, found when it opens.
extension Transition {
  struct ResolvedItems {
    var total = 0
    var list: [JSONValue]?
    var rangeStart = 1
    /// Why there are none.
    var problem: String?
  }

  mutating func resolve(_ items: Program.Items, in sequence: Sequence) throws -> ResolvedItems {
    switch items {
    case .list(let list):
      let filled = list.map { item in
        guard case .string(let text) = item else { return item }
        return JSONValue.string(Template(text).filled(parameters: changes.run.parameters))
      }
      return ResolvedItems(total: list.count, list: filled)
    case .range(let from, let to):
      guard let first = try number(from, in: sequence), let last = try number(to, in: sequence) else {
        return ResolvedItems(problem: "its range is not between whole numbers")
      }
      let (difference, overflow) = last.subtractingReportingOverflow(first)
      guard !overflow, difference < Int.max / 2 else {
        return ResolvedItems(problem: "its range is too long")
      }
      return ResolvedItems(total: max(0, difference + 1), rangeStart: first)
    case .reference(let text):
      guard let value = try value(of: text, in: sequence) else {
        return ResolvedItems(problem: "\(text) has no value")
      }
      guard case .array(let list) = value else {
        return ResolvedItems(problem: "\(text) is not a list")
      }
      return ResolvedItems(total: list.count, list: list)
    }
  }

  private func number(_ end: Program.RangeEnd, in sequence: Sequence) throws -> Int? {
    switch end {
    case .value(let number): return number
    case .reference(let text):
      switch try value(of: text, in: sequence) {
      case .integer(let number): return Int(number)
      case .string(let digits): return Int(digits)
      default: return nil
      }
    }
  }

  /// The value of a text that is one reference, such as `${steps.s1.result.hosts}`.
  private func value(of text: String, in sequence: Sequence) throws -> JSONValue? {
    guard let reference = Template(text).onlyReference else { return nil }
    switch reference {
    case .parameter(let name): return changes.run.parameters[name]
    case .result(let step, let path):
      return try result(of: step, in: sequence)?.value(at: path.map { $0[...] })
    case .loopItem, .loopIndex: return nil
    }
  }

  /// A result as the ends of this very transition leave it: the ledger does not know them yet.
  private func result(of step: String, in sequence: Sequence) throws -> JSONValue? {
    var ended: [Sequence: JSONValue?] = [:]
    for change in changes.taskChanges where change.task.step == step {
      switch change.kind {
      case .ended(let outcome): ended[change.task.sequence] = .some(outcome.result)
      case .passed: ended[change.task.sequence] = .some(nil)
      default: break
      }
    }
    for place in sequence.enclosing {
      if case .some(let result) = ended[place] { return result }
    }
    let found = try newList(of: step, in: sequence) ?? ledger.result(of: step, in: sequence)
    guard plan.loops[step]?.isForEach == true, case .array(var list) = found ?? .array([]) else {
      return found
    }
    for (place, result) in ended where place.outer.map(sequence.enclosing.contains) == true {
      guard let index = place.components.last.flatMap({ Int($0) }), list.indices.contains(index - 1) else {
        continue
      }
      list[index - 1] = result ?? .null
    }
    return .array(list)
  }

  /// The results of a `foreach` that this very transition has opened, as far as they go: of what it has passed there are
  /// none.
  private func newList(of step: String, in sequence: Sequence) -> JSONValue? {
    guard plan.loops[step]?.isForEach == true else { return nil }
    for place in sequence.enclosing {
      if case .some(.some(let number)) = loopNumbers[Key(name: step, sequence: place)],
        let loop = loops[number]
      {
        return .array([JSONValue](repeating: .null, count: min(loop.total, 1_000_000)))
      }
    }
    return nil
  }
}
