/// The module an import names, whatever stands around it: `@testable import X`, `public import X`,
/// `@preconcurrency internal import struct X.Y`.
func importedModules(in line: String) -> [String] {
  guard line.contains("import") else { return [] }
  return line.split(separator: ";").compactMap { statement in
    let pattern =
      /^\s*(?:(?:@\w+(?:\([^)]*\))?|public|package|internal|fileprivate|private)\s+)*import\s+(?:(?:struct|class|enum|protocol|actor|typealias|func|let|var)\s+)?`?(\w+)/
    return statement.prefixMatch(of: pattern).map { String($0.output.1) }
  }
}
