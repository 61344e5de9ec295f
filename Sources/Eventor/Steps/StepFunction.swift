import Model

/// A function that a step calls, whatever its types are.
struct StepFunction: Sendable {
  typealias Body = @Sendable (StepContext) async throws -> JSONValue?

  /// Whether it may be carried out in the process of its program.
  let isInProcess: Bool
  /// What it does; its result as JSON, nil if it has none.
  let body: Body

  /// The most a result may have, in bytes of JSON, as for steps that write a file.
  static let resultLimit = 1 << 20

  /// Calls it, and has its result fit.
  func call(_ step: StepContext) async throws -> JSONValue? {
    let result = try await body(step)
    guard let result, result != .null else { return nil }
    guard result.json.utf8.count <= Self.resultLimit else {
      throw StepFailure("its result is larger than 1 MiB")
    }
    return result
  }
}

/// A failure of a step whose exit code matters: `retry` and `--exit-code-from` go by it.
public struct StepFailure: Error, Sendable, Hashable, CustomStringConvertible {
  /// What went wrong, in a sentence.
  public let description: String
  /// The step's exit code, from 1 to 255.
  public let exitCode: Int

  /// A failure; an exit code outside 1 to 255 is taken as 1.
  public init(_ description: String, exitCode: Int = 1) {
    self.description = description
    self.exitCode = (1...255).contains(exitCode) ? exitCode : 1
  }

  /// What is recorded of any error: its own words, at most 8 KiB of them, and 1 where it has no exit code.
  static func recorded(_ error: any Error) -> (message: String, exitCode: Int) {
    let text = String(describing: error)
    let cut = text.utf8.count <= 8192 ? text : String(decoding: text.utf8.prefix(8192), as: UTF8.self) + "…"
    // No database takes NUL in a text.
    return (cut.replacing("\0", with: "\u{FFFD}"), (error as? StepFailure)?.exitCode ?? 1)
  }
}
