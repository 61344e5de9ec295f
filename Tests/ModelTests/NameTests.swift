import Testing

@testable import Model

@Suite("Names")
struct NameTests {
  @Test(
    "what may be a name",
    arguments: [
      ("a", true), ("A.b_c-9", true), ("", false), (".", false), ("..", false), ("...", true), ("a b", false),
      ("@ok:a", false), ("ä", false), (String(repeating: "n", count: 128), true),
      (String(repeating: "n", count: 129), false),
    ])
  func rule(_ text: String, _ isValid: Bool) { #expect(Name.isValid(text) == isValid) }

  @Test(
    "the nearest name is the likely slip",
    arguments: [
      ("run_stpe2", "run_step2"), ("hots", "host"), ("HOST", "host"), ("hst", "host"), ("hoost", "host"),
      ("run_step", "run_step1"),
    ])
  func nearest(_ text: String, _ wanted: String) {
    #expect(Name.nearest(to: text, among: ["run_step1", "run_step2", "host", "shell", "timeout"]) == wanted)
  }

  @Test("nothing near is nothing said; ties go by name")
  func noneNear() {
    #expect(Name.nearest(to: "zebra", among: ["host", "shell"]) == nil)
    #expect(Name.nearest(to: "host", among: ["host"]) == nil)
    #expect(Name.nearest(to: "host", among: [String]()) == nil)
    #expect(Name.nearest(to: "ab", among: ["ac", "aa"]) == "aa")
    #expect(Name.nearest(to: "ab", among: ["aa", "ac"]) == "aa")
  }
}
