import Documents
import Model
import Testing

@Suite("What is written is what is meant")
struct ReadingTests {
  @Test("scalars are taken as they are written")
  func scalars() throws {
    let program = try document(
      """
      program: 2026.10
      description: yes
      parameters:
        whole: 9
        signed: -7
        hex: 0x1F
        fraction: 0.25
        power: 1e3
        quoted: "9"
        truth: true
        word: yes
        off: off
        none: null
        list: [1, "1", no, {a: ~}]
        text: {type: string, default: 007}
        picked: {choices: [1, 2]}
      events: {on: {}, off: {}}
      steps:
        s1: {on: on, run: [sleep, 0.3, 1_000, yes, ~, null], env: {A: 1, B: on, C: 0x1F}, host: no}
        s2: {on: [off], shell: yes}
      start: [{event: on, sequence: 1}, {event: off, sequence: 0x1}]
      """
    ).program
    #expect(program.name == "2026.10")
    #expect(program.description == "yes")
    let defaults: [JSONValue?] = [
      .integer(9), .integer(-7), .string("0x1F"), .number(0.25), .string("1e3"), .string("9"), .bool(true),
      .string("yes"),
      .string("off"), .null, .array([.integer(1), .string("1"), .string("no"), .object(["a": .null])]),
      .string("007"), nil,
    ]
    #expect(program.parameters.map(\.defaultValue) == defaults)
    let kinds: [Program.Parameter.Kind] = [
      .integer, .integer, .string, .number, .string, .string, .boolean, .string, .string, .any, .list,
      .string, .integer,
    ]
    #expect(program.parameters.map(\.kind) == kinds)
    #expect(program.events.map(\.name) == ["on", "off"])
    #expect(program.steps[0].on == ["on"])
    #expect(program.steps[0].action == .run(["sleep", "0.3", "1_000", "yes", "~", "null"]))
    #expect(program.steps[0].environment == ["A": "1", "B": "on", "C": "0x1F"])
    #expect(program.steps[0].host == "no")
    #expect(program.steps[1].action == .shell("yes"))
    #expect(
      program.start == [Program.Start(event: "on"), Program.Start(event: "off", sequence: Sequence("0x1"))])
  }

  @Test("every key arrives where it belongs")
  func everyKey() throws {
    let program = try document(
      """
      program: nightly
      config: {max_concurrent: 4, stop_on_failure: false, env_prefix: N_, default_host: s1, timeout: 8h, queue_timeout: 1m}
      groups: {builders: {hosts: [s1, s2], env: {LANG: C}, cwd: /srv, user: u, timeout: 30m, max_concurrent: 2}}
      resources: {license: {capacity: 2, scope: cluster}, disk: 3, tape: {capacity: 1}}
      parameters: {token: {type: string, secret: true, description: it}, l: {type: list, required: true}}
      events: [go, done, failed, over, skipped]
      steps:
        s1:
          on: go
          group: builders
          run: [/bin/echo, hello]
          env: {T: "${param.token}"}
          cwd: /tmp
          user: build
          timeout: 90s
          kill_after: 2s
          retry: {attempts: 3, delay: 2s, backoff: 2.0, max_delay: 1m, jitter: 0.1, on_exit: [75, signal], not_on_exit: timeout}
          acquires: {license: 1}
          releases: {}
          triggers: {success: done, failure: [failed], complete: [over], skipped: [skipped]}
          recovery: {failure: skip, success: rerun}
          on_lost: fail
          max_lost: 0
          precondition: test -e /mnt
          foreach: "${param.l}"
          at_once: 20
          wait: first_failure
          limits: {memory: 512M, cpu: 0.5}
          on_cut_off: stop
          priority: -5
        s2: {after: s1, foreach: {from: 1, to: "${steps.s1.result.n}"}, precondition: [test, -e, x]}
      loops:
        l: {after: [s2], over: [a, 1], max_concurrent: 0, start: go, until: [over], wait: any, triggers: {success: done}}
      associations:
        - {event: done, to: [over, s2], delay: 0.25}
      start: go
      """
    ).program
    var config = Program.Config()
    config.maxConcurrent = 4
    config.stopOnFailure = false
    config.environmentPrefix = "N_"
    config.defaultHost = "s1"
    config.timeout = TimeSpan(seconds: 28800)
    config.queueTimeout = TimeSpan(seconds: 60)
    #expect(program.config == config)
    var group = Program.Group(name: "builders")
    group.hosts = ["s1", "s2"]
    group.environment = ["LANG": "C"]
    group.workingDirectory = "/srv"
    group.user = "u"
    group.timeout = TimeSpan(seconds: 1800)
    group.maxConcurrent = 2
    #expect(program.groups == [group])
    #expect(
      program.resources == [
        .init(name: "license", capacity: 2, scope: .cluster),
        .init(name: "disk", capacity: 3, scope: .program),
        .init(name: "tape", capacity: 1, scope: .program),
      ])
    var step = Program.Step(name: "s1")
    step.on = ["go"]
    step.group = "builders"
    step.action = .run(["/bin/echo", "hello"])
    step.environment = ["T": "${param.token}"]
    step.workingDirectory = "/tmp"
    step.user = "build"
    step.timeout = TimeSpan(seconds: 90)
    step.killAfter = TimeSpan(seconds: 2)
    var retry = Program.Retry(attempts: 3)
    retry.delay = TimeSpan(seconds: 2)
    retry.backoff = 2
    retry.maxDelay = TimeSpan(seconds: 60)
    retry.jitter = 0.1
    retry.onExit = [.exit(75), .signal]
    retry.notOnExit = [.timeout]
    step.retry = retry
    step.acquires = ["license": 1]
    step.releases = [:]
    step.triggers.success = ["done"]
    step.triggers.failure = ["failed"]
    step.triggers.complete = ["over"]
    step.triggers.skipped = ["skipped"]
    step.recovery.failure = .skip
    step.recovery.success = .rerun
    step.onLost = .fail
    step.maxLost = 0
    step.precondition = ["/bin/sh", "-c", "test -e /mnt"]
    var forEach = Program.ForEach(over: .reference("${param.l}"))
    forEach.atOnce = 20
    forEach.wait = .firstFailure
    step.forEach = forEach
    step.limits = Program.Limits()
    step.limits?.memory = 512 << 20
    step.limits?.cpu = 0.5
    step.onCutOff = .stop
    step.priority = -5
    #expect(program.steps.first == step)
    let range = Program.Items.range(from: .value(1), to: .reference("${steps.s1.result.n}"))
    #expect(program.steps.last?.forEach?.over == range)
    #expect(program.steps.last?.precondition == ["test", "-e", "x"])
    var loop = Program.Loop(name: "l", over: .list([.string("a"), .integer(1)]))
    loop.after = ["s2"]
    loop.maxConcurrent = 0
    loop.start = ["go"]
    loop.until = ["over"]
    loop.wait = .any
    loop.triggers.success = ["done"]
    #expect(program.loops == [loop])
    let association = Program.Association(
      event: "done", targets: ["over", "s2"], delay: TimeSpan(seconds: 0.25))
    #expect(program.associations == [association])
    #expect(program.start == [Program.Start(event: "go")])
    #expect(program.parameters.map(\.secret) == [true, false])
    #expect(program.parameters.map(\.required) == [false, true])
  }

  @Test(
    "conditions",
    arguments: [
      ("a and (b or c)", "a and (b or c)"), ("a and b or c and a", "a and b or c and a"), ("((a))", "a"),
      ("(a or b)and(c)", "(a or b) and c"), ("a\n  or b", "a or b"),
    ])
  func conditions(_ written: String, _ read: String) throws {
    let program = try document("program: x\nevents: {a: {}, b: {}, c: {}, e: {when: \"\(written)\"}}").program
    #expect(program.events.last?.when?.description == read)
  }

  @Test("anchors, aliases and merge keys; a star in a command is a star")
  func aliases() throws {
    let program = try document(
      """
      program: x
      steps:
        s1: &base {run: [ls, '*a', a*b], timeout: 3s, env: &env {A: 1}}
        s2: {<<: *base, timeout: 4s}
        s3: {<<: [{cwd: /a}, *base, {cwd: /b, priority: 1}]}
        s4: {shell: "rm *base *.o", env: *env}
        s5:
          shell: |
            ls *base
      """
    ).program
    #expect(program.steps[0].action == .run(["ls", "*a", "a*b"]))
    #expect(program.steps[1].action == program.steps[0].action)
    #expect(program.steps[1].timeout == TimeSpan(seconds: 4))
    #expect(program.steps[2].workingDirectory == "/a")
    #expect(program.steps[2].priority == 1)
    #expect(program.steps[2].timeout == TimeSpan(seconds: 3))
    #expect(program.steps[3].action == .shell("rm *base *.o"))
    #expect(program.steps[3].environment == ["A": "1"])
    #expect(program.steps[4].action == .shell("ls *base"))
  }

  @Test("what an alias repeats is complained of once, where it is written")
  func aliasedErrors() {
    let text = "program: x\nsteps:\n  s1: &b {hots: a, on: e}\n  s2: *b\n  s3: {<<: *b}\n"
    #expect(
      said(text) == [
        "p:3:11: error: unknown key 'hots'; did you mean 'host'?", "p:3:24: error: unknown event 'e'",
      ])
  }
}
