import Model

/// The keys of one kind of mapping, without the types they are read into.
struct Table: Sendable {
  /// A key, as it is explained.
  struct Entry: Sendable {
    let name: String
    /// What may be written.
    let type: String
    /// What the key does, in a sentence or two.
    let meaning: String
    /// What holds when it is not written.
    let standard: String?
    /// How it may be written.
    let example: String
    let isRequired: Bool
    /// Whether it has a meaning only a later version carries out.
    let isRefused: Bool
    let schema: JSONValue
    /// The keys within it.
    let table: Table?
  }

  /// What the mapping is, as in "the retry has no 'attempts'".
  let noun: String
  let entries: [Entry]

  /// The mapping as JSON schema.
  var schema: JSONValue {
    var properties: [String: JSONValue] = [:]
    for entry in entries where !entry.isRefused {
      properties[entry.name] = entry.schema.described(entry.meaning)
    }
    var schema: [String: JSONValue] = [
      "type": .string("object"), "properties": .object(properties), "additionalProperties": .bool(false),
    ]
    let required = entries.filter(\.isRequired).map { JSONValue.string($0.name) }
    if !required.isEmpty { schema["required"] = .array(required) }
    return .object(schema)
  }

  /// The entry at `path`; components that name no key are taken for the names people give.
  func entry(at path: ArraySlice<Substring>) -> Entry? {
    guard let key = path.first, let entry = entries.first(where: { $0.name == key }) else { return nil }
    let rest = path.dropFirst()
    if rest.isEmpty { return entry }
    guard let table = entry.table else { return nil }
    return table.entry(at: rest) ?? table.entry(at: rest.dropFirst())
  }
}

extension JSONValue {
  fileprivate func described(_ meaning: String) -> JSONValue {
    guard case .object(var members) = self else { return self }
    members["description"] = .string(meaning)
    return .object(members)
  }
}
