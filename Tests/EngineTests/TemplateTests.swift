import Engine
import Model
import Testing

@Suite("Templates")
struct TemplateTests {
  private static let values: [Template.Reference: JSONValue] = [
    .parameter("x"): 9, .parameter("a.b-c"): "dotted", .parameter("list"): [1, "two"],
    .parameter("none"): .null,
    .parameter("text"): "${param.x} $${",
    .result(step: "s1", path: []): ["hosts": ["u"]], .result(step: "s1", path: ["hosts"]): ["u"],
    .result(step: "my.step", path: ["a", "b"]): .bool(true), .result(step: "x.results", path: []): "r",
    .loopItem: "item", .loopIndex: 3,
  ]

  @Test(
    "references are replaced and nothing else is",
    arguments: [
      ("", ""), ("plain", "plain"), ("${param.x}", "9"), ("-${param.x}${param.x}-", "-99-"),
      ("$${param.x}", "${param.x}"), ("$$${param.x}", "$${param.x}"), ("${HOME}", "${HOME}"),
      ("$HOME $1 $$", "$HOME $1 $$"),
      ("${param.x", "${param.x"), ("${", "${"), ("$", "$"), ("}", "}"), ("${}", "${}"), ("a$${", "a${"),
      ("${param.a.b-c}", "dotted"), ("${param.list}", #"[1,"two"]"#), ("${param.none}", ""),
      ("${steps.s1.result}", #"{"hosts":["u"]}"#), ("${steps.s1.result.hosts}", #"["u"]"#),
      ("${steps.my.step.result.a.b}", "true"), ("${steps.x.results.result}", "r"),
      ("${steps.s1.resultx}", "${steps.s1.resultx}"), ("${steps.s1}", "${steps.s1}"),
      ("${loop.item}:${loop.index}", "item:3"), ("${loop.other}", "${loop.other}"),
      ("${PATH:-${param.x}}", "${PATH:-9}"), ("${param.x}é👍", "9é👍"),
    ])
  func filling(text: String, filled: String) throws {
    #expect(try Template(text).filled { Self.values[$0] } == filled)
  }

  @Test("what a value holds is not read again")
  func values() throws {
    #expect(try Template("${param.text}").filled { Self.values[$0] } == "${param.x} $${")
  }

  @Test("a reference without a value is named as it was written")
  func missing() throws {
    let error = #expect(throws: Template.MissingValue.self) {
      try Template("a ${param.y} b").filled { _ in nil }
    }
    #expect(error?.source == "${param.y}")
    #expect(error?.description == "${param.y} has no value here")
  }

  @Test("a text that is one reference is known as such")
  func only() {
    #expect(Template("${param.x}").onlyReference == .parameter("x"))
    #expect(Template("${steps.a.result.b.c}").onlyReference == .result(step: "a", path: ["b", "c"]))
    for text in ["", "x", "${param.x} ", "${param.x}${param.x}", "$${param.x}", "${HOME}"] {
      #expect(Template(text).onlyReference == nil, "\(text)")
    }
  }

  @Test("all references are listed in order")
  func references() {
    #expect(
      Template("${loop.index} ${param.a} $${param.b} ${loop.item}").references == [
        .loopIndex, .parameter("a"), .loopItem,
      ])
  }
}
