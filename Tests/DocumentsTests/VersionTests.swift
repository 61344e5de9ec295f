import Documents
import Model
import Testing

@Suite("The version is the digest of the content, however it is laid out")
struct VersionTests {
  private static let text = """
    program: nightly
    parameters: {b: 2.5, a: 1}
    events: {go: {}, done: {}}
    steps:
      s2: {on: done, shell: "b"}
      s1: {on: go, run: [a, b], triggers: {success: [done]}}
    """

  @Test(
    "comments, layout, quotes and the order of keys change nothing",
    arguments: [
      "# hello\n" + text,
      text.replacing("\n", with: "\r\n"),
      """
      steps:
        s1:
          triggers:
            success: done   # one of them
          run: ["a", 'b']
          on: [go]
        s2: {shell: b, on: done}
      events: [done, go]
      parameters:
        a: 1
        b: 2.5
      program: "nightly"
      """,
      text + "\nconfig: {max_concurrent: 0}",
    ])
  func sameContent(_ other: String) throws {
    #expect(try document(other).version == document(Self.text).version)
  }

  @Test(
    "content changes it",
    arguments: [
      ("nightly", "nightlx"), ("[a, b]", "[b, a]"), ("a: 1", "a: \"1\""), ("2.5", "2"),
      ("on: done", "after: s1"),
      ("shell: \"b\"", "shell: \"b \""), ("{success: [done]}", "{complete: [done]}"),
    ])
  func otherContent(_ from: String, _ to: String) throws {
    let other = Self.text.replacing(from, with: to)
    #expect(other != Self.text)
    #expect(try document(other).version != document(Self.text).version)
  }

  @Test("what is stored reads back as the same program with the same version")
  func roundTrip() throws {
    let stored = try document(Self.text)
    let program = try ProgramCoding.decode(stored.canonicalJSON)
    #expect(program == stored.program)
    #expect(try ProgramCoding.canonicalJSON(program) == stored.canonicalJSON)
    #expect(ProgramCoding.version(of: stored.canonicalJSON) == stored.version)
    #expect(stored.version.hasPrefix("sha256:"))
    #expect(stored.version.utf8.count == 71)
    #expect(program.steps.map(\.name) == ["s2", "s1"])
  }

  @Test("a text that holds no program says so, and has the digest of its bytes")
  func noProgram() {
    #expect(throws: ProgramCoding.Failure.self) { try ProgramCoding.decode("{}") }
    // sha256 of the empty text, FIPS 180-4.
    #expect(
      ProgramCoding.version(of: "")
        == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }
}
