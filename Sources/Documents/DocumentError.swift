import Model

/// Why a file could not be used.
public enum DocumentError: Error, Sendable, Hashable, CustomStringConvertible {
  /// It could not be read at all.
  case unreadable(path: String, reason: String, hint: String)
  /// It was read, and holds errors: every error and warning at once, in file order.
  case invalid([Diagnostic])

  /// One line for each thing that is wrong.
  public var description: String {
    switch self {
    case .unreadable(let path, let reason, let hint): "\(path): \(reason); \(hint)"
    case .invalid(let diagnostics): diagnostics.map(\.description).joined(separator: "\n")
    }
  }

  /// What is wrong with the content; empty if it could not be read.
  public var diagnostics: [Diagnostic] {
    if case .invalid(let diagnostics) = self { return diagnostics }
    return []
  }
}
