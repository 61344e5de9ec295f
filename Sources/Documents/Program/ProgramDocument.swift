public import Model

/// A program file that was read and found fit to run.
public struct ProgramDocument: Sendable, Hashable {
  /// The program.
  public let program: Program
  /// The digest of its content, `sha256:…`.
  public let version: String
  /// The form in which it is kept in the database.
  public let canonicalJSON: String
  /// What is doubtful in it, in file order.
  public let warnings: [Diagnostic]

  /// Reads the file at `path`; what `check` finds besides is told with its place too.
  public static func read(
    path: String, check: (Program) -> [Problem] = { _ in [] }
  ) throws(DocumentError) -> ProgramDocument {
    try parse(try FileBytes.read(path: path), file: path, check: check)
  }

  /// Reads `text`, the content of `file`.
  public static func parse(_ text: String, file: String) throws(DocumentError) -> ProgramDocument {
    try parse(Array(text.utf8), file: file)
  }

  /// Reads `bytes`, the content of `file`.
  public static func parse(
    _ bytes: [UInt8], file: String, check: (Program) -> [Problem] = { _ in [] }
  ) throws(DocumentError) -> ProgramDocument {
    var source = try Source(bytes, file: file)
    guard var program = source.read(ProgramKeys.section, into: Program(name: "")) else {
      throw .invalid(source.diagnostics)
    }
    // A file without a name has been told so.
    if program.name.isEmpty { program.name = "unnamed" }
    source.reader.add(program.problems() + check(program))
    let diagnostics = source.diagnostics
    if diagnostics.contains(where: { $0.severity == .error }) { throw .invalid(diagnostics) }
    do {
      return ProgramDocument(
        program: program, version: try ProgramCoding.version(of: program),
        canonicalJSON: try ProgramCoding.canonicalJSON(program), warnings: diagnostics)
    } catch {
      throw .unreadable(
        path: file, reason: "can't be written as JSON (\(error))", hint: "report this as a bug")
    }
  }
}
