import Testing

@testable import Model

@Suite("Sequences")
struct SequenceTests {
  @Test("an iteration adds its number, and the sequence around it is found again")
  func iterations() {
    let inner = Sequence("2").iteration(1).iteration(3)
    #expect(inner.text == "2/1/3")
    #expect(inner.outer == Sequence("2/1"))
    #expect(Sequence("2").outer == nil)
    #expect(inner.enclosing.map(\.text) == ["2/1/3", "2/1", "2"])
  }

  @Test("order is by component, numbers by value")
  func order() {
    let sorted = ["10", "2", "2/10", "2/9", "night", "2/9/1"].map { Sequence($0) }.sorted().map(\.text)
    #expect(sorted == ["2", "2/9", "2/9/1", "2/10", "10", "night"])
    #expect(!(Sequence("1") < Sequence("1")))
  }

  @Test(
    "what people may write",
    arguments: [
      ("1", true), ("night:2", true), ("a_b.c-d", true), ("", false), ("1/2", false), ("a b", false),
      (String(repeating: "x", count: 64), true), (String(repeating: "x", count: 65), false), ("é", false),
    ])
  func outside(_ text: String, _ isValid: Bool) { #expect(Sequence.isValidFromOutside(text) == isValid) }
}
