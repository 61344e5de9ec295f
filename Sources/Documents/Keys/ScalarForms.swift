import Model

extension Form<String> {
  /// Text exactly as it is written: `0.3` stays `0.3`, `yes` stays `yes`.
  static let text = Form("text", schema: .scalar) { node, path, reader in
    guard case .scalar(let text, let isPlain) = node.content, !(isPlain && text.isEmpty) else {
      reader.fail(node, path, wanted: "text")
      return nil
    }
    return text
  }

  /// A name; whether it is one, and of what, is for the rules of the domain to say.
  static let name = Form("a name", schema: .scalar) { node, path, reader in
    guard case .scalar(let text, _) = node.content, !text.isEmpty else {
      reader.fail(node, path, wanted: "a name")
      return nil
    }
    return text
  }
}

extension Form<Bool> {
  /// `true` or `false`.
  static let boolean = Form("true or false", schema: .type("boolean")) { node, path, reader in
    if case .scalar(let text, isPlain: true) = node.content, case .bool(let value) = CoreScalar(plain: text) {
      return value
    }
    reader.fail(node, path, wanted: "true or false")
    return nil
  }
}

extension Form<Int> {
  /// A whole number.
  static let integer = Form("a whole number", schema: .type("integer")) { node, path, reader in
    if case .scalar(let text, isPlain: true) = node.content,
      case .integer(let value) = CoreScalar(plain: text)
    {
      return Int(value)
    }
    reader.fail(node, path, wanted: "a whole number")
    return nil
  }
}

extension Form<Double> {
  /// A number.
  static let number = Form("a number", schema: .type("number")) { node, path, reader in
    if case .scalar(let text, isPlain: true) = node.content {
      switch CoreScalar(plain: text) {
      case .integer(let value): return Double(value)
      case .number(let value) where value.isFinite: return value
      default: break
      }
    }
    reader.fail(node, path, wanted: "a number")
    return nil
  }
}

extension Form<TimeSpan> {
  /// A length of time.
  static let duration = Form(
    scalar: "a duration such as 10, 0.25, 90s, 10m, 2h or 1d",
    schema: .object([
      "type": .array([.string("string"), .string("number")]), "pattern": .string("^[0-9.]+(us|ms|s|m|h|d)?$"),
    ]), parse: { TimeSpan($0) })
}

extension Form<Int64> {
  /// An amount of memory, units of 1024.
  static let memory = Form(
    scalar: "an amount of memory such as 512M or 2G (units K, M, G, T)",
    schema: .object([
      "type": .array([.string("string"), .string("integer")]), "pattern": .string("^[0-9]+[KMGT]?$"),
    ])
  ) { text in
    let shifts: [Character: Int64] = ["K": 10, "M": 20, "G": 30, "T": 40]
    let shift = text.last.flatMap { shifts[$0] }
    let digits = shift == nil ? text[...] : text.dropLast()
    guard digits.allSatisfy({ ("0"..."9").contains($0) }), let amount = Int64(digits) else { return nil }
    let (bytes, overflow) = amount.multipliedReportingOverflow(by: 1 << (shift ?? 0))
    return overflow ? nil : bytes
  }
}

extension Form<Sequence> {
  /// A sequence as it is written.
  static let sequence = Form<String>("a sequence", schema: .scalar, read: Form<String>.text.read).map {
    Sequence($0)
  }
}

extension Form<Expression> {
  /// A condition over events.
  static let expression = Form(
    "a condition such as 'a and (b or c)'", schema: .type("string")
  ) { node, path, reader in
    guard case .scalar(let text, _) = node.content, !node.isNull else {
      reader.fail(node, path, wanted: "a condition such as 'a and (b or c)'")
      return nil
    }
    do throws(ExpressionParser.Failure) {
      return try ExpressionParser.parse(text)
    } catch {
      reader.fail(reader.position(in: node, offset: error.offset), path, error.message)
      return nil
    }
  }
}

extension Form<JSONValue> {
  /// Any value, its type taken from how it is written by the core schema of YAML 1.2; quoted is text.
  static let value = Form("a value", schema: .object([:])) { node, path, reader in
    read(value: node, path, &reader)
  }

  private static func read(value node: YAMLNode, _ path: String, _ reader: inout Reader) -> JSONValue? {
    switch node.content {
    case .scalar(let text, isPlain: false): return .string(text)
    case .scalar(let text, isPlain: true):
      guard let value = CoreScalar(plain: text).json(asWritten: text) else {
        reader.fail(node, path, wanted: "a finite number")
        return nil
      }
      return value
    case .list(let items):
      var values: [JSONValue] = []
      for (position, item) in items.enumerated() {
        reader.place(path.item(position), at: item.position)
        if let value = read(value: item, path.item(position), &reader) { values.append(value) }
      }
      return .array(values)
    case .mapping(let entries):
      var members: [String: JSONValue] = [:]
      for entry in entries { members[entry.key] = read(value: entry.value, path.key(entry.key), &reader) }
      return .object(members)
    case .broken: return nil
    }
  }
}

extension Form where Value: CaseIterable & RawRepresentable & Sendable, Value.RawValue == String {
  /// One of the words of an enumeration.
  static var choice: Form {
    let words = Value.allCases.map(\.rawValue)
    let wanted = words.dropLast().joined(separator: ", ") + " or " + (words.last ?? "")
    return Form(wanted, schema: .object(["enum": .array(words.map { .string($0) })])) { node, path, reader in
      guard case .scalar(let text, _) = node.content, !node.isNull else {
        reader.fail(node, path, wanted: wanted)
        return nil
      }
      if let value = Value(rawValue: text) { return value }
      let nearest = Name.nearest(to: text, among: words).map { "; did you mean '\($0)'?" } ?? ""
      reader.fail(
        node.position, path,
        "'\(Reader.lastKey(of: path))' must be \(wanted), not '\(text.abridged)'" + nearest)
      return nil
    }
  }
}
