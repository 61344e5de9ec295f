import Foundation
import Glibc
import TestSupport
import Testing

@Suite("Files that are no programs")
struct BadFileTests {
  /// A file that can't be used: how it is made, the exit code, and what is said of it.
  struct BadFile: Sendable, CustomTestStringConvertible {
    let name: String
    var code: Int32 = 2
    var says: [String] = []
    let make: @Sendable (_ path: String) throws -> Void

    var testDescription: String { name }

    static func text(_ name: String, _ text: String, says: [String] = []) -> BadFile {
      BadFile(name: name, says: says) { try Data(text.utf8).write(to: URL(fileURLWithPath: $0)) }
    }
  }

  static let files: [BadFile] = [
    BadFile(name: "missing", code: 3, says: ["no such file"]) { _ in },
    BadFile(name: "a directory", says: ["directory"]) { mkdir($0, 0o755) },
    // Its first page can't be read, not even by root.
    BadFile(name: "unreadable") {
      try FileManager.default.createSymbolicLink(atPath: $0, withDestinationPath: "/proc/self/mem")
    },
    BadFile(name: "a device without an end") {
      try FileManager.default.createSymbolicLink(atPath: $0, withDestinationPath: "/dev/zero")
    },
    .text("empty", ""),
    .text("only comments", "# nothing\n\n"),
    .text("a list", "- a\n- b\n"),
    .text("a word", "hello\n"),
    .text("not YAML", "program: [p\n"),
    .text("control characters", "program: p\u{1}\n"),
    BadFile(name: "binary") { path in
      let bytes = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ $0 >> 3) }
      try Data(bytes).write(to: URL(fileURLWithPath: path))
    },
    BadFile(name: "another encoding") {
      try Data([0x70, 0x3a, 0x20, 0xff, 0xfe, 0x0a]).write(to: URL(fileURLWithPath: $0))
    },
    BadFile(name: "100 MB", says: ["MiB"]) { path in
      // Without holes: a comment that never ends.
      try Data("program: p\n#".utf8).write(to: URL(fileURLWithPath: path))
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      try file.seekToEnd()
      let piece = Data(repeating: UInt8(ascii: "x"), count: 1 << 20)
      for _ in 0..<100 { try file.write(contentsOf: piece) }
      try file.close()
    },
    .text("deeply nested", "program: p\nsteps: " + String(repeating: "[", count: 100_000) + "\n"),
    .text("nested mappings", "program: p\nsteps: " + String(repeating: "{a: ", count: 20_000) + "\n"),
    .text(
      "an alias bomb",
      "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + zip("bcdefghijk", "abcdefghij").map { name, former in
          "\(name): &\(name) [\(Array(repeating: "*\(former)", count: 9).joined(separator: ", "))]\n"
        }.joined() + "program: *k\n"),
    .text("an alias of itself", "program: &a [*a]\n"),
    .text(
      "a step that nothing knows", "program: p\nsteps: {a: {after: [bb]}, b: {}}\n",
      says: ["did you mean 'b'?"]),
    .text("a cycle", "program: p\nsteps: {a: {after: [b]}, b: {after: [a]}}\n"),
  ]

  @Test("is said in clear lines, and nothing is written", arguments: files)
  func badFile(file: BadFile) async throws {
    try await World.with { world in
      let path = world.path("bad.yaml")
      try file.make(path)
      let before = try FileManager.default.contentsOfDirectory(atPath: world.directory)
        .filter { !$0.hasPrefix(".call") }
      for command in [["run"], ["validate"], ["graph"], ["submit"], ["program", "register"]] {
        let answer = try await world.start(command + [path]).answer()
        #expect(answer.code == file.code, "\(answer)")
        #expect(answer.stdout.isEmpty, "\(answer)")
        #expect((1...30).contains(answer.errorLines.count), "\(answer)")
        for line in answer.errorLines {
          #expect(line.hasPrefix("error: ") || line.contains("bad.yaml:"), "\(answer)")
          #expect(line.utf8.count < 1000, "\(answer)")
        }
        if let first = answer.errorLines.first { #expect(first.contains("bad.yaml"), "\(answer)") }
        for text in file.says {
          #expect(answer.stderr.lowercased().contains(text.lowercased()), "\(answer)")
        }
      }
      let after = try FileManager.default.contentsOfDirectory(atPath: world.directory)
        .filter { !$0.hasPrefix(".call") }
      #expect(Set(after) == Set(before))
      #expect(!FileManager.default.fileExists(atPath: try #require(world.url.path)))
    }
  }

  @Test("every mistake is told at once, each with its place")
  func everyMistake() async throws {
    let program = """
      program: p
      config: {max_concurent: 4}
      events: {go: {when: go and nix}}
      steps:
        a: {on: goo, timeout: soon}
        b: {after: [a], priority: high}
      """
    try await World.with(program: program) { world in
      let answer = try await world.run("validate", world.program)
      #expect(answer.code == 2)
      let places = answer.errorLines.compactMap { line in
        line.split(separator: ":").dropFirst().first.flatMap { Int($0) }
      }
      #expect(Set([2, 3, 5, 6]).isSubset(of: places), "\(answer)")
      #expect(answer.stderr.contains("did you mean 'max_concurrent'?"), "\(answer)")
      struct Files: Decodable {
        struct File: Decodable {
          struct Diagnostic: Decodable {
            let severity: String
            let line: Int
            let message: String
          }
          let ok: Bool
          let diagnostics: [Diagnostic]
        }
        let files: [File]
      }
      let json = try await world.run("validate", world.program, "--json").decoded(as: Files.self)
      #expect(json.files.map(\.ok) == [false])
      #expect(json.files.first?.diagnostics.count == answer.errorLines.count)
    }
  }

  @Test("what waits for a later version is refused with a sentence that says so")
  func notYet() async throws {
    try await World.with(program: "program: p\nsteps: {a: {results: out.xml}}\n") { world in
      let answer = try await world.run("run", world.program)
      #expect(answer.code == 2, "\(answer)")
      #expect(answer.stderr.contains("does not have yet"), "\(answer)")
    }
  }

  @Test("a configuration that can't be read is said, and one that isn't there too")
  func configuration() async throws {
    try await World.with(program: "program: p\nsteps: {a: {}}\n") { world in
      try world.write("bad.yaml", "stor: x\nretention: [\n")
      let bad = try await world.run("run", world.program, "--config", "bad.yaml")
      #expect(bad.code == 2, "\(bad)")
      #expect(bad.stderr.contains("bad.yaml:"), "\(bad)")
      let missing = try await world.run("run", world.program, "--config", "nix.yaml")
      #expect(missing.code == 3, "\(missing)")
      #expect(missing.errorLines.count == 1)
      try world.write("good.yaml", "store: here\ndatabases: {here: \"sqlite:\(world.path("tagged.db"))\"}\n")
      let tagged = try await world.run(
        "run", world.program, "--config", "good.yaml", env: ["EVENTOR_STORE": ""])
      #expect(tagged.code == 0, "\(tagged)")
      #expect(world.exists("tagged.db"))
      let near = try await world.run(
        "runs", "--config", "good.yaml", "--store", "her", env: ["EVENTOR_STORE": ""])
      #expect(near.code == 2, "\(near)")
      #expect(near.stderr.contains("did you mean 'here'?"), "\(near)")
    }
  }
}
