/// Something wrong, or doubtful, in a program.
public struct Problem: Error, Sendable, Hashable {
  /// Whether it keeps the program from running.
  public enum Severity: String, Sendable, Codable {
    case error, warning
  }
  /// Whether it keeps the program from running.
  public let severity: Severity
  /// Where: the path of keys and positions in the program, such as `steps.s1.on[0]`.
  public let path: String
  /// What is wrong and, where one is near, the name that was probably meant.
  public let message: String

  /// An error at `path`.
  public static func error(_ path: String, _ message: String) -> Problem {
    Problem(severity: .error, path: path, message: message)
  }

  /// A warning at `path`.
  public static func warning(_ path: String, _ message: String) -> Problem {
    Problem(severity: .warning, path: path, message: message)
  }
}
