/// What `${…}` refers to, and that secrets stay out of argv.
extension Validation {
  /// A text in which references are replaced.
  private struct Field {
    let path: String
    let text: String
    /// Whether a secret may stand in it: it does not end in argv, a process title or the database.
    var keepsSecrets = false
    /// Whether only parameters are replaced in it.
    var takesParametersOnly = false
  }

  mutating func checkTemplates() {
    if let host = program.config.defaultHost {
      check(Field(path: "config.default_host", text: host, takesParametersOnly: true))
    }
    for group in program.groups {
      let path = "groups.\(group.name)"
      check(group.environment, at: path + ".env")
      if let directory = group.workingDirectory { check(Field(path: path + ".cwd", text: directory)) }
    }
    for step in program.steps {
      let path = "steps.\(step.name)"
      for field in fields(of: step) { check(field) }
      check(step.environment, at: path + ".env")
      if let forEach = step.forEach { check(forEach.over, at: path + ".foreach") }
    }
    for loop in program.loops { check(loop.over, at: "loops.\(loop.name).over") }
  }

  /// The places of a step where `${loop.item}` or `${loop.index}` stands.
  func loopReferences(of step: Program.Step) -> [(path: String, reference: String)] {
    let environment = step.environment.sorted { $0.key < $1.key }
      .map { Field(path: "steps.\(step.name).env.\($0.key)", text: $0.value) }
    return (fields(of: step) + environment).flatMap { field in
      references(in: field.text).filter { $0 == "loop.item" || $0 == "loop.index" }
        .map { (field.path, String($0)) }
    }
  }

  private func fields(of step: Program.Step) -> [Field] {
    let path = "steps.\(step.name)"
    var fields: [Field] = []
    switch step.action {
    case .run(let words):
      for (position, word) in words.enumerated() {
        fields.append(Field(path: path + ".run[\(position)]", text: word))
      }
    case .shell(let line): fields.append(Field(path: path + ".shell", text: line))
    case .empty, .function: break
    }
    for (position, word) in (step.precondition ?? []).enumerated() {
      fields.append(Field(path: path + ".precondition[\(position)]", text: word))
    }
    if let directory = step.workingDirectory { fields.append(Field(path: path + ".cwd", text: directory)) }
    if let host = step.host {
      fields.append(Field(path: path + ".host", text: host, takesParametersOnly: true))
    }
    return fields
  }

  private mutating func check(_ environment: [String: String], at path: String) {
    for (name, value) in environment.sorted(by: { $0.key < $1.key }) {
      check(Field(path: "\(path).\(name)", text: value, keepsSecrets: true))
    }
  }

  private mutating func check(_ items: Program.Items, at path: String) {
    switch items {
    case .list(let values):
      for (position, value) in values.enumerated() {
        guard case .string(let text) = value else { continue }
        check(Field(path: "\(path)[\(position)]", text: text, takesParametersOnly: true))
      }
    case .range(let from, let to):
      for (key, end) in [("from", from), ("to", to)] {
        if case .reference(let text) = end { checkWhole(text, at: "\(path).\(key)") }
      }
    case .reference(let text): checkWhole(text, at: path)
    }
  }

  /// A text that must be one reference, to something whose value is known when a loop starts.
  private mutating func checkWhole(_ text: String, at path: String) {
    let found = references(in: text)
    if found.count == 1, text == "${\(found[0])}", isParameter(found[0]) || resultStep(of: found[0]) != nil {
      check(Field(path: path, text: text))
    } else {
      error(path, "'\(text)' is neither ${param.NAME} nor ${steps.NAME.result}")
    }
  }

  private mutating func check(_ field: Field) {
    for reference in references(in: field.text) {
      if isParameter(reference) {
        checkParameter(String(reference.dropFirst(6)), in: field)
      } else if field.takesParametersOnly, isOurs(reference) {
        error(field.path, "only ${param.NAME} is replaced here, not '${\(reference)}'")
      } else if let step = resultStep(of: reference) {
        expect(step, "step", in: steps, at: field.path)
      } else if isOurs(reference), reference != "loop.item", reference != "loop.index" {
        warn(
          field.path,
          "'${\(reference)}' is left as it is; there are ${param.NAME}, ${steps.NAME.result}, ${loop.item} and "
            + "${loop.index}")
      }
    }
  }

  private mutating func checkParameter(_ name: String, in field: Field) {
    guard let parameter = parameters[name] else {
      expect(name, "parameter", in: Set(parameters.keys), at: field.path)
      return
    }
    if parameter.secret, !field.keepsSecrets {
      error(field.path, "the secret parameter '\(name)' may be used in 'env' only: here others could read it")
    }
  }

  private func isParameter(_ reference: Substring) -> Bool { reference.hasPrefix("param.") }

  /// Whether it can only have been meant for us; everything else is the shell's.
  private func isOurs(_ reference: Substring) -> Bool {
    ["param.", "params.", "steps.", "step.", "loop."].contains { reference.hasPrefix($0) }
  }

  /// The step of `steps.NAME.result…`; names may hold dots.
  private func resultStep(of reference: Substring) -> String? {
    guard reference.hasPrefix("steps.") else { return nil }
    let parts = reference.dropFirst(6).split(separator: ".", omittingEmptySubsequences: false)
    guard let end = parts.dropFirst().firstIndex(of: "result") else { return nil }
    return parts[..<end].joined(separator: ".")
  }

  /// What stands between the braces of every `${…}`; `$${` is a literal `${`.
  private func references(in text: String) -> [Substring] {
    var found: [Substring] = []
    var rest = text[...]
    while let dollar = rest.firstIndex(of: "$") {
      let tail = rest[dollar...]
      if tail.hasPrefix("$${") {
        rest = tail.dropFirst(3)
      } else if tail.hasPrefix("${"), let close = tail.firstIndex(of: "}") {
        let inner = tail[tail.index(tail.startIndex, offsetBy: 2)..<close]
        found.append(inner)
        // What is not ours is the shell's, and may hold one of ours: `${A:-${param.x}}`.
        rest = isOurs(inner) ? tail[tail.index(after: close)...] : tail.dropFirst()
      } else {
        rest = tail.dropFirst()
      }
    }
    return found
  }
}
