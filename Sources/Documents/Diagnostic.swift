public import Model

/// A place in a file people write, counted from 1; columns count Unicode scalars.
public struct SourceMark: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The file as it was named by whoever asked.
  public let file: String
  /// The line.
  public let line: Int
  /// The column.
  public let column: Int

  /// Line `line`, column `column` of `file`.
  public init(file: String, line: Int, column: Int) {
    self.file = file
    self.line = line
    self.column = column
  }

  /// `program.yaml:5:9`.
  public var description: String { "\(file):\(line):\(column)" }

  /// Orders by place; marks of different files by the file's name.
  public static func < (left: SourceMark, right: SourceMark) -> Bool {
    (left.file, left.line, left.column) < (right.file, right.line, right.column)
  }
}

/// Something wrong, or doubtful, at a place of a file.
public struct Diagnostic: Sendable, Hashable, CustomStringConvertible {
  /// Whether it keeps the file from being used.
  public let severity: Problem.Severity
  /// Where.
  public let mark: SourceMark
  /// The path of keys and positions, such as `steps.s1.on[0]`; empty for the file as a whole.
  public let path: String
  /// What is wrong and, where one is near, the name that was probably meant.
  public let message: String

  /// A diagnostic of these values.
  public init(severity: Problem.Severity, mark: SourceMark, path: String, message: String) {
    self.severity = severity
    self.mark = mark
    self.path = path
    self.message = message
  }

  /// `program.yaml:5:9: error: unknown event 'run_stpe2'; did you mean 'run_step2'?`
  public var description: String { "\(mark): \(severity.rawValue): \(message)" }
}

extension [Diagnostic] {
  /// In file order, what is said twice of one place said once.
  ///
  /// The same text is read twice where an alias repeats it, and would be complained of twice.
  func inFileOrder() -> [Diagnostic] {
    var said: Set<String> = []
    let once = filter { said.insert($0.description).inserted }
    return once.enumerated().sorted { ($0.element.mark, $0.offset) < ($1.element.mark, $1.offset) }.map(
      \.element)
  }
}
