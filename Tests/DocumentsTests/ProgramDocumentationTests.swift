import Documents
import Foundation
import Testing

@Suite("Programs in the documentation")
struct ProgramDocumentationTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// Blocks of YAML that begin with `program:`.
  private static func programs(in path: String) throws -> [String] {
    let text = try String(contentsOf: root.appending(path: path), encoding: .utf8)
    return text.matches(of: /(?s)```yaml\n(program: .*?)```/).map { String($0.output.1) }
  }

  @Test(
    "every whole program is valid",
    arguments: [("docs/loops.md", 1), ("docs/workload.md", 1), ("docs/programs.md", 1)])
  func areValid(path: String, count: Int) throws {
    let programs = try Self.programs(in: path)
    #expect(programs.count >= count, "\(path)")
    for text in programs {
      #expect(throws: Never.self, "\(path)") { try ProgramDocument.parse(text, file: path) }
    }
  }
}
