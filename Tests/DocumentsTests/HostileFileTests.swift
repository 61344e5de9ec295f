import Documents
import Foundation
import Testing

@Suite("Files that are no YAML, or too much of it")
struct HostileFileTests {
  private static func repeated(_ text: String, _ count: Int) -> String {
    String(repeating: text, count: count)
  }

  /// Nine anchors, each nine of the one before: three billion values in 335 bytes.
  private static let billionLaughs: String = {
    var text = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for (name, inner) in zip("bcdefghi", "abcdefgh") {
      text += "\(name): &\(name) [" + Array(repeating: "*\(inner)", count: 9).joined(separator: ", ") + "]\n"
    }
    return text
  }()

  @Test(arguments: [
    Case("nothing", "", "p:1:1: error: the file is empty"),
    Case("comments alone", "# one\n# two\n", "p:1:1: error: the file is empty"),
    Case("a bare document mark", "---\n", "p:2:1: error: the file is empty"),
    Case(
      "two documents", "program: x\n---\nprogram: y\n",
      "p:2:1: error: a second document begins here; a file holds one"),
    Case(
      "an unclosed list", "program: x\nsteps:\n  s1: {run: [a\n  s2: x\n",
      "p:4:5: error: not valid YAML: did not find expected ',' or ']' (while parsing a flow sequence that begins in "
        + "line 3, column 13)"),
    Case(
      "a tab", "steps:\n\ts1: {}",
      "p:2:1: error: not valid YAML: a value can't begin with this character; quote it (lines are indented with "
        + "spaces, never tabs) (while scanning for the next token that begins in line 2, column 1)"),
    Case(
      "two colons", "program: a: b",
      "p:1:11: error: not valid YAML: a second ':' in one line; quote text that holds ': '"),
    Case(
      "a control character", "program: \u{7}",
      "p:1:10: error: the character U+0007 is not allowed; write it as an escape"),
    Case(
      "a NUL", "program: a\nx: \0",
      "p:2:4: error: the file is binary (it holds a NUL byte); a text file is needed"),
    Case("a tag", "program: !!binary abc", "p:1:10: error: the tag '!!binary' has no meaning here"),
    Case(
      "a list as a key", "program: x\n? [a]\n: b", "p:2:3: error: a key must be text, not a list or a mapping"
    ),
    Case(
      "deep lists", "program: x\na: " + repeated("[", 200) + repeated("]", 200),
      "p:2:103: error: nested more than 100 levels deep"),
    Case(
      "deeper than libyaml goes", repeated("[", 100_000), "p:1:1: error: nested more than 100 levels deep"),
    Case("deep blocks", repeated("- ", 50_000), "p:1:1999: error: nested more than 100 levels deep"),
    Case(
      "deep by an alias",
      "a: &a \(repeated("[", 60))\(repeated("]", 60))\nb: \(repeated("[", 60))*a\(repeated("]", 60))",
      "p:2:64: error: nested more than 100 levels deep"),
    Case(
      "a billion laughs", billionLaughs,
      "p:7:8: error: the aliases of this file repeat more than a million values"),
    Case(
      "a billion laughs as a key", "program: x\n" + billionLaughs + "? [*i, *i]\n: 1\n*i : 2\n",
      "p:8:8: error: the aliases of this file repeat more than a million values"),
    Case(
      "an unknown alias", "program: x\nsteps: {s1: &base {run: [a]}, s2: *bass, s3: *other}",
      "p:2:35: error: unknown alias '*bass'; did you mean '*base'?",
      "p:2:46: error: unknown alias '*other'; quote the text if it is not meant as one"),
    Case(
      "text that looks like an alias", "program: x\nsteps: {s1: {run: [ls, *a b]}}",
      "p:2:24: error: text that begins with '*' must be quoted, and an alias must stand alone"),
    Case("an alias as a key", "program: &p x\n*p : y", "p:2:1: error: an alias can't be a key"),
    Case(
      "a merge of no mapping", "program: x\nsteps: {s1: {<<: 3}}",
      "p:2:18: error: '<<' takes the keys of a mapping, such as '<<: *defaults', not '3'"),
    Case(
      "keys written twice",
      "program: x\nprogram: y\nsteps:\n  s1: {run: [a], \"run\": [b]}\n  s1: {hots: a}\n  s1: {}\n",
      "p:2:1: error: the key 'program' is written twice; first in line 1, column 1",
      "p:4:18: error: the key 'run' is written twice; first in line 4, column 8",
      "p:5:3: error: the key 's1' is written twice; first in line 4, column 3",
      "p:6:3: error: the key 's1' is written twice; first in line 4, column 3"),
    Case(
      "a key of signs written twice", "program: x\n.: 1\n.: 2\n", "p:2:1: error: the key '.' is written twice"
    ),
  ])
  func hostile(_ example: Case) { #expect(said(example.text) == example.said) }

  @Test("bytes that are no UTF-8 text")
  func bytes() {
    func said(_ bytes: [UInt8]) -> String {
      do throws(DocumentError) {
        return try ProgramDocument.parse(bytes, file: "p").version
      } catch {
        return error.description
      }
    }
    #expect(
      said(Array("a: 1\nb: caf".utf8) + [0xE9, 0x0A])
        == "p:2:7: error: this is not UTF-8; save the file as UTF-8")
    #expect(said([0xFF, 0xFE, 0x70, 0]) == "p:1:1: error: the file is UTF-16; save it as UTF-8")
    #expect(
      said([0x80, 0, 1, 2]) == "p:1:1: error: the file is binary (it holds a NUL byte); a text file is needed"
    )
    #expect(said([0xEF, 0xBB, 0xBF] + Array("program: x\nsteps: {a: {}}".utf8)).hasPrefix("sha256:"))
    let large = [UInt8](repeating: UInt8(ascii: "x"), count: 20 << 20)
    #expect(
      said(large)
        == "p: is too large (20 MiB; at most 16 MiB are read); keep data out of it and let the steps read "
        + "that themselves")
    let commas = [UInt8](repeating: UInt8(ascii: ","), count: 7 << 20)
    #expect(said(commas) == "p:1:1: error: the file holds millions of values; at most a million are read")
  }

  @Test("files that can't be read, and one that is too large to be read whole")
  func files() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "documents-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    func said(_ name: String) -> String {
      do throws(DocumentError) {
        return try ProgramDocument.read(path: folder.path + name).program.name
      } catch {
        return error.description.replacing(folder.path, with: "")
      }
    }
    try Data("program: here\nsteps: {a: {}}".utf8).write(to: folder.appending(path: "good.yaml"))
    let sparse = folder.appending(path: "sparse.yaml")
    try Data().write(to: sparse)
    try FileHandle(forWritingTo: sparse).truncate(atOffset: 100 << 30)

    #expect(said("/good.yaml") == "here")
    #expect(said("") == ": is a directory; name a file in it")
    #expect(said("/none.yaml") == "/none.yaml: no such file; check the path")
    #expect(said("/good.yaml/x") == "/good.yaml/x: no such file; check the path")
    #expect(
      said("/sparse.yaml").hasPrefix("/sparse.yaml: is too large (102400 MiB; at most 16 MiB are read)"))
    #expect(throws: DocumentError.self) { try ProgramDocument.read(path: "/dev/zero") }
  }
}
