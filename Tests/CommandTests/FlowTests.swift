import Model
import TestSupport
import Testing

@Suite("Programs run to their end")
struct FlowTests {
  @Test("a program may come from a pipe, which can be read only once")
  func piped() async throws {
    try await World.with(program: "program: piped\nsteps: {a: {run: [echo, a]}}\n") { world in
      let line = #"cat "$1" | "$0" run /dev/stdin --run-id r --quiet --store "$2""#
      let call = try Call(
        command: ["/bin/sh", "-c", line, Executable.path], arguments: [world.program, world.store],
        environment: ["PATH": "/usr/bin:/bin", "HOME": world.path("home")], directory: world.path(""),
        stdin: nil)
      let answer = await call.answer()
      #expect(answer.code == 0, "\(answer)")
      #expect(try await world.report("status", "r").run.program == "piped")
    }
  }

  @Test("a chain runs in order, and everything about it is told", arguments: TestStore.all)
  func chain(kind: TestStore.Kind) async throws {
    let program = """
      program: chain
      parameters: {x: 9}
      events: {go: {}, a_done: {}, over: {}}
      steps:
        a: {on: go, shell: "echo a ${param.x} >> order", triggers: {success: [a_done]}}
        b: {on: a_done, shell: "echo b >> order; echo 7 > $EVENTOR_RESULT_FILE"}
        c: {after: [b], run: [sh, -c, "echo c ${steps.b.result} >> order"], triggers: {complete: [over]}}
      """
    try await World.with(kind, program: program) { world in
      let report = try await world.finish()
      #expect(world.lines("order") == ["a 9", "b", "c 7"])
      #expect(report.run.status == "success")
      #expect(report.run.program == "chain")
      #expect(report.run.version.hasPrefix("sha256:"))
      #expect(report.run.recovery == 0)
      #expect(report.run.parameters == ["x": .integer(9)])
      #expect(report.run.waitingFor.isEmpty)
      #expect(report.statuses == ["a/1": "success", "b/1": "success", "c/1": "success"])
      #expect(report.order == ["a/1", "b/1", "c/1"])
      #expect(report.tasks.map(\.name) == ["a/1", "b/1", "c/1"])
      #expect(report.raised == ["a_done/1", "go/1", "over/1"])
      #expect(report["b"]?.result == .integer(7))
      #expect(report["b"]?.exitCode == 0)
      let again = try await world.report("status", "r", exit: 0)
      #expect(again == report)
      try await world.expectConsistency()
    }
  }

  @Test("a join waits for both, an alternative for one", arguments: TestStore.all)
  func join(kind: TestStore.Kind) async throws {
    let program = """
      program: join
      events:
        a_done: {}
        b_done: {}
        c_failed: {}
        c_done: {}
        both: {when: a_done and b_done and (c_done or c_failed)}
      steps:
        a: {run: [sleep, "0.1"], triggers: {success: [a_done]}}
        b: {run: ["true"], triggers: {success: [b_done]}}
        c: {run: ["false"], triggers: {success: [c_done], failure: [c_failed]}}
        joined: {on: both}
      """
    try await World.with(kind, program: program) { world in
      let report = try await world.finish()
      #expect(
        report.statuses == ["a/1": "success", "b/1": "success", "c/1": "failure", "joined/1": "success"])
      #expect(report.raised == ["a_done/1", "b_done/1", "both/1", "c_failed/1"])
      #expect(report.order.last == "joined/1")
    }
  }

  @Test("a delayed step does not start before its time by the database's clock", arguments: TestStore.all)
  func delay(kind: TestStore.Kind) async throws {
    let program = """
      program: later
      events: {a_done: {}, go: {}}
      steps:
        a: {on: go, run: ["true"], triggers: {success: [a_done]}}
        b: {run: ["true"]}
        c: {run: ["true"]}
      associations:
        - {event: a_done, to: [b], delay: 0.4}
        - {event: go, to: [c], delay: 0.2}
      """
    try await World.with(kind, program: program) { world in
      let report = try await world.finish()
      #expect(report.order == ["a/1", "c/1", "b/1"])
      let raised = try #require(report.events.first { $0.event == "a_done" }?.triggeredAt)
      let started = try #require(report["b"]?.startedAt)
      #expect(try seconds(from: raised, to: started) >= 0.4)
    }
  }

  @Test("a loop runs the same steps once per item, and a failed iteration fails it", arguments: TestStore.all)
  func loop(kind: TestStore.Kind) async throws {
    let program = """
      program: sites
      events: {site: {}, site_over: {}, all: {}, one_failed: {}}
      steps:
        prepare: {shell: "echo '[\\"lab1\\", \\"lab2\\"]' > $EVENTOR_RESULT_FILE"}
        visit:
          on: site
          shell: |
            echo "$EVENTOR_STEP_SEQUENCE $EVENTOR_LOOP_INDEX $EVENTOR_LOOP_ITEM ${loop.index} ${loop.item}" >> seen
            test "${loop.item}" != lab2
          triggers: {complete: [site_over]}
        last: {on: one_failed}
      loops:
        sites:
          after: [prepare]
          over: ${steps.prepare.result}
          start: [site]
          until: [site_over]
          triggers: {success: [all], failure: [one_failed]}
        none: {over: [], start: [site], triggers: {success: [all]}}
      """
    try await World.with(kind, program: program) { world in
      let report = try await world.finish()
      #expect(world.lines("seen") == ["1/1 1 lab1 1 lab1", "1/2 2 lab2 2 lab2"])
      #expect(
        report.statuses == [
          "prepare/1": "success", "visit/1/1": "success", "visit/1/2": "failure",
        ])
      let sites = try #require(report.loops.first { $0.loop == "sites" })
      #expect(sites.sequence == "1")
      #expect((sites.iterations, sites.ended) == (2, 2))
      #expect(report.loops.first { $0.loop == "none" }?.status == "success")
      #expect(report.raised.contains("site_over/1/2"))
    }
  }

  @Test("foreach runs one step for each of a list, and hands on their results", arguments: TestStore.all)
  func foreach(kind: TestStore.Kind) async throws {
    let program = """
      program: each
      steps:
        square:
          foreach: [3, 4, 5]
          at_once: 2
          shell: echo $((${loop.item} * ${loop.item})) > $EVENTOR_RESULT_FILE
        sum: {after: [square], shell: "echo '${steps.square.result}' > sum"}
      """
    try await World.with(kind, program: program) { world in
      let report = try await world.finish()
      #expect(
        report.statuses == [
          "square/1/1": "success", "square/1/2": "success", "square/1/3": "success", "sum/1": "success",
        ])
      #expect(world.lines("sum") == ["[9,16,25]"])
      #expect(report.mostAtOnce <= 2)
    }
  }

  @Test(
    "a loop goes over what the step that starts it has just written, and over the results of another loop")
  func loopOverResults() async throws {
    let program = """
      program: results
      steps:
        list: {shell: "echo '{\\"hosts\\": [\\"x\\", \\"y\\"]}' > $EVENTOR_RESULT_FILE"}
        none: {shell: "echo '[]' > $EVENTOR_RESULT_FILE"}
        first:
          after: [list]
          foreach: ${steps.list.result.hosts}
          shell: echo ${loop.item}${loop.index} > $EVENTOR_RESULT_FILE
        second: {after: [first], foreach: "${steps.first.result}", shell: "echo ${loop.item} >> seen"}
        third: {after: [none], foreach: "${steps.none.result}", shell: "echo none >> seen"}
        last: {after: [second, third]}
        bad: {after: [last], foreach: "${steps.list.result}", shell: "exit 0"}
      """
    try await World.with(program: program) { world in
      let report = try await world.finish(exit: 1)
      #expect(world.lines("seen").sorted() == ["x1", "y2"])
      #expect(report["last"]?.status == "success")
      #expect(report.loops.first { $0.loop == "bad" }?.status == "failure")
      #expect(report.run.status == "failure")
    }
  }

  @Test("loops in loops have sequences in sequences")
  func nested() async throws {
    let program = """
      program: nested
      events: {outer: {}, inner: {}}
      steps: {s: {on: inner, shell: "echo $EVENTOR_STEP_SEQUENCE ${loop.item} >> seen"}}
      loops:
        o: {over: {from: 1, to: 2}, start: [outer]}
        i: {on: outer, over: [x, y], start: [inner]}
      """
    try await World.with(program: program) { world in
      let report = try await world.finish()
      #expect(world.lines("seen") == ["1/1/1 x", "1/1/2 y", "1/2/1 x", "1/2/2 y"])
      #expect(report.loops.count == 3)
      #expect(report.loops.allSatisfy { $0.status == "success" && $0.ended == 2 })
    }
  }

  @Test("a step that writes trigger files decides how the run goes on", arguments: TestStore.all)
  func triggerFile(kind: TestStore.Kind) async throws {
    let program = """
      program: branches
      events: {letter: {external: true}, parcel: {external: true}, freight: {external: true}}
      steps:
        weigh: {shell: 'printf "letter\\nparcel 2\\n\\nletter\\n" > $EVENTOR_TRIGGER_FILE'}
        l: {on: letter}
        p: {on: parcel}
        f: {on: freight}
      """
    try await World.with(kind, program: program) { world in
      let report = try await world.finish()
      #expect(report.statuses == ["weigh/1": "success", "l/1": "success", "p/2": "success"])
      #expect(report.raised == ["letter/1", "parcel/2"])
    }
  }
}

extension World {
  /// Nothing in the store contradicts anything else in it.
  func expectConsistency(from place: SourceLocation = #_sourceLocation) async throws {
    let answer = try await run("db", "check", from: place)
    #expect(answer.code == 0, "\(answer)", sourceLocation: place)
  }
}
