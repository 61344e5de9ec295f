import Model

/// What the keys of program and configuration files mean, from the very tables by which they are read.
public enum Schema {
  /// Which kind of file.
  public enum Kind: String, Sendable, CaseIterable {
    case program, config
  }

  /// The JSON schema of program files, for editors.
  public static func programJSONSchema() -> String { schema(of: .program, title: "Eventor program") }

  /// The JSON schema of configuration files, for editors.
  public static func configJSONSchema() -> String { schema(of: .config, title: "Eventor configuration") }

  /// What the key at `path` (`steps.retry.backoff`) means, its type, default and an example; nil if there is none.
  ///
  /// Names people give may stand in the path or be left out: `steps.s1.retry` is `steps.retry`. An empty path
  /// lists the keys of the file.
  public static func describe(_ kind: Kind, path: String) -> String? {
    let table = table(of: kind)
    if path.isEmpty { return listing(of: table) }
    let plain = path.replacing("[]", with: "")
    guard let entry = table.entry(at: plain.split(separator: ".")[...]) else { return nil }
    var lines = ["\(path): \(entry.meaning)", "  type:    \(entry.type)"]
    if entry.isRequired { lines.append("  required") }
    if let standard = entry.standard { lines.append("  default: \(standard)") }
    lines.append("  example: \(entry.example)")
    if let inner = entry.table { lines += ["", listing(of: inner)] }
    return lines.joined(separator: "\n")
  }

  /// Every path that ``describe(_:path:)`` knows, in the order of the tables.
  public static func paths(of kind: Kind) -> [String] { paths(in: table(of: kind), under: "") }

  static func table(of kind: Kind) -> Table {
    switch kind {
    case .program: ProgramKeys.section.table
    case .config: ConfigurationKeys.section.table
    }
  }

  private static func paths(in table: Table, under prefix: String) -> [String] {
    table.entries.flatMap { entry in
      let path = prefix.key(entry.name)
      return [path] + (entry.table.map { paths(in: $0, under: path) } ?? [])
    }
  }

  private static func listing(of table: Table) -> String {
    let width = table.entries.map(\.name.count).max() ?? 0
    let lines = table.entries.map { entry in
      "  " + entry.name + String(repeating: " ", count: width - entry.name.count) + "  " + entry.meaning
    }
    return (["keys of a \(table.noun):"] + lines).joined(separator: "\n")
  }

  private static func schema(of kind: Kind, title: String) -> String {
    guard case .object(var members) = table(of: kind).schema else { return "{}" }
    members["$schema"] = .string("https://json-schema.org/draft/2020-12/schema")
    members["title"] = .string(title)
    return JSONValue.object(members).json
  }
}
