import Model

/// The keys of a parameter, and its short form: a default.
enum ParameterKeys {
  /// A parameter while its keys are read: a default is taken as its type says, which may come later.
  private struct Draft: Sendable {
    var parameter = Program.Parameter(name: "", kind: .string)
    var kind: Program.Parameter.Kind?
    var standard: YAMLNode?
    var choices: YAMLNode?
  }

  private static let section = Section<Draft>(
    "parameter",
    [
      Key(
        "type", optional: \.kind, .choice, default: "that of its default, else string",
        example: "type: integer",
        "What a value may be."),
      Key(
        "default", optional: \.standard, .node, default: "none", example: "default: 9",
        "The value where a run gives none."),
      Key(
        "required", \.parameter.required, .boolean, default: "false", example: "required: true",
        "Whether a run can't start without a value."),
      Key(
        "choices", optional: \.choices, .node, default: "any", example: "choices: [lab1, lab2]",
        "The only values allowed."),
      Key(
        "description", optional: \.parameter.description, .text, example: "description: where",
        "What it is for."),
      Key(
        "secret", \.parameter.secret, .boolean, default: "false", example: "secret: true",
        "Kept from argv, logs, status and the database in clear; usable in env only."),
    ])

  static let form: Form<[Program.Parameter]> = .named(
    Form("a default or a mapping", schema: .object([:]), table: section.table, read: read), rename: \.name)

  private static let read: @Sendable (YAMLNode, String, inout Reader) -> Program.Parameter? = {
    node, path, reader in
    var draft = Draft()
    if case .mapping = node.content {
      _ = section.read(node, path, into: &draft, &reader)
    } else {
      if case .scalar("", isPlain: true) = node.content {
        reader.fail(node.position, path, "the parameter has no value; write a default, or {required: true}")
        return Program.Parameter(name: "", kind: .any)
      }
      draft.standard = node
    }
    var parameter = draft.parameter
    parameter.defaultValue = draft.standard.flatMap {
      value(of: $0, as: draft.kind, $0.position == node.position ? path : path.key("default"), &reader)
    }
    if let choices = draft.choices {
      parameter.choices = list(choices, draft.kind, path.key("choices"), &reader)
    }
    parameter.kind = draft.kind ?? parameter.defaultValue?.kind ?? parameter.choices?.first?.kind ?? .string
    return parameter
  }

  private static func list(
    _ node: YAMLNode, _ kind: Program.Parameter.Kind?, _ path: String, _ reader: inout Reader
  ) -> [JSONValue]? {
    guard case .list(let items) = node.content else {
      reader.fail(node, path, wanted: "a list")
      return nil
    }
    return items.enumerated().compactMap { position, item in
      reader.place(path.item(position), at: item.position)
      return value(of: item, as: kind, path.item(position), &reader)
    }
  }

  /// Text stays as it is written where text is wanted; elsewhere the way it is written decides.
  private static func value(
    of node: YAMLNode, as kind: Program.Parameter.Kind?, _ path: String, _ reader: inout Reader
  ) -> JSONValue? {
    if kind == .string, case .scalar(let text, _) = node.content, !node.isNull { return .string(text) }
    if kind == .number || kind == .integer, case .scalar(let text, isPlain: true) = node.content,
      let number = CoreScalar(plain: text).json
    {
      return number
    }
    return Form<JSONValue>.value.read(node, path, &reader)
  }
}

extension Form<YAMLNode> {
  /// Whatever is written, to be read when more is known.
  fileprivate static let node = Form("a value", schema: .object([:])) { node, _, _ in node }
}

extension JSONValue {
  /// The type a parameter with this default has.
  fileprivate var kind: Program.Parameter.Kind {
    switch self {
    case .null: .any
    case .bool: .boolean
    case .integer: .integer
    case .number: .number
    case .string: .string
    case .array: .list
    case .object: .object
    }
  }
}
