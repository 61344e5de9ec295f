import Testing

/// Rules on single lines of our Swift files. A rule either bans what it finds or wants the reason in a
/// comment directly above.
struct HouseRule: Sendable, CustomTestStringConvertible {
  enum Verdict { case banned, wantsComment }

  let name: String
  let verdict: Verdict
  var exempt: String?

  static let all: [HouseRule] = [
    HouseRule(name: "print(", verdict: .banned, exempt: "Sources/coordinator-cli/"),
    HouseRule(name: "try!", verdict: .banned),
    HouseRule(name: " as!", verdict: .banned),
    HouseRule(name: "fatalError(", verdict: .wantsComment),
    HouseRule(name: "@unchecked Sendable", verdict: .wantsComment),
    HouseRule(name: "nonisolated(unsafe)", verdict: .wantsComment),
  ]

  var testDescription: String { name }

  /// The numbers of the lines that break the rule.
  func violations(in file: Repository.File) -> [Int] {
    if let exempt, file.path.hasPrefix(exempt) { return [] }
    guard file.holds(name) else { return [] }
    return file.lines.indices.filter { index in
      guard breaks(code(of: file.lines[index])) else { return false }
      if verdict == .banned { return true }
      return index == 0 || !isComment(file.lines[index - 1])
    }.map { $0 + 1 }
  }

  private func breaks(_ code: Substring) -> Bool {
    code.ranges(of: name).contains { range in
      // `footprint(`, `.print(` and `table.print(` are others' names; `Swift.print(` is the one meant.
      guard let before = code[..<range.lowerBound].last, name.first?.isLetter == true else { return true }
      if before == "." { return code[..<range.lowerBound].hasSuffix("Swift.") }
      return !(before.isLetter || before.isNumber || before == "_")
    }
  }

  /// What stands before a trailing comment; nothing where the line is a comment.
  private func code(of line: String) -> Substring {
    if isComment(line) { return "" }
    guard let comment = line.firstRange(of: " // ") else { return line[...] }
    return line[..<comment.lowerBound]
  }

  private func isComment(_ line: String) -> Bool {
    line.trimmingPrefix(while: \.isWhitespace).starts(with: "//")
  }
}
