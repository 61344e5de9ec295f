import Foundation
import TestSupport
import Testing

@Suite("How much runs at once, in which order, and for how long")
struct LimitTests {
  @Test("higher priorities go first", arguments: TestStore.all)
  func priorities(kind: TestStore.Kind) async throws {
    let program = """
      program: ranks
      events: {go: {}}
      steps:
        low: {on: go, priority: -1, shell: echo low >> order}
        plain: {on: go, shell: echo plain >> order}
        high: {on: go, priority: 10, shell: echo high >> order}
        middle: {on: go, priority: 5, shell: echo middle >> order}
      """
    try await World.with(kind, program: program) { world in
      _ = try await world.finish("--max-concurrent", "1")
      #expect(world.lines("order") == ["high", "middle", "plain", "low"])
    }
  }

  @Test("what a step keeps is free only when a later step releases it", arguments: TestStore.all)
  func kept(kind: TestStore.Kind) async throws {
    let program = """
      program: kept
      resources: {license: {capacity: 1}}
      steps:
        take: {priority: 1, acquires: {license: 1}, releases: {}, shell: echo take >> order}
        between: {after: [take], shell: "sleep 0.2; echo between >> order"}
        give: {after: [between], releases: {license: 1}, shell: echo give >> order}
        other: {acquires: {license: 1}, shell: echo other >> order}
      """
    try await World.with(kind, program: program) { world in
      let report = try await world.finish()
      #expect(world.lines("order") == ["take", "between", "give", "other"])
      #expect(report.run.status == "success")
      try await world.expectConsistency()
    }
  }

  @Test("a group and a run have limits of their own", arguments: TestStore.all)
  func groups(kind: TestStore.Kind) async throws {
    let program = """
      program: limited
      config: {max_concurrent: 3}
      groups: {g: {hosts: [here], max_concurrent: 2}}
      events: {item: {}}
      steps:
        g: {group: g, foreach: [1, 2, 3, 4, 5], run: [sleep, "0.1"]}
        free: {foreach: [1, 2, 3, 4, 5], run: [sleep, "0.1"]}
      """
    try await World.with(kind, program: program) { world in
      let report = try await world.finish("--max-concurrent", "20")
      #expect(report.tasks.count == 10)
      #expect(report.tasks.allSatisfy { $0.status == "success" })
      #expect(report.mostAtOnce <= 3)
      #expect(mostTasksAtOnce(report.tasks.filter { $0.step == "g" }) <= 2)
      try await world.expectConsistency()
    }
  }

  @Test("two processes share a cluster's resource, and neither ever exceeds it", arguments: TestStore.all)
  func cluster(kind: TestStore.Kind) async throws {
    let program = """
      program: farm
      resources: {license: {capacity: 2, scope: cluster}, own: {capacity: 1, scope: program}}
      steps:
        s: {foreach: [1, 2, 3, 4, 5, 6], acquires: {license: 1}, run: [sleep, "0.05"]}
        both: {acquires: {license: 2, own: 1}, run: [sleep, "0.05"]}
        big: {acquires: {license: 2}, run: [sleep, "0.05"]}
      """
    try await World.with(kind, program: program) { world in
      try await world.run("db", "migrate")
      let calls = try ["one", "two"].map { id in
        try world.start(["run", world.program, "--run-id", id, "--json", "--quiet"])
      }
      var tasks: [[Report.Task]] = []
      for call in calls {
        let answer = await call.answer()
        #expect(answer.code == 0, "\(answer)")
        tasks.append(try answer.decoded(as: Report.self).tasks)
      }
      let all = tasks.flatMap { $0 }
      #expect(all.count == 16)
      // A task that takes both counts twice.
      let weighted = all.flatMap { $0.step == "s" ? [$0] : [$0, $0] }
      #expect(mostTasksAtOnce(weighted) <= 2)
      try await world.expectConsistency()
    }
  }

  @Test("a demand above the capacity is refused before anything runs")
  func impossible() async throws {
    let program = """
      program: greedy
      resources: {license: {capacity: 1}}
      steps: {s: {acquires: {license: 2}}}
      """
    try await World.with(program: program) { world in
      let answer = try await world.run("run", world.program)
      #expect(answer.code == 2, "\(answer)")
      #expect(answer.errorLines.count == 1, "\(answer)")
    }
  }

  @Test("a run that exceeds its timeout is stopped, and fails", arguments: TestStore.all)
  func runTimeout(kind: TestStore.Kind) async throws {
    let program = """
      program: endless
      config: {timeout: 0.5}
      steps: {s: {run: [sleep, "60"]}, t: {after: [s]}}
      """
    try await World.with(kind, program: program) { world in
      let report = try await world.finish(exit: 1)
      #expect(report.run.status == "failure")
      #expect(report.run.message?.contains("timeout") == true)
      #expect(report["s"]?.status == "cancelled")
      #expect(report["t"] == nil)
      try await until("nothing is left") { Leftovers(mark: world.mark).pids.isEmpty }
    }
  }

  @Test("a run of which nothing can start within its queue_timeout fails", arguments: TestStore.all)
  func queueTimeout(kind: TestStore.Kind) async throws {
    let program = """
      program: queued
      config: {queue_timeout: 4}
      steps: {s: {host: nowhere}}
      """
    try await World.with(kind, program: program) { world in
      let report = try await world.finish("--pin", exit: 1)
      #expect(report.run.message?.contains("queue_timeout") == true)
      #expect(report["s"]?.status == "cancelled")
      // Once it has started that time has no more meaning.
      let elsewhere = try await world.run("run", world.program, "--run-id", "s")
      #expect(elsewhere.code == 0, "\(elsewhere)")
    }
  }

  @Test(
    "after an unhandled failure nothing new starts, unless the program says so", arguments: [true, false])
  func stopOnFailure(stops: Bool) async throws {
    let program = """
      program: stopping
      config: {stop_on_failure: \(stops)}
      events: {handled: {}}
      steps:
        fails: {shell: "until [ -e running ]; do sleep 0.02; done; exit 1"}
        long: {shell: "touch running; until [ -e failed ]; do sleep 0.02; done; echo long >> order"}
        after_long: {after: [long], shell: echo after_long >> order}
        after_failure: {after: [fails], shell: echo after_failure >> order}
        other: {run: ["false"], triggers: {failure: [handled]}}
      """
    try await World.with(program: program) { world in
      let call = try world.begin("--json")
      try await world.status(until: { $0["fails"]?.status == "failure" })
      try world.write("failed", "")
      let answer = await call.answer()
      #expect(answer.code == 1, "\(answer)")
      let report = try answer.decoded(as: Report.self)
      #expect(report.run.status == "failure")
      #expect(report["long"]?.status == "success")
      #expect(world.lines("order") == (stops ? ["long"] : ["long", "after_long"]))
      #expect(report["after_failure"] == nil)
    }
  }

  @Test("a step whose causes ran on two hosts has none: refused where certain, a failed run where not")
  func ambiguousHosts() async throws {
    let certain = """
      program: ambiguous
      events: {a_done: {}, b_done: {}, both: {when: a_done and b_done}}
      steps:
        a: {host: h1, triggers: {success: [a_done]}}
        b: {host: h2, triggers: {success: [b_done]}}
        c: {on: both, shell: echo c >> order}
      """
    let uncertain = certain.replacing("host: h2", with: "group: g")
      .replacing("events:", with: "groups: {g: {hosts: [h2, h3]}}\nevents:")
    try await World.with(program: uncertain) { world in
      let certainFile = try world.write("certain.yaml", certain)
      let refused = try await world.run("run", certainFile)
      #expect(refused.code == 2, "\(refused)")
      #expect(refused.stderr.contains("'h1' and 'h2'"), "\(refused)")
      #expect(refused.errorLines.count == 1)

      // Every host is this one, so there is nothing ambiguous.
      let unpinned = try await world.run("run", world.program, "--run-id", "unpinned")
      #expect(unpinned.code == 0, "\(unpinned)")
      #expect(world.lines("order") == ["c"])

      let pinned = ["run", world.program, "--run-id", "r", "--pin", "--max-loops", "1", "--json"]
      let first = try await world.start(pinned, host: "h1").answer()
      #expect(first.code == 8, "\(first)")
      #expect(try first.decoded(as: Report.self).run.waitingFor.isEmpty == false)
      let second = try await world.start(pinned + ["--continue"], host: "h2").answer()
      #expect(second.code == 1, "\(second)")
      let report = try second.decoded(as: Report.self)
      #expect(report["a"]?.host == "h1")
      #expect(report["b"]?.host == "h2")
      #expect(report["c"]?.status == "failure")
      #expect(report["c"]?.message?.contains("h1 and h2") == true)
      #expect(world.lines("order") == ["c"])
    }
  }
}
