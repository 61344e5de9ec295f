import Foundation
import Glibc
import TestSupport
import Testing

@Suite("Agents lost, late and started again (rules 7, 8 and 11)")
struct AgentLossTests {
  private static let hosts = (1...Scale.count(4, full: 8)).map { "s\($0)" }

  /// Each execution appends its task's number and attempt.
  private static func hunt(_ tasks: Int) -> String {
    """
    program: hunt
    groups: {g: {hosts: [\(hosts.joined(separator: ", "))]}}
    steps: {t: {group: g, foreach: {from: 1, to: \(tasks)}, at_once: 0, max_lost: 1000, shell: "echo $EVENTOR_LOOP_ITEM >> done"}}
    """
  }

  @Test("agents of one group never run a task twice", arguments: TestStore.all)
  func hunt(kind: TestStore.Kind) async throws {
    let tasks = Scale.count(kind == .sqlite ? 200 : 400, full: 20_000)
    try await World.with(kind, program: Self.hunt(tasks)) { world in
      for host in Self.hosts { try await world.agent(host) }
      try await world.submit()
      #expect(try await world.wait().run.status == "success")
      let done = world.lines("done")
      #expect(done.count == tasks && Set(done).count == tasks)
      try await world.expectConsistency()
    }
  }

  @Test(
    "an agent that stands still is silent and then gone, and lives again when it goes on",
    arguments: TestStore.all)
  func standsStill(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let agent = try await world.agent("s1", ["--lock-for", "8s"])
      func told(_ state: String) async throws {
        for _ in 0..<1200 {
          let list = try await world.run(
            "agent", "list", "--output", "tsv", "--columns", "state", "--no-header")
          if list.stdout == state + "\n" { return }
          try await Task.sleep(for: .milliseconds(25))
        }
        Issue.record("agent list never told: \(state)")
      }
      try await told("live")
      agent.signal(SIGSTOP)
      for state in ["silent", "gone"] { try await told(state) }
      agent.signal(SIGCONT)
      try await told("live")
      await agent.stop()
      try await told("stopped")
    }
  }

  @Test("agents killed and restarted all the while lose nothing and repeat nothing", arguments: TestStore.all)
  func killed(kind: TestStore.Kind) async throws {
    let tasks = Scale.count(kind == .sqlite ? 150 : 300, full: 20_000)
    try await World.with(kind, program: Self.hunt(tasks)) { world in
      let hosts = Self.hosts
      var agents: [String: Call] = [:]
      for host in hosts { agents[host] = try await world.agent(host, ["--poll", "100ms"]) }
      try await world.submit()
      // Whoever is killed comes back and goes on with what its keeper has kept.
      for round in 0..<Scale.count(8, full: 200) {
        try await until("something more is done, or all") {
          world.lines("done").count >= min(tasks, (round + 1) * tasks / Scale.count(12, full: 220))
        }
        let host = hosts[round % hosts.count]
        await agents[host]?.kill()
        agents[host] = try await world.agent(host, ["--poll", "100ms"])
      }
      let report = try await world.wait()
      let done = world.lines("done")
      #expect(Set(done).count == tasks)
      // A step that ran twice had an agent that died between taking it and its start, or was lost with its keeper: shown
      // as another attempt.
      let attempts = report.tasks.reduce(0) { $0 + $1.attempt }
      #expect(done.count <= attempts && report.tasks.allSatisfy { $0.status == "success" })
      #expect(done.count == tasks, "a step whose keeper lived ran twice")
      try await world.expectConsistency()
    }
  }

  @Test(
    "ten steps go on while their agent is dead, and the next one records their ends", arguments: TestStore.all
  )
  func restart(kind: TestStore.Kind) async throws {
    let program = """
      program: r
      steps: {t: {host: s1, foreach: {from: 1, to: 10}, at_once: 0, shell: "echo $EVENTOR_LOOP_ITEM >> ran; while [ ! -e go ]; do sleep 0.05; done"}}
      """
    try await World.with(kind, program: program) { world in
      let first = try await world.agent("s1", ["--max-concurrent", "10"])
      try await world.submit()
      try await until("all run") { world.lines("ran").count == 10 }
      await first.kill()
      // Some end while nobody is there.
      try world.write("go", "")
      try await until("they have ended") { world.processes(ofRun: "r").isEmpty }
      try await world.agent("s1", ["--max-concurrent", "10"])
      let report = try await world.wait()
      #expect(
        report.tasks.count == 10 && report.tasks.allSatisfy { $0.status == "success" && $0.attempt == 1 })
      #expect(world.lines("ran").count == 10)
      try await world.expectConsistency()
    }
  }

  @Test(
    "SIGTERM hands running steps over; SIGHUP reads the settings and goes on with them",
    arguments: TestStore.all)
  func handOver(kind: TestStore.Kind) async throws {
    let program = """
      program: h
      steps: {a: {host: s1, shell: "echo $$ >> ran; while [ ! -e go ]; do sleep 0.05; done"}}
      """
    try await World.with(kind, program: program) { world in
      let first = try await world.agent("s1", ["--grace", "200ms"])
      try await world.submit()
      try await until("it runs") { world.lines("ran").count == 1 }
      first.signal(SIGTERM)
      let ended = await first.answer()
      #expect(ended.code == 0 && ended.stderr.contains("handed over"), "\(ended)")
      let second = try await world.agent("s1")
      try await until("it goes on with the step") { second.stderr.contains("going on with a step") }
      second.signal(SIGHUP)
      try await until("it has begun anew") {
        second.stderr.components(separatedBy: "going on with a step").count == 3
      }
      try world.write("go", "")
      let report = try await world.wait()
      #expect(report["a"]?.attempt == 1 && world.lines("ran").count == 1)
      await second.stop()
      try await world.expectConsistency()
    }
  }

  @Test(
    "an agent that was stopped past its lock records nothing: the taker's record stands",
    arguments: TestStore.all)
  func late(kind: TestStore.Kind) async throws {
    let program = """
      program: l
      groups: {g: {hosts: [s1, s2]}}
      steps:
        a:
          group: g
          kill_after: 200ms
          shell: |
            echo $EVENTOR_STEP_HOST $EVENTOR_STEP_ATTEMPT >> ran
            test $EVENTOR_STEP_ATTEMPT = 2 && echo taker > $EVENTOR_RESULT_FILE && exit 0
            sleep 60
      """
    try await World.with(kind, program: program) { world in
      let first = try await world.agent("s1", World.slackLocks)
      try await world.submit()
      try await world.line("s1 1", in: "ran")
      try await world.agent("s2", World.slackLocks)
      first.signal(SIGSTOP)
      let report = try await world.wait()
      #expect(
        report["a"]?.host == "s2" && report["a"]?.attempt == 2 && report["a"]?.result == .string("taker"))
      // Its guard has ended the step without it.
      #expect(world.processes(ofRun: "r").isEmpty)
      first.signal(SIGCONT)
      try await until("it knows") {
        first.stderr.contains("another agent has it") || first.stderr.contains("given back")
          || first.stderr.contains("taken over")
      }
      let again = try await world.report("status", "r", "--all-attempts")
      #expect(again.tasks.map(\.attempt) == [1, 2] && again["a"]?.status != nil)
      #expect(again.tasks.last?.result == .string("taker"))
      try await world.expectConsistency()
    }
  }

  @Test(
    "a pinned step of an agent that is gone waits for it; a group's goes to another", arguments: TestStore.all
  )
  func pinned(kind: TestStore.Kind) async throws {
    let program = """
      program: p
      config: {stop_on_failure: false}
      groups: {g: {hosts: [s1, s2]}}
      steps:
        kept: {host: s1, shell: "echo kept $EVENTOR_STEP_ATTEMPT >> ran; sleep 600"}
        given: {group: g, shell: "echo given $EVENTOR_STEP_ATTEMPT >> ran; test $EVENTOR_STEP_HOST = s2 || sleep 600"}
        failed: {host: s1, on_lost: fail, shell: "echo failed $EVENTOR_STEP_ATTEMPT >> ran; sleep 600"}
      """
    try await World.with(kind, program: program) { world in
      let first = try await world.agent("s1", World.slackLocks)
      try await world.submit()
      try await until("all run") { world.lines("ran").count == 3 }
      // The whole host: its agent, the keeper and the steps, as when its power is cut.
      await first.kill()
      for pid in world.processes(ofRun: "r") { kill(pid, SIGKILL) }
      try await world.agent("s2", World.slackLocks)
      let report = try await world.status(until: {
        $0["given"]?.status == "success" && $0["failed"]?.status == "failure"
      })
      #expect(report["given"]?.attempt == 2 && report["given"]?.host == "s2")
      #expect(report["kept"]?.status == "running")
      var why = ""
      for _ in 0..<1600 where !why.contains("kept/1 was running on s1, whose agent has not reported") {
        why = try await world.run("why", "r").stdout
        try await Task.sleep(for: .milliseconds(25))
      }
      #expect(why.contains("kept/1 was running on s1, whose agent has not reported"), "\(why)")
      #expect(try await world.run("status", "r").stdout.contains("whose agent has not reported"))
      try await world.run("cancel", "r")
      #expect(try await world.wait(exit: 6)["kept"]?.status == "cancelled")
      try await world.expectConsistency()
    }
  }

  @Test(
    "cancel means dead: forks, sessions of their own and deaf ones, also of an agent that was dead",
    arguments: TestStore.all)
  func cancelled(kind: TestStore.Kind) async throws {
    let program = """
      program: c
      resources: {license: {capacity: 1, scope: cluster}}
      steps:
        a:
          host: s1
          acquires: {license: 1}
          kill_after: 300ms
          shell: |
            trap '' TERM
            (setsid sh -c "trap '' TERM; echo x >> ran; while :; do sleep 1; done" &) &
            sh -c "trap '' TERM; echo x >> ran; while :; do sleep 1; done" &
            echo x >> ran
            while :; do sleep 1; done
      """
    for round in 0..<Scale.count(1, full: 50) {
      try await World.with(kind, program: program) { world in
        var agent = try await world.agent("s1", World.shortLocks)
        try await world.submit()
        try await until("all run") { world.lines("ran").count == 3 }
        let isDead = round % 2 == 1 || !Scale.isFull && kind != .postgresql
        if isDead { await agent.kill() }
        #expect(try await world.run("cancel", "r").code == 0)
        if isDead { agent = try await world.agent("s1", World.shortLocks) }
        #expect(try await world.wait(exit: 6)["a"]?.status == "cancelled")
        try await until("none of its processes is left") { world.processes(ofRun: "r").isEmpty }
        try await world.expectConsistency()
        await agent.stop()
      }
    }
  }

  @Test("--once does what is ready and ends", arguments: TestStore.all)
  func once(kind: TestStore.Kind) async throws {
    let program = """
      program: o
      steps: {a: {host: s1, run: ["true"]}, b: {after: a, host: s1, run: ["true"]}, c: {after: b, host: s2, run: ["true"]}}
      """
    try await World.with(kind, program: program) { world in
      try await world.submit()
      for (host, expected) in [("s1", ["a/1", "b/1"]), ("s2", ["a/1", "b/1", "c/1"])] {
        let answer = await (try world.launchAgent(host, ["--once"])).answer()
        #expect(answer.code == 0, "\(answer)")
        let done = try await world.report("status", "r").tasks.filter { $0.status == "success" }
        #expect(done.map(\.name) == expected)
      }
    }
  }
}
