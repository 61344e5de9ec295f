import Documents
import Testing

/// What is said of `text`, one line per diagnostic, as people see it; warnings too when the file is usable.
func said(_ text: String) -> [String] {
  do throws(DocumentError) {
    return try ProgramDocument.parse(text, file: "p").warnings.map(\.description)
  } catch {
    return error.diagnostics.isEmpty ? [error.description] : error.diagnostics.map(\.description)
  }
}

/// The document in `text`, which must be without errors.
func document(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> ProgramDocument {
  do throws(DocumentError) {
    return try ProgramDocument.parse(text, file: "p")
  } catch {
    Issue.record("\(error)", sourceLocation: sourceLocation)
    throw error
  }
}
