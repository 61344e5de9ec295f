extension Vault {
  /// The file, as YAML; names in quotation marks, for `null` and `1` are names too.
  public var text: String {
    var lines = [
      "# Secrets of Eventor, encrypted. `coordinator secret` writes this file; docs/secrets.md explains it.",
      "format: \(Self.format)", "key:", "  id: \"\(keyID)\"",
    ]
    switch source {
    case .file(let path): lines.append("  file: \(Self.quoted(path))")
    case .passphrase(let settings):
      lines.append(
        "  passphrase: {salt: \"\(settings.salt)\", operations: \(settings.operations), memory: \(settings.memory)}"
      )
    }
    lines.append(entries.isEmpty ? "entries: {}" : "entries:")
    for name in entries.keys.sorted() {
      if let entry = entries[name] { lines.append("  \(Self.quoted(name)): \"\(entry)\"") }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// A double-quoted scalar of YAML 1.2.
  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": quoted += "\\" + String(scalar)
      case _ where scalar.value < 0x20 || scalar.value == 0x7f:
        quoted += "\\x" + Sodium.hexadecimal([UInt8(scalar.value)])
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
