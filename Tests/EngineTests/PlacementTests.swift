import Engine
import Model
import Testing

@Suite("Hosts (rule 6)")
struct PlacementTests {
  private func placement(_ step: String, in run: MemoryRun) throws -> Placement {
    try #require(run.task(step)).form.placement
  }

  @Test("the step's own host comes first, with parameters filled in")
  func ownHost() throws {
    let run = try MemoryRun(
      "parameters: {x: s7}\nconfig: {default_host: d}\nsteps: {s: {host: \"${param.x}\"}}",
      parameters: ["x": "s7"])
    #expect(try placement("s/1", in: run) == .host("s7"))
  }

  @Test("then its group, whose members may all take it")
  func group() throws {
    let run = try MemoryRun("config: {default_host: d}\ngroups: {g: {hosts: [a, b]}}\nsteps: {s: {group: g}}")
    #expect(try placement("s/1", in: run) == .group("g"))
  }

  @Test(
    "then the default host, then the host of the step that caused it, then that of whoever started the run")
  func inherited() throws {
    let byDefault = try MemoryRun("config: {default_host: d}\nsteps: {a: {host: h}, s: {after: a}}")
    try byDefault.end("a/1")
    #expect(try placement("s/1", in: byDefault) == .host("d"))
    let run = try MemoryRun("steps: {first: {}, a: {host: h}, s: {after: a}, t: {after: s}}")
    #expect(try placement("first/1", in: run) == .host("here"))
    try run.end("a/1")
    try run.end("s/1")
    #expect(try placement("t/1", in: run) == .host("h"))
  }

  @Test("the host goes along delays, events, expressions and loops")
  func along() throws {
    let run = try MemoryRun(
      """
      events: {done: {}, later: {}, both: {when: later and done}, go: {}}
      associations: [{event: done, to: [later], delay: 5s}]
      steps: {a: {host: h, triggers: {success: done}}, inner: {on: go}}
      loops: {l: {on: both, over: [1], start: go}}
      """)
    try run.end("a/1")
    try run.pass(5)
    #expect(try placement("inner/1/1", in: run) == .host("h"))
  }

  private let joined = """
    parameters: {h: h2}
    steps:
      a: {host: h1}
      b: {host: "${param.h}"}
      s: {after: [a, b]}
      t: {}
    """

  @Test("what several hosts caused has no host: the run fails and says which")
  func ambiguous() throws {
    let run = try MemoryRun(joined, parameters: ["h": "h2"])
    try run.end("a/1")
    try run.end("b/1")
    #expect(run.statuses == ["a/1": .success, "b/1": .success, "s/1": .failure, "t/1": .cancelled])
    #expect(run.task("s/1")?.message?.contains("h1 and h2") == true)
    #expect(run.state.status == .failure)
  }

  @Test("several steps on one host are one cause")
  func oneHost() throws {
    let run = try MemoryRun(joined, parameters: ["h": "h1"])
    try run.end("a/1", "b/1")
    #expect(try placement("s/1", in: run) == .host("h1"))
  }

  @Test("a run for which every host is the local one is never in doubt")
  func unpinned() throws {
    let run = try MemoryRun(joined, parameters: ["h": "h2"], isUnpinned: true)
    try run.end("a/1", "b/1")
    #expect(run.ready.contains("s/1"))
  }
}
