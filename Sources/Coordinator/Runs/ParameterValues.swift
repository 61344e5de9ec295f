import Foundation
public import Model

/// Something that was asked for in a way that can't be understood or is not allowed.
public struct UsageFailure: Error, Sendable, Hashable, CustomStringConvertible {
  /// What is wrong, why, and how to mend it.
  public let description: String

  /// A failure told as `description`.
  public init(_ description: String) { self.description = description }
}

/// The values of a program's parameters for one run.
public struct ParameterValues: Sendable {
  /// The values, in place of secret ones at most references: what the store keeps.
  public private(set) var open: [String: JSONValue] = [:]
  /// The secret values: never stored.
  public private(set) var secret: [String: String] = [:]
  /// Secret parameters whose values are in a vault.
  public private(set) var references: [String: SecretReference] = [:]

  /// Takes `NAME=VALUE` texts for `program`.
  ///
  /// A secret parameter takes `NAME=@FILE`, the variable `EVENTOR_PARAM_NAME`, or `NAME=@secret:TAG` for a secret of the
  /// vault; a value on the command line is refused, for it would show in the list of processes.
  ///
  /// - Parameters:
  ///   - former: Values that stand unless `texts` change them; nil takes the program's defaults.
  ///   - readFile: Reads a file that a value names.
  /// - Throws: ``UsageFailure``.
  public init(
    _ texts: [String], for program: Program, former: [String: JSONValue]? = nil,
    environment: [String: String],
    readFile: (String) throws -> String
  ) throws {
    var given: [String: String] = [:]
    for text in texts {
      guard let split = text.firstIndex(of: "="), split != text.startIndex else {
        throw UsageFailure("--param \(text): it has no value; write --param NAME=VALUE")
      }
      let name = String(text[..<split])
      guard program.parameters.contains(where: { $0.name == name }) else {
        let near = Name.nearest(to: name, among: program.parameters.map(\.name)).map {
          "; did you mean '\($0)'?"
        }
        throw UsageFailure("--param \(name): program '\(program.name)' has no such parameter" + (near ?? ""))
      }
      guard given[name] == nil else { throw UsageFailure("--param \(name): it is given twice") }
      given[name] = String(text[text.index(after: split)...])
    }
    for parameter in program.parameters {
      if parameter.secret {
        try take(parameter, given[parameter.name], former?[parameter.name], environment, readFile)
      } else if let text = given[parameter.name] {
        open[parameter.name] = try Self.value(text, of: parameter)
      } else if let value = former?[parameter.name] ?? parameter.defaultValue {
        open[parameter.name] = value
      } else if parameter.required {
        throw UsageFailure(
          "parameter '\(parameter.name)' of program '\(program.name)' has no value; give --param \(parameter.name)=…"
        )
      }
    }
  }

  /// Takes the value of a secret parameter, or what refers to it.
  private mutating func take(
    _ parameter: Program.Parameter, _ text: String?, _ former: JSONValue?, _ environment: [String: String],
    _ readFile: (String) throws -> String
  ) throws {
    let reference: SecretReference?
    if let text, SecretReference.isMeant(text) {
      reference = SecretReference(text)
      guard reference != nil else {
        throw UsageFailure(
          "--param \(parameter.name)=\(text): that is no name of a secret; write \(parameter.name)=@secret:NAME"
        )
      }
    } else {
      let isReferred = text == nil && environment[Self.variable(of: parameter)] == nil
      reference = isReferred ? SecretReference(former) : nil
    }
    if let reference {
      references[parameter.name] = reference
      open[parameter.name] = .string(reference.description)
    } else {
      secret[parameter.name] = try Self.secretValue(of: parameter, text, environment, readFile)
    }
  }

  /// The secret values for steps that are carried out by this process: those of the vault are opened.
  public func secrets(openedBy open: (String) throws -> String) rethrows -> [String: String] {
    try secret.merging(references.mapValues { try open($0.name) }) { $1 }
  }

  /// Refuses values that can't be left to agents: of a secret one these are given the name alone.
  ///
  /// - Throws: ``UsageFailure``.
  public func checkForAgents(_ program: Program) throws {
    for parameter in program.parameters where parameter.secret && references[parameter.name] == nil {
      throw UsageFailure(
        "parameter '\(parameter.name)' is secret: agents are not handed its value, and the store keeps none in clear; "
          + "keep it in the vault of each host that needs it (coordinator secret set NAME), and give "
          + "--param \(parameter.name)=@secret:NAME")
    }
  }

  private static func variable(of parameter: Program.Parameter) -> String {
    "EVENTOR_PARAM_" + String(parameter.name.uppercased().map { $0.isLetter || $0.isNumber ? $0 : "_" })
  }

  private static func secretValue(
    of parameter: Program.Parameter, _ text: String?, _ environment: [String: String],
    _ readFile: (String) throws -> String
  ) throws -> String? {
    let variable = variable(of: parameter)
    if let text {
      guard text.hasPrefix("@") else {
        throw UsageFailure(
          "--param \(parameter.name): a secret on the command line shows in the list of processes; "
            + "give --param \(parameter.name)=@FILE or @secret:NAME, or set \(variable)")
      }
      do {
        let content = try readFile(String(text.dropFirst()))
        return content.hasSuffix("\n") ? String(content.dropLast()) : content
      } catch {
        throw UsageFailure(
          "--param \(parameter.name): can't read \(text.dropFirst()): \(error.localizedDescription)")
      }
    }
    if let value = environment[variable] { return value }
    guard parameter.required else { return nil }
    throw UsageFailure(
      "secret parameter '\(parameter.name)' has no value; set \(variable), or give --param \(parameter.name)=@FILE or "
        + "@secret:NAME"
    )
  }

  /// Reads a value by its parameter's type.
  private static func value(_ text: String, of parameter: Program.Parameter) throws -> JSONValue {
    func decoded() -> JSONValue? { try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) }
    let value: JSONValue?
    switch parameter.kind {
    case .string: value = .string(text)
    case .integer: value = Int64(text).map { .integer($0) }
    case .number:
      value = Int64(text).map { .integer($0) } ?? Double(text).flatMap { $0.isFinite ? .number($0) : nil }
    case .boolean: value = ["true": .bool(true), "false": .bool(false)][text]
    case .list:
      if case .array(let items)? = decoded() {
        value = .array(items)
      } else {
        // A list of words is written most easily with commas.
        value = text.hasPrefix("[") ? nil : .array(text.split(separator: ",").map { .string(String($0)) })
      }
    case .object:
      if case .object(let members)? = decoded() { value = .object(members) } else { value = nil }
    case .any: value = decoded() ?? .string(text)
    }
    guard let value else {
      throw UsageFailure("--param \(parameter.name)=\(text): it must be of type \(parameter.kind.rawValue)")
    }
    if let choices = parameter.choices, !choices.contains(value) {
      let names = choices.map(\.plainText)
      let near = Name.nearest(to: text, among: names).map { "; did you mean '\($0)'?" } ?? ""
      throw UsageFailure(
        "--param \(parameter.name)=\(text): it must be one of \(names.joined(separator: ", "))\(near)")
    }
    return value
  }
}
