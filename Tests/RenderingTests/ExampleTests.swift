import Coordinator
import Foundation
import Testing

@Suite struct ExampleTests {
  private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../../configs/programs").standardizedFileURL

  @Test("the programs under configs/ are the ones that `coordinator example` prints")
  func sameAsEmbedded() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter {
      $0.hasSuffix(".yaml")
    }
    #expect(Set(files) == Set(Examples.all.map { $0.name + ".yaml" }))
    for example in Examples.all {
      let text = try String(
        contentsOf: folder.appendingPathComponent(example.name + ".yaml"), encoding: .utf8)
      #expect(
        text == example.text, "copy Sources/Coordinator/Examples/\(example.name).yaml to configs/programs")
    }
  }

  @Test("each example says in its first line what it shows")
  func summaries() {
    #expect(Examples.all.count >= 6)
    for example in Examples.all { #expect(!example.summary.isEmpty) }
  }
}
