import TestSupport
import Testing

@Suite("Where steps go, and who takes them")
struct AgentPlacementTests {
  @Test(
    "a host without an agent is waited for by name, and served once there is one", arguments: TestStore.all)
  func waiting(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: "program: w\nsteps: {a: {host: s9, run: [\"true\"]}}\n") { world in
      try await world.agent("s1")
      try await world.submit()
      let status = try await world.report("status", "r")
      #expect(status.run.waitingFor == ["waiting for an agent on s9"])
      let why = try await world.run("why", "r")
      #expect(why.stdout.contains("[no_agent]") && why.stdout.contains("none has ever registered"), "\(why)")
      try await world.agent("s9")
      #expect(try await world.wait()["a"]?.host == "s9")
    }
  }

  @Test("groups are served by hosts they name, or by agents with their labels", arguments: TestStore.all)
  func groups(kind: TestStore.Kind) async throws {
    let program = """
      program: g
      groups: {named: {hosts: [s1, s2]}, linux: {match: {os: linux, cpu: "*"}}}
      steps:
        a: {group: named, run: ["true"]}
        b: {group: linux, run: ["true"]}
        c: {after: b, run: ["true"]}
      """
    try await World.with(kind, program: program) { world in
      try await world.agent("s2", ["--label", "os=linux"])
      try await world.submit()
      #expect(try await world.status(until: { $0["a"]?.status == "success" })["a"]?.host == "s2")
      let why = try await world.run("why", "r", "b")
      #expect(why.stdout.contains("with the labels of group linux (cpu=*, os=linux)"), "\(why)")
      try await world.agent("s3", ["--label", "os=linux", "--label", "cpu=arm"])
      let report = try await world.wait()
      // What b caused runs where b ran.
      #expect(report["b"]?.host == "s3" && report["c"]?.host == "s3")
    }
  }

  @Test("elsewhere: the next attempt goes to another host, as long as there is one", arguments: TestStore.all)
  func elsewhere(kind: TestStore.Kind) async throws {
    let program = """
      program: e
      groups: {g: {hosts: [s1, s2]}}
      steps:
        a: {group: g, shell: "echo $EVENTOR_STEP_HOST >> hosts; false", retry: {attempts: 3, delay: 50ms, elsewhere: true}}
      """
    try await World.with(kind, program: program) { world in
      for host in ["s1", "s2"] { try await world.agent(host, ["--poll", "100ms"]) }
      try await world.submit()
      #expect(try await world.wait(exit: 1)["a"]?.attempt == 3)
      let hosts = world.lines("hosts")
      #expect(hosts.count == 3 && Set(hosts.prefix(2)) == ["s1", "s2"], "\(hosts)")
    }
  }

  @Test(
    "a drained host finishes what runs and takes nothing new until it is undrained", arguments: TestStore.all)
  func drain(kind: TestStore.Kind) async throws {
    let program = """
      program: d
      steps:
        a: {host: s1, shell: "touch begun; while [ ! -e go ]; do sleep 0.05; done"}
        b: {after: a, host: s1, run: ["true"]}
      """
    try await World.with(kind, program: program) { world in
      try await world.agent("s1", ["--poll", "100ms"])
      try await world.submit()
      try await world.file("begun")
      let drained = try await world.run("agent", "drain", "s1", "--reason", "new disk")
      #expect(drained.code == 0 && drained.stdout.contains("1 step still runs"), "\(drained)")
      try world.write("go", "")
      try await world.status(until: { $0["a"]?.status == "success" })
      let why = try await world.run("why", "r", "b")
      #expect(why.stdout.contains("new disk") && why.stdout.contains("[draining]"), "\(why)")
      let list = try await world.run(
        "agent", "list", "--output", "tsv", "--columns", "host,state", "--no-header")
      #expect(list.lines == ["s1\tdraining"])
      #expect(try await world.run("agent", "undrain", "s1").code == 0)
      #expect(try await world.wait()["b"]?.status == "success")
      let unknown = try await world.run("agent", "drain", "s7", "--reason", "x")
      #expect(unknown.code == 3, "\(unknown)")
    }
  }

  @Test("at its deadline a drain gives group steps to other hosts", arguments: TestStore.all)
  func deadline(kind: TestStore.Kind) async throws {
    let program = """
      program: d
      groups: {g: {hosts: [s1, s2]}}
      steps: {a: {group: g, shell: "echo $EVENTOR_STEP_HOST >> hosts; test $EVENTOR_STEP_HOST = s2 || sleep 60", kill_after: 1s}}
      """
    try await World.with(kind, program: program) { world in
      try await world.agent("s1", ["--poll", "200ms"])
      try await world.submit()
      try await world.line("s1", in: "hosts")
      try await world.agent("s2", ["--poll", "200ms"])
      try await world.run("agent", "drain", "s1", "--reason", "now", "--deadline", "0s")
      let report = try await world.wait()
      #expect(world.lines("hosts") == ["s1", "s2"])
      #expect(report["a"]?.host == "s2" && report["a"]?.attempt == 2)
      try await world.expectConsistency()
    }
  }

  @Test("max_concurrent of agent, run and group hold over all hosts", arguments: TestStore.all)
  func limits(kind: TestStore.Kind) async throws {
    let program = """
      program: l
      config: {max_concurrent: 3}
      groups: {g: {hosts: [s1, s2], max_concurrent: 2}}
      steps:
        a: {group: g, foreach: {from: 1, to: 8}, at_once: 0, run: [sleep, "0.1"]}
        b: {host: s1, foreach: {from: 1, to: 4}, at_once: 0, run: [sleep, "0.1"]}
      """
    try await World.with(kind, program: program) { world in
      for host in ["s1", "s2"] { try await world.agent(host, ["--max-concurrent", "2", "--poll", "100ms"]) }
      try await world.submit()
      let report = try await world.wait()
      #expect(report.tasks.count == 12 && report.mostAtOnce <= 3)
      #expect(mostTasksAtOnce(report.tasks.filter { $0.step == "a" }) <= 2)
      for host in ["s1", "s2"] {
        #expect(mostTasksAtOnce(report.tasks.filter { $0.host == host }) <= 2)
      }
      try await world.expectConsistency()
    }
  }

  @Test("a second agent of one host is refused with the first one's pid, unless it has a name of its own")
  func twoAgents() async throws {
    try await World.with(program: "program: t\nsteps: {a: {host: s1, run: [\"true\"]}}\n") { world in
      let first = try await world.agent("s1")
      let second = await (try world.launchAgent("s1")).answer()
      #expect(second.code == 1, "\(second)")
      #expect(
        second.stderr.contains("process \(first.pid)") && second.stderr.contains("--instance"), "\(second)")
      let third = try await world.agent("s1", ["--instance", "two"])
      let list = try await world.run("agent", "list", "--json")
      #expect(list.stdout.contains("\"two\""))
      await first.stop()
      try await world.submit()
      #expect(try await world.wait().run.status == "success")
      await third.stop()
      let stopped = try await world.run(
        "agent", "list", "--output", "tsv", "--columns", "state", "--no-header")
      #expect(stopped.lines == ["stopped", "stopped"])
    }
  }
}
