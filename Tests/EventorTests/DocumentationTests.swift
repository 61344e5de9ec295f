import Foundation
import Testing

/// Code in the articles and doc comments is code that is compiled: in the examples, or in `Snippets`.
@Suite("Documentation")
struct DocumentationTests {
  static let articles = ["README.md", "docs/library.md"] + files(in: "Sources/Eventor/Eventor.docc", ".md")
  static let commented =
    files(in: "Sources/Eventor", ".swift") + files(in: "Sources/EventorCommand", ".swift")
  private static let compiled =
    (files(in: "Sources/eventor-examples", ".swift") + files(in: "Tests/EventorTests/Snippets", ".swift"))
    .map { normalised(text(of: $0)) }

  @Test("every block of Swift in an article is compiled", arguments: articles)
  func articleIsCompiled(path: String) {
    let blocks = swiftBlocks(in: text(of: path).split(separator: "\n", omittingEmptySubsequences: false))
    for block in blocks { expectCompiled(block, in: path) }
    if path != "README.md" && !path.hasSuffix("RunningOnACluster.md") { #expect(!blocks.isEmpty) }
  }

  @Test("every block of Swift in a doc comment is compiled")
  func commentsAreCompiled() {
    var count = 0
    for path in Self.commented {
      let lines = text(of: path).split(separator: "\n", omittingEmptySubsequences: false)
        .map { $0.drop { $0 == " " } }.map { $0.hasPrefix("///") ? $0.dropFirst(3) : "" }
      for block in swiftBlocks(in: lines) {
        expectCompiled(block, in: path)
        count += 1
      }
    }
    #expect(count >= 2)
  }

  @Test("the programs in the articles can be run")
  func snippetsAreValid() {
    for program in Snippets.programs {
      #expect(program.problems().map { "\(program.name): \($0.path): \($0.message)" } == [])
    }
  }

  @Test("an article that is linked is there, and each one is linked")
  func linksResolve() {
    let names = Set(
      Self.articles.compactMap { URL(fileURLWithPath: $0) }.map { $0.deletingPathExtension() }
        .map(\.lastPathComponent)
    ).subtracting(["README", "library", "Eventor"])
    var linked: Set<String> = []
    for path in Self.articles {
      linked.formUnion(text(of: path).matches(of: /<doc:(\w+)>/).map { String($0.output.1) })
    }
    #expect(linked == names)
  }

  @Test("a block is found with its text, and what stands around it is not")
  func blocksAreFound() {
    let text = "a\n```swift\nlet b = 1\n  c()\n```\n```sh\nd\n```\n```swift\ne\n```"
    #expect(swiftBlocks(in: text.split(separator: "\n")) == ["let b = 1\n  c()", "e"])
    #expect(normalised("@main  struct A {\n\n  b()") == "struct A { b()")
  }

  private func expectCompiled(_ block: String, in path: String) {
    let wanted = normalised(block)
    #expect(
      Self.compiled.contains { $0.contains(wanted) },
      "\(path): these lines are in no file of eventor-examples or Snippets:\n\(block)")
  }
}

private let root = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// The text of a file of the checkout; empty if it is not there.
private func text(of path: String) -> String {
  (try? String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)) ?? ""
}

/// Paths of files under `folder` whose names end in `suffix`.
private func files(in folder: String, _ suffix: String) -> [String] {
  let found = FileManager.default.enumerator(atPath: root.appendingPathComponent(folder).path)
  return (found?.compactMap { $0 as? String } ?? []).filter { $0.hasSuffix(suffix) }.sorted()
    .map { folder + "/" + $0 }
}

/// The text of each block that begins with "```swift".
private func swiftBlocks(in lines: [Substring]) -> [String] {
  var blocks: [String] = []
  var open: [Substring]?
  for line in lines {
    let mark = line.drop { $0 == " " }
    if let lines = open {
      if mark.hasPrefix("```") {
        blocks.append(lines.joined(separator: "\n"))
        open = nil
      } else {
        open = lines + [line]
      }
    } else if mark == "```swift" {
      open = []
    }
  }
  return blocks
}

/// One space for whatever white space there is. `@main` is left out: a module has only one.
private func normalised(_ code: String) -> String {
  code.split(whereSeparator: \.isWhitespace).filter { $0 != "@main" }.joined(separator: " ")
}
