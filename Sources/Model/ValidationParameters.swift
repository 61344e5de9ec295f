/// Types, choices and secrets of parameters.
extension Validation {
  mutating func checkParameters() {
    for parameter in program.parameters {
      let path = "parameters.\(parameter.name)"
      let kind = parameter.kind
      if let value = parameter.defaultValue {
        // The message does not repeat the value: it may be the secret.
        if parameter.secret {
          error(
            path + ".default",
            "a secret parameter can't have a default: it would stand in the file and the database in clear")
        } else if !kind.allows(value) {
          error(path + ".default", "the default \(value.json) is not of type \(kind.rawValue)")
        } else if let choices = parameter.choices, !choices.isEmpty, !choices.contains(value) {
          error(path + ".default", "the default \(value.json) is not one of the choices")
        }
        if parameter.required {
          warn(path + ".required", "'required' says nothing beside a default")
        }
      }
      guard let choices = parameter.choices else { continue }
      if choices.isEmpty { error(path + ".choices", "'choices' is empty: no value would be allowed") }
      for (position, choice) in choices.enumerated() where !kind.allows(choice) {
        error(path + ".choices[\(position)]", "the choice \(choice.json) is not of type \(kind.rawValue)")
      }
    }
  }
}

extension Program.Parameter.Kind {
  /// Whether a parameter of this type may have `value`.
  public func allows(_ value: JSONValue) -> Bool {
    switch (self, value) {
    case (.any, _), (.string, .string), (.integer, .integer), (.number, .integer), (.number, .number),
      (.boolean, .bool), (.list, .array), (.object, .object):
      true
    default: false
    }
  }
}
