import Testing

/// A text and everything that must be said of it.
struct Case: Sendable, CustomTestStringConvertible {
  let about: String
  let text: String
  let said: [String]

  init(_ about: String, _ text: String, _ said: String...) {
    self.about = about
    self.text = text
    self.said = said
  }

  var testDescription: String { about }
}

@Suite("What is written wrongly is named with its place, all at once")
struct KeyDiagnosticTests {
  @Test(arguments: [
    Case(
      "the acceptance case of bad files",
      """
      program: bad
      events: {run_step1: {}, run_step2: {}}
      steps:
        s1:
          on: run_stpe2
          hots: s1
          run: [echo, x]
        s2: {after: [nowhere], run: [echo, y]}
      start: [{event: run_step1, sequence: 1}]
      """,
      "p:5:9: error: unknown event 'run_stpe2'; did you mean 'run_step2'?",
      "p:6:5: error: unknown key 'hots'; did you mean 'host'?",
      "p:8:16: error: unknown step or loop 'nowhere'"),
    Case(
      "no name, and a key unlike any other", "zebra: 1",
      "p:1:1: error: unknown key 'zebra'; known here are associations, config, description, events, groups, loops, "
        + "parameters, program, resources, schedule, start, steps",
      "p:1:1: error: the program has no 'program'; write, for example, program: nightly"),
    Case("a list", "[a, b]", "p:1:1: error: a program file is a mapping of keys, not a list"),
    Case("a scalar", "hello", "p:1:1: error: a program file is a mapping of keys, not 'hello'"),
    Case(
      "wrong kinds of values",
      """
      program: [x]
      config: {max_concurrent: many, stop_on_failure: yes, timeout: 3 weeks, env_prefix: }
      steps:
        s1: {run: echo hello, env: [A], priority: 1.5, retry: 3}
        s2: [a]
        s3: {on_lost: rreun, wait: all, limits: {memory: 2 GB}, on_cut_off: halt}
      """,
      "p:1:10: error: 'program' must be a name, not a list",
      "p:2:26: error: 'max_concurrent' must be a whole number, not 'many'",
      "p:2:49: error: 'stop_on_failure' must be true or false, not 'yes'",
      "p:2:63: error: 'timeout' must be a duration such as 10, 0.25, 90s, 10m, 2h or 1d, not '3 weeks'",
      "p:2:84: error: 'env_prefix' is empty; write text",
      "p:4:13: error: 'run' is a list of words, such as [echo, hello]; for a line of shell write 'shell'",
      "p:4:30: error: 'env' must be a mapping, not a list",
      "p:4:45: error: 'priority' must be a whole number, not '1.5'",
      "p:4:57: error: 'retry' must be a mapping, not '3'",
      "p:5:7: error: 's2' must be a mapping, not a list",
      "p:6:17: error: 'on_lost' must be rerun or fail, not 'rreun'; did you mean 'rerun'?",
      "p:6:24: error: 'wait' has a meaning only beside 'foreach'",
      "p:6:52: error: 'memory' must be an amount of memory such as 512M or 2G (units K, M, G, T), not '2 GB'",
      "p:6:71: error: 'on_cut_off' must be keep or stop, not 'halt'"),
    Case(
      "keys that must be there",
      """
      program: x
      events: [e]
      resources: {r: {scope: host}}
      loops: {l: {on: e}}
      steps: {s: {retry: {delay: 1s}}}
      associations: [{event: e}, {to: [s]}]
      """,
      "p:3:16: error: the resource has no 'capacity'; write, for example, capacity: 2",
      "p:4:9: error: loop 'l' starts nothing; name events under 'start'",
      "p:4:12: error: the loop has no 'over'; write, for example, over: [lab1, lab2]",
      "p:5:20: error: the retry has no 'attempts'; write, for example, attempts: 3",
      "p:6:16: error: the association has no 'to'; write, for example, to: [s1, audit]",
      "p:6:28: error: the association has no 'event'; write, for example, event: run_s1"),
    Case(
      "both run and shell", "program: x\nsteps: {s: {run: [a], shell: b}}",
      "p:2:30: error: a step has either 'run' or 'shell', not both"),
    Case(
      "parameters",
      """
      program: x
      parameters:
        a:
        b: .inf
        c: {type: strng}
        d: {choices: 3}
      """,
      "p:3:5: error: the parameter has no value; write a default, or {required: true}",
      "p:4:6: error: 'b' must be a finite number, not '.inf'",
      "p:5:13: error: 'type' must be string, integer, number, boolean, list, object or any, not 'strng'; "
        + "did you mean 'string'?",
      "p:6:16: error: 'choices' must be a list, not '3'"),
    Case(
      "what loops go over",
      """
      program: x
      events: [e]
      steps:
        a: {foreach: abc}
        b: {foreach: {from: 1}}
        c: {foreach: {from: x, to: 2}}
        d: {foreach: "${loop.item}"}
      """,
      "p:4:16: error: 'foreach' must be a list, a range {from, to}, ${param.NAME} or ${steps.NAME.result}, not 'abc'",
      "p:5:16: error: the range has no 'to'; write, for example, to: 10",
      "p:6:23: error: 'from' must be a whole number or ${…}, not 'x'",
      "p:7:16: error: '${loop.item}' is neither ${param.NAME} nor ${steps.NAME.result}"),
  ])
  func keys(_ example: Case) { #expect(said(example.text) == example.said) }

  @Test(
    "keys for agents are read, and what is wrong in them is named",
    arguments: [
      Case(
        "agents",
        """
        program: x
        groups: {g: {match: {os: linux, cpu: "*"}}}
        resources: {r: {capacity: 1, scope: cluster, sensor: lmfree vcs, every: 30s}}
        steps:
          s: {group: g, on_cut_off: keep, limits: {cpu: 1.5}, retry: {attempts: 2, elsewhere: true}}
        """),
      Case(
        "agents, wrongly",
        """
        program: x
        groups: {g: {match: {"o s": linux}}, h: {}}
        resources: {r: {capacity: 1, every: 3s}, q: {capacity: 1, sensor: [], every: 0s}}
        steps:
          s: {on_cut_off: die, retry: {attempts: 2, elsewhere: true}}
          t: {results: y}
        """,
        "p:2:22: error: 'o s' can't be a label; use 1 to 128 of A-Z a-z 0-9 _ . -",
        "p:2:38: error: group 'h' has no hosts; name some, or labels under 'match'",
        "p:3:37: error: 'every' has a meaning only beside 'sensor'",
        "p:3:67: error: the command is empty",
        "p:3:78: error: 'every' must be longer than nothing",
        "p:5:19: error: 'on_cut_off' must be keep or stop, not 'die'",
        "p:5:56: warning: step 's' is in no group: there is nowhere else to go",
        "p:6:7: error: 'results' needs the test results tool, which this version does not have yet"),
    ])
  func agents(_ example: Case) { #expect(said(example.text) == example.said) }

  @Test(
    "a bad condition is marked inside its text",
    arguments: [
      ("a and", 6, "the condition ends where an event is missing"),
      ("a b", 3, "'and' or 'or' is missing before 'b'"),
      ("(a or b", 1, "this '(' is never closed"),
      ("a or b)", 7, "this ')' closes nothing"),
      ("a AND b", 3, "write 'and' in lower case"),
      ("a && b", 3, "write 'and' for '&&'"),
      ("not a", 1, "there is no 'not': an event can't be taken back"),
      ("a and !b", 7, "there is no 'not': an event can't be taken back"),
      ("a or ()", 7, "an event is missing before ')'"),
      ("or a", 1, "an event is missing before 'or'"),
      ("a or b/c", 6, "'b/c' is no name of an event; conditions are events, 'and', 'or' and parentheses"),
      (String(repeating: "(", count: 60) + "a", 51, "parentheses nested more than 50 deep"),
    ])
  func conditions(_ condition: String, _ column: Int, _ message: String) {
    let plain = "program: x\nevents:\n  a: {}\n  b: {}\n  e:\n    when: \(condition)\n"
    #expect(said(plain) == ["p:6:\(10 + column): error: \(message)"])
    let quoted = "program: x\nevents:\n  a: {}\n  b: {}\n  e: {when: \"\(condition)\"}\n"
    #expect(said(quoted) == ["p:5:\(13 + column): error: \(message)"])
  }

  @Test("in folded text a bad condition is marked where the text begins")
  func foldedCondition() {
    let text = "program: x\nevents:\n  a: {}\n  e:\n    when: >\n      a and\n      nor a\n"
    #expect(said(text) == ["p:5:11: error: 'and' or 'or' is missing before 'a'"])
  }
}
