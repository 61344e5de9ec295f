import Model

/// A way to write a value: how it is read, what people are told of it and what editors are.
struct Form<Value>: Sendable {
  /// What it is, as in "must be a duration such as 90s".
  let name: String
  /// Its JSON schema.
  let schema: JSONValue
  /// The keys within it, where it is a mapping, or holds mappings.
  let table: Table?
  /// Reads what stands at a path; nil if it is no such thing, which has been said then.
  let read: @Sendable (YAMLNode, String, inout Reader) -> Value?

  init(
    _ name: String, schema: JSONValue, table: Table? = nil,
    read: @escaping @Sendable (YAMLNode, String, inout Reader) -> Value?
  ) {
    self.name = name
    self.schema = schema
    self.table = table
    self.read = read
  }

  /// A form whose values are made of scalars alone.
  init(scalar name: String, schema: JSONValue, parse: @escaping @Sendable (String) -> Value?) {
    self.init(name, schema: schema) { node, path, reader in
      guard case .scalar(let text, _) = node.content, !node.isNull, let value = parse(text) else {
        reader.fail(node, path, wanted: name)
        return nil
      }
      return value
    }
  }

  /// The same form for another kind of value.
  func map<Other>(_ transform: @escaping @Sendable (Value) -> Other) -> Form<Other> {
    Form<Other>(name, schema: schema, table: table) { node, path, reader in
      read(node, path, &reader).map(transform)
    }
  }
}

extension JSONValue {
  /// `{"type": name}`.
  static func type(_ name: String) -> JSONValue { .object(["type": .string(name)]) }

  /// `{"anyOf": forms}`.
  static func anyOf(_ forms: JSONValue...) -> JSONValue { .object(["anyOf": .array(forms)]) }

  /// A list of `items`.
  static func list(of items: JSONValue) -> JSONValue { .object(["type": .string("array"), "items": items]) }

  /// A mapping from any key to `values`.
  static func map(of values: JSONValue) -> JSONValue {
    .object(["type": .string("object"), "additionalProperties": values])
  }

  /// Text, and the scalars that people write for it without quotes.
  static let scalar = JSONValue.object([
    "type": .array([.string("string"), .string("number"), .string("boolean")])
  ])
}
