/// The targets of Package.swift, read from its text: `swift package dump-package` would start a second
/// build system inside a test, and knows no comments.
struct Manifest {
  struct Target: Equatable {
    enum Kind: String, CaseIterable {
      case library = "target"
      case executable = "executableTarget"
      case test = "testTarget"
      case system = "systemLibrary"
    }

    let kind: Kind
    let name: String
    let path: String
    let dependencies: Set<String>
    let line: Int
    /// A comment line stands directly above. Consecutive system libraries share one.
    let isExplained: Bool
  }

  let targets: [Target]

  init(text: String) {
    var found: [Target] = []
    var rest = text[...]
    // The products above the list of targets have names too.
    if let list = rest.firstRange(of: "\n  targets: [") { rest = rest[list.upperBound...] }
    while let start = rest.firstMatch(of: /(?m)^ *\.(target|executableTarget|testTarget|systemLibrary)\(/) {
      let body = Manifest.balanced(text[start.range.upperBound...])
      rest = text[body.endIndex...]
      guard let kind = Target.Kind(rawValue: String(start.output.1)),
        let name = body.firstMatch(of: /name: *"([^"]+)"/)?.output.1
      else { continue }
      let above = text[..<start.range.lowerBound].split(separator: "\n", omittingEmptySubsequences: false)
        .dropLast()
      let previous = above.last.map(Manifest.trimmed) ?? ""
      let sharesComment = kind == .system && previous.hasPrefix(".systemLibrary(")
      found.append(
        Target(
          kind: kind, name: String(name),
          path: body.firstMatch(of: /path: *"([^"]+)"/).map { String($0.output.1) }
            ?? (kind == .test ? "Tests/\(name)" : "Sources/\(name)"),
          dependencies: Manifest.dependencies(in: body), line: above.count + 1,
          isExplained: previous.hasPrefix("//") || (sharesComment && found.last?.isExplained == true)))
    }
    targets = found
  }

  /// The text up to the bracket that closes the one before it. Our manifest has no brackets in strings.
  private static func balanced(_ text: Substring) -> Substring {
    var depth = 1
    for index in text.indices {
      switch text[index] {
      case "(", "[": depth += 1
      case ")", "]": depth -= 1
      default: break
      }
      if depth == 0 { return text[..<index] }
    }
    return text
  }

  private static func dependencies(in body: Substring) -> Set<String> {
    guard let list = body.firstRange(of: "dependencies: [") else { return [] }
    let names = balanced(body[list.upperBound...]).replacing(/package: *"[^"]+"/, with: "")
    return Set(names.matches(of: /"([^"]+)"/).map { String($0.output.1) })
  }

  private static func trimmed(_ line: Substring) -> String {
    String(line.trimmingPrefix(while: \.isWhitespace))
  }
}
