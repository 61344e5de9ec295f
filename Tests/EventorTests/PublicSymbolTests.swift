import Foundation
import Testing

/// What others may call is documented, and says what it throws.
@Suite("Public symbols")
struct PublicSymbolTests {
  static let modules = ["Eventor", "EventorCommand"]

  @Test("every public symbol has a doc comment, and a function that throws says what", arguments: modules)
  func areDocumented(module: String) throws {
    let folder = checkout.appendingPathComponent("Sources/\(module)")
    let found = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
    let files = found.filter { $0.hasSuffix(".swift") }.sorted()
    #expect(!files.isEmpty)
    var count = 0
    for file in files {
      let text = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
      let symbols = PublicSymbol.all(in: text)
      count += symbols.count
      for symbol in symbols {
        let place = "Sources/\(module)/\(file):\(symbol.line): \(symbol.signature)"
        #expect(!symbol.comment.isEmpty, "no doc comment: \(place)")
        if symbol.throwsErrors {
          #expect(symbol.comment.contains("- Throws:"), "does not say what it throws: \(place)")
        }
      }
    }
    #expect(count > (module == "Eventor" ? 150 : 4))
  }

  @Test("a public symbol is found with its comment and its signature, and others are not")
  func symbolsAreFound() {
    let symbols = PublicSymbol.all(
      in: """
        public import Model
        /// A.
        public struct A {
          /// B.
          ///
          /// - Throws: C.
          @discardableResult
          public func b(
            _ body: () throws -> Void
          ) throws -> Int {
            try c()
          }
          public func d(run: @Sendable (Int) async throws -> Void) -> Int { 1 }
          private func e() throws {}
          func f() {}
          /// G.
          case g(Int)
          switch g { case .g: 1 }
        }
        """)
    #expect(symbols.map(\.line) == [3, 8, 13, 17])
    #expect(symbols.map(\.throwsErrors) == [false, true, false, false])
    #expect(symbols.map(\.comment) == ["A.", "B.\n\n- Throws: C.", "", "G."])
  }
}

private let checkout = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// A declaration that others see, as a scan of lines finds it.
private struct PublicSymbol {
  let line: Int
  /// The declaration up to its body.
  let signature: String
  /// The doc comment directly above, attributes aside; empty without one.
  let comment: String

  /// Whether it throws itself: what its parameters may throw stands in parentheses.
  var throwsErrors: Bool {
    guard signature.contains(/\b(func|init)\b/) else { return false }
    var rest = signature
    while let inner = rest.firstMatch(of: /\([^()]*\)/) { rest.removeSubrange(inner.range) }
    return rest.contains(/\bthrows\b/)
  }

  static func all(in text: String) -> [PublicSymbol] {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { $0.drop { $0 == " " } }
    return lines.indices.filter { isDeclaration(lines[$0]) }.map { index in
      var signature = ""
      for line in lines[index...] {
        signature += signature.isEmpty ? line : " " + line
        if line.hasSuffix("{") || line.hasSuffix("}") || isWhole(signature) { break }
      }
      let above = lines[..<index].reversed().drop { $0.hasPrefix("@") }.prefix { $0.hasPrefix("///") }
      let comment = above.reversed().map { $0.dropFirst(3).drop { $0 == " " } }.joined(separator: "\n")
      return PublicSymbol(line: index + 1, signature: signature, comment: comment)
    }
  }

  private static func isDeclaration(_ line: Substring) -> Bool {
    // A case of an enumeration; those of a `switch` begin with a pattern.
    if line.hasPrefix("case ") {
      return line.contains(/^case [a-z`][^:]*(\(.*\))?$/) && !line.contains(" is ")
    }
    let words = line.split(separator: " ").drop { $0.hasPrefix("@") }
    guard let first = words.first, first == "public" || first == "open" else { return false }
    return !["import", "extension"].contains(words.dropFirst().first)
  }

  /// Whether a line that opens no body ends the declaration: its parentheses are closed.
  private static func isWhole(_ text: String) -> Bool {
    text.filter { $0 == "(" }.count == text.filter { $0 == ")" }.count && !text.hasSuffix(",")
  }
}
