/// Why there is no keeper, or no longer one.
public struct KeeperError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What to act on.
  public enum Code: Sendable, Hashable {
    /// The journal cannot be opened or written.
    case journal
    /// A living keeper holds the journal.
    case journalInUse
    /// The process could not be made.
    case fork
    /// It ended while the agent still needed it.
    case died
  }
  /// What to act on.
  public let code: Code
  /// What happened, and why.
  public let description: String

  init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }
}
