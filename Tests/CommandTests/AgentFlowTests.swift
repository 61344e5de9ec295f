import Foundation
import TestSupport
import Testing

@Suite("Programs on many hosts")
struct AgentFlowTests {
  static let seed = """
    program: seed
    events: {run_step1: {}, run_step2: {}, run_step3: {}}
    steps:
      s11: {on: run_step1, host: s1, shell: "echo s11 $EVENTOR_STEP_HOST >> order", triggers: {success: run_step2}}
      s12: {on: run_step1, host: s2, shell: "echo s12 $EVENTOR_STEP_HOST >> order", triggers: {success: run_step2}}
      s2: {on: run_step2, host: s2, shell: "echo s2 $EVENTOR_STEP_HOST >> order", triggers: {success: run_step3}}
      s3: {on: run_step3, host: s1, shell: "echo s3 $EVENTOR_STEP_HOST >> order"}
    """

  @Test("four steps run on the hosts they name; what both of two cause runs once", arguments: TestStore.all)
  func seed(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.seed) { world in
      for host in ["s1", "s2", "s3"] { try await world.agent(host) }
      try await world.submit()
      let report = try await world.wait()
      #expect(world.lines("order").sorted() == ["s11 s1", "s12 s2", "s2 s2", "s3 s1"])
      #expect(
        report.tasks.count == 4 && report.tasks.allSatisfy { $0.attempt == 1 && $0.status == "success" })
      #expect(report["s2"]?.host == "s2" && report["s3"]?.host == "s1")
      try await world.expectConsistency()
    }
  }

  @Test("runs of several programs side by side do not disturb each other", arguments: TestStore.servers)
  func sideBySide(kind: TestStore.Kind) async throws {
    let runs = Scale.count(10, full: 20)
    try await World.with(kind) { world in
      for program in 0..<5 {
        try world.write(
          "p\(program).yaml",
          """
          program: p\(program)
          parameters: {who: none}
          groups: {all: {hosts: [s1, s2, s3]}}
          events: {go: {}, a_done: {}, b_done: {}, both: {when: a_done and b_done}}
          steps:
            a: {on: go, host: s1, run: [sh, -c, "echo ${param.who} > $EVENTOR_RESULT_FILE"], triggers: {success: a_done}}
            b: {on: go, group: all, run: [sh, -c, "echo ${param.who}"], triggers: {success: b_done}}
            c: {on: both, host: s2, run: [sh, -c, "test ${steps.a.result} = ${param.who} && echo ${param.who} >> c.${param.who}"]}
          """)
      }
      for host in ["s1", "s2", "s3"] { try await world.agent(host) }
      for run in 0..<runs {
        let answer = try await world.run(
          "submit", world.path("p\(run % 5).yaml"), "--run-id", "r\(run)", "--param", "who=w\(run)")
        #expect(answer.code == 0, "\(answer)")
      }
      for run in 0..<runs {
        let report = try await world.wait(for: "r\(run)")
        #expect(report.statuses == ["a/1": "success", "b/1": "success", "c/1": "success"])
        #expect(report.raised == ["a_done/1", "b_done/1", "both/1", "go/1"])
        #expect(world.lines("c.w\(run)") == ["w\(run)"])
      }
      try await world.expectConsistency()
    }
  }

  @Test("operands that end at the same moment on two agents raise their join once", arguments: TestStore.all)
  func joins(kind: TestStore.Kind) async throws {
    let (runs, rounds) = (Scale.count(4, full: 1000), Scale.count(10, full: 1))
    let program = """
      program: joins
      events: {go: {}, a: {}, b: {}, both: {when: a and b}}
      steps:
        x: {on: go, host: s1, run: ["true"], triggers: {success: a}}
        y: {on: go, host: s2, run: ["true"], triggers: {success: b}}
        z: {on: both, host: s1, run: ["true"]}
      loops: {rounds: {over: {from: 1, to: \(rounds)}, max_concurrent: 0, start: go}}
      """
    try await World.with(kind, program: program) { world in
      for host in ["s1", "s2"] { try await world.agent(host) }
      // A few at a time: each is a command of its own.
      try await withThrowingDiscardingTaskGroup { group in
        for first in 0..<4 {
          group.addTask {
            for run in stride(from: first, to: runs, by: 4) { try await world.submit("r\(run)") }
            for run in stride(from: first, to: runs, by: 4) {
              let report = try await world.wait(for: "r\(run)")
              #expect(report.tasks.count == 3 * rounds)
              #expect(report.tasks.allSatisfy { $0.status == "success" && $0.attempt == 1 })
              #expect(report.events.count { $0.event == "both" } == rounds)
            }
          }
        }
      }
      try await world.expectConsistency()
    }
  }

  @Test("delays, retries and limits on time are seen to by whoever is there", arguments: TestStore.all)
  func due(kind: TestStore.Kind) async throws {
    let program = """
      program: due
      config: {timeout: 10m}
      events: {go: {}, later: {}}
      associations: [{event: go, to: later, delay: 300ms}]
      steps:
        a: {on: later, host: s1, shell: "test $EVENTOR_STEP_ATTEMPT = 3", retry: {attempts: 3, delay: 200ms}}
        b: {on: go, host: s1, shell: "sleep 30", timeout: 500ms, triggers: {failure: later}}
      """
    try await World.with(kind, program: program) { world in
      try await world.submit()
      try await world.agent("s1")
      let report = try await world.wait()
      #expect(report["a"]?.status == "success" && report["a"]?.attempt == 3)
      #expect(report["b"]?.status == "failure" && report["b"]?.message?.contains("timeout") == true)
    }
  }

  @Test("output of a step elsewhere is followed through the store", arguments: TestStore.all)
  func follow(kind: TestStore.Kind) async throws {
    let program = """
      program: talk
      steps: {a: {host: s1, shell: "echo first; touch begun; while [ ! -e go ]; do sleep 0.05; done; echo last"}}
      """
    try await World.with(kind, program: program) { world in
      try await world.agent("s1")
      try await world.submit()
      try await world.file("begun")
      // Its own log directory is another than the agent's, as on another host.
      let follower = try world.start(["logs", "r", "--follow", "--log-dir", world.path("elsewhere")])
      try await until("the first line is followed") { follower.stdout.contains("first") }
      #expect(!follower.stdout.contains("last"))
      try world.write("go", "")
      let answer = await follower.answer()
      #expect(answer.code == 0 && answer.lines.suffix(2) == ["first", "last"], "\(answer)")
      let whole = try await world.run("logs", "r", "a", "--log-dir", world.path("elsewhere"))
      #expect(whole.lines == ["first", "last"])
    }
  }

  @Test("a sensor's word counts beside the capacity", arguments: TestStore.all)
  func sensor(kind: TestStore.Kind) async throws {
    let program = """
      program: sensed
      resources: {license: {capacity: 5, scope: cluster, sensor: "cat free", every: 200ms}}
      steps: {a: {host: s1, acquires: {license: 2}, run: ["true"]}}
      """
    try await World.with(kind, program: program) { world in
      try world.write("free", "1\n")
      try await world.agent("s1", ["--poll", "100ms"])
      try await world.submit()
      var last = ""
      for _ in 0..<400 where !last.contains("says 1 are free") {
        last = try await world.run("why", "r").stdout
        try await Task.sleep(for: .milliseconds(25))
      }
      #expect(last.contains("resource license is short outside: its sensor says 1 are free"), "\(last)")
      // Only its first word counts, whatever and however much comes after it.
      let rest = Data(repeating: 0xff, count: 8 << 20)
      try (Data("2 of ".utf8) + rest).write(to: URL(fileURLWithPath: world.path("free")))
      #expect(try await world.wait().run.status == "success")
    }
  }

  @Test("a run changes hands: from the agents to a command and back", arguments: TestStore.all)
  func hands(kind: TestStore.Kind) async throws {
    let program = """
      program: hands
      steps: {a: {host: s1, shell: "echo $EVENTOR_STEP_RECOVERY >> ran; test -e good"}}
      """
    try await World.with(kind, program: program) { world in
      let agent = try await world.agent("s1")
      try await world.submit()
      #expect(try await world.wait(exit: 1)["a"]?.status == "failure")
      // Here every host is taken as this one.
      let here = try await world.run("recover", "r", "--here", "--quiet")
      #expect(here.code == 1, "\(here)")
      try world.write("good", "")
      let there = try await world.run("recover", "r", "--submit", "--wait")
      #expect(there.code == 0, "\(there)")
      #expect(world.lines("ran") == ["0", "1", "2"])
      #expect(!agent.isOver)
      try await world.expectConsistency()
    }
  }
}
