import Model

extension Form {
  /// A list of `item`s.
  static func list<Item>(of item: Form<Item>) -> Form where Value == [Item] {
    Form("a list, each \(item.name)", schema: .list(of: item.schema), table: item.table) {
      node, path, reader in
      guard case .list(let items) = node.content else {
        if node.isNull { return [] }
        reader.fail(node, path, wanted: "a list")
        return nil
      }
      return read(items, item, path, &reader)
    }
  }

  /// One `item`, or a list of them.
  static func oneOrMany<Item>(_ item: Form<Item>) -> Form where Value == [Item] {
    Form(
      "\(item.name) or a list of them", schema: .anyOf(item.schema, .list(of: item.schema)), table: item.table
    ) { node, path, reader in
      if case .list(let items) = node.content { return read(items, item, path, &reader) }
      reader.place(path.item(0), at: node.position)
      return item.read(node, path, &reader).map { [$0] }
    }
  }

  /// A mapping from names to `item`s.
  static func map<Item>(of item: Form<Item>) -> Form where Value == [String: Item] {
    Form("a mapping, each value \(item.name)", schema: .map(of: item.schema)) { node, path, reader in
      guard case .mapping(let entries) = node.content else {
        if node.isNull { return [:] }
        reader.fail(node, path, wanted: "a mapping")
        return nil
      }
      var values: [String: Item] = [:]
      for entry in entries {
        let path = path.key(entry.key)
        reader.place(path, at: entry.position)
        values[entry.key] = item.read(entry.value, path, &reader)
      }
      return values
    }
  }

  /// A mapping from names to parts of the program, in the order written.
  static func named<Item: Sendable>(
    _ item: Form<Item>, rename: any WritableKeyPath<Item, String> & Sendable
  ) -> Form where Value == [Item] {
    Form("a mapping from names, each \(item.name)", schema: .map(of: item.schema), table: item.table) {
      node, path, reader in
      guard case .mapping(let entries) = node.content else {
        if node.isNull { return [] }
        reader.fail(node, path, wanted: "a mapping from names")
        return nil
      }
      return entries.compactMap { entry in
        let path = path.key(entry.key)
        reader.place(path, at: entry.position)
        guard var value = item.read(entry.value, path, &reader) else { return nil }
        value[keyPath: rename] = entry.key
        return value
      }
    }
  }

  private static func read<Item>(
    _ items: [YAMLNode], _ form: Form<Item>, _ path: String, _ reader: inout Reader
  ) -> [Item] where Value == [Item] {
    var values: [Item] = []
    values.reserveCapacity(items.count)
    for (position, item) in items.enumerated() {
      let path = path.item(position)
      reader.place(path, at: item.position)
      if let value = form.read(item, path, &reader) { values.append(value) }
    }
    return values
  }
}
