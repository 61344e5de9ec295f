import Model

/// The keys of one kind of mapping: the one place from which it is read, explained and described to editors.
struct Section<Root: Sendable>: Sendable {
  let table: Table
  private let keys: [String: Key<Root>]

  /// A mapping called `noun` with these keys.
  init(_ noun: String, _ keys: [Key<Root>]) {
    table = Table(noun: noun, entries: keys.map(\.entry))
    self.keys = Dictionary(keys.map { ($0.entry.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// Fills `root` from the mapping at `path`; false if it is none, or lacks a key it must have.
  func read(_ node: YAMLNode, _ path: String, into root: inout Root, _ reader: inout Reader) -> Bool {
    var entries: [YAMLEntry] = []
    if case .mapping(let written) = node.content {
      entries = written
    } else if !node.isNull {
      reader.fail(node, path, wanted: "a mapping")
      return false
    }
    for entry in entries {
      let path = path.key(entry.key)
      guard let key = keys[entry.key] else {
        let nearest = Name.nearest(to: entry.key, among: keys.keys).map { "; did you mean '\($0)'?" }
        let known = "; known here are \(keys.keys.sorted().joined(separator: ", "))"
        reader.fail(entry.position, path, "unknown key '\(entry.key.abridged)'" + (nearest ?? known))
        continue
      }
      reader.place(path, at: key.entry.isRefused ? entry.position : entry.value.position)
      key.read(&root, entry.value, path, &reader)
    }
    let missing = table.entries.filter { entry in
      entry.isRequired && !entries.contains { $0.key == entry.name }
    }
    for entry in missing {
      reader.fail(
        node.position, path, "the \(table.noun) has no '\(entry.name)'; write, for example, \(entry.example)")
    }
    return missing.isEmpty
  }

  /// The section as a form, `root` being what a mapping without keys means.
  ///
  /// `root` is given up where a key is missing that must be there, unless that is the one thing read.
  func form(_ root: Root, keepsIncomplete: Bool = true) -> Form<Root> {
    Form("a mapping (\(table.noun))", schema: table.schema, table: table) { node, path, reader in
      var value = root
      let isComplete = read(node, path, into: &value, &reader)
      return isComplete || keepsIncomplete ? value : nil
    }
  }
}

/// One key of a ``Section``.
struct Key<Root: Sendable>: Sendable {
  let entry: Table.Entry
  let read: @Sendable (inout Root, YAMLNode, String, inout Reader) -> Void

  /// The key `name`, which fills `property`.
  init<Value>(
    _ name: String, _ property: any WritableKeyPath<Root, Value> & Sendable, _ form: Form<Value>,
    required: Bool = false, default standard: String? = nil, example: String, _ meaning: String
  ) {
    entry = Table.Entry(
      name: name, type: form.name, meaning: meaning, standard: standard, example: example,
      isRequired: required,
      isRefused: false, schema: form.schema, table: form.table)
    read = { root, node, path, reader in
      if let value = form.read(node, path, &reader) { root[keyPath: property] = value }
    }
  }

  /// The key `name`, which fills `property` if it is written.
  init<Value>(
    _ name: String, optional property: any WritableKeyPath<Root, Value?> & Sendable, _ form: Form<Value>,
    default standard: String? = nil, example: String, _ meaning: String
  ) {
    self.init(
      name, property, form.map { .some($0) }, default: standard, example: example, meaning)
  }

  /// A key whose tool is not there yet: named, so that a program that has it is told why it is refused.
  init(notYet name: String, needs tool: String, example: String, _ meaning: String) {
    let sentence = "'\(name)' needs \(tool), which this version does not have yet"
    entry = Table.Entry(
      name: name, type: "refused", meaning: "\(meaning) Refused for now: \(sentence).", standard: nil,
      example: example, isRequired: false, isRefused: true, schema: .bool(false), table: nil)
    read = { _, _, path, reader in reader.add([.error(path, sentence)]) }
  }
}
