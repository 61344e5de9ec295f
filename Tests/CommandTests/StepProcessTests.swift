import Foundation
import Glibc
import TestSupport
import Testing

@Suite("How a step's process is started, limited and tried again")
struct StepProcessTests {
  @Test("a step that can't start is a failure that says why")
  func notStarted() async throws {
    let program = """
      program: broken
      config: {stop_on_failure: false}
      steps:
        missing: {run: [/no/such/file]}
        plain: {run: [./plain]}
        unknown: {run: [no-such-command]}
        user: {run: ["true"], user: no-such-user}
        directory: {run: ["true"], cwd: /no/such/directory}
      """
    try await World.with(program: program) { world in
      try world.write("plain", "#!/bin/sh\n")
      let report = try await world.finish(exit: 1)
      let says = [
        "missing": ["'/no/such/file'", "no such file"], "plain": ["not executable"],
        "unknown": ["'no-such-command'", "PATH"], "user": ["there is no user 'no-such-user'"],
        "directory": ["'/no/such/directory'", "no such file or directory"],
      ]
      for (step, texts) in says {
        let task = try #require(report[step])
        #expect(task.status == "failure")
        #expect(task.exitCode == nil && task.signal == nil)
        for text in texts { #expect(task.message?.contains(text) == true, "\(step): \(task.message ?? "")") }
      }
      try await world.expectConsistency()
    }
  }

  @Test("a step runs in its directory")
  func directory() async throws {
    let program = """
      program: places
      groups: {g: {hosts: [here], cwd: /, env: {FROM: group, OVER: group}}}
      steps:
        own: {cwd: "${param.where}", run: [pwd]}
        groups: {group: g, shell: echo $PWD $FROM $OVER}
        over: {group: g, cwd: /tmp, env: {OVER: step}, shell: echo $PWD $FROM $OVER}
        none: {run: [pwd]}
      parameters: {where: {type: string, default: /usr}}
      """
    try await World.with(program: program) { world in
      _ = try await world.finish()
      #expect(try await world.run("logs", "r", "own").stdout == "/usr\n")
      #expect(try await world.run("logs", "r", "groups").stdout == "/ group group\n")
      #expect(try await world.run("logs", "r", "over").stdout == "/tmp group step\n")
      #expect(try await world.run("logs", "r", "none").stdout == world.directory + "\n")
    }
  }

  @Test("a step runs as its user, if we may, and hands back a result")
  func user() async throws {
    let program = """
      program: somebody
      steps:
        s: {user: nobody, cwd: /, shell: "echo $(id -un) $USER; echo 7 > $EVENTOR_RESULT_FILE"}
      """
    try await World.with(program: program) { world in
      // Where the agent keeps its files must be reachable for the user.
      let isRoot = getuid() == 0
      let report = try await world.finish(exit: isRoot ? 0 : 1)
      if isRoot {
        #expect(report["s"]?.result == .integer(7))
        #expect(try await world.run("logs", "r", "s").stdout == "nobody nobody\n")
      } else {
        #expect(report["s"]?.message?.contains("root") == true)
      }
    }
  }

  @Test("a timeout ends the step and its children, first politely")
  func timeout() async throws {
    let program = """
      program: slow
      config: {stop_on_failure: false}
      steps:
        polite: {timeout: 0.3, shell: "trap 'echo cleaned > cleaned; exit 0' TERM; while :; do sleep 0.05; done"}
        stubborn:
          timeout: 0.3
          kill_after: 0.3
          shell: "trap '' TERM; sh -c 'while :; do sleep 0.05; done' & while :; do sleep 0.05; done"
        quick: {timeout: 1h, run: ["true"]}
      """
    try await World.with(program: program) { world in
      let report = try await world.finish(exit: 1)
      #expect(world.exists("cleaned"))
      for name in ["polite", "stubborn"] {
        #expect(report[name]?.status == "failure")
        #expect(
          report[name]?.message == "exceeded its timeout of 300ms"
            || report[name]?.message == "exceeded its timeout of 0.3s", "\(report[name]?.message ?? "")")
      }
      #expect(report["stubborn"]?.signal == "SIGKILL")
      #expect(report["quick"]?.status == "success")
      try await until("nothing is left") { Leftovers(mark: world.mark).pids.isEmpty }
    }
  }

  @Test("a step is tried again for the exits it names, and every attempt is listed", arguments: TestStore.all)
  func retry(kind: TestStore.Kind) async throws {
    let program = """
      program: retried
      config: {stop_on_failure: false}
      steps:
        temporary: {shell: exit 75, retry: {attempts: 3, delay: 0.01, on_exit: [75]}}
        other: {shell: exit 3, retry: {attempts: 3, delay: 0.01, on_exit: [75, signal]}}
        signalled: {shell: kill -9 $$, retry: {attempts: 2, delay: 0.01, on_exit: [signal]}}
        never: {shell: exit 2, retry: {attempts: 3, delay: 0.01, not_on_exit: [2]}}
        always: {shell: "test $EVENTOR_STEP_ATTEMPT -eq 3", retry: {attempts: 5, delay: 0.01, backoff: 2.0}}
        late: {timeout: 0.1, run: [sleep, "60"], retry: {attempts: 2, delay: 0}}
      """
    try await World.with(kind, program: program) { world in
      let report = try await world.finish(exit: 1)
      let attempts = Dictionary(uniqueKeysWithValues: report.tasks.map { ($0.step, $0.attempt) })
      #expect(
        attempts == ["temporary": 3, "other": 1, "signalled": 2, "never": 1, "always": 3, "late": 2])
      #expect(report["signalled"]?.signal == "SIGKILL")
      #expect(report["always"]?.status == "success")
      let all = try await world.report("status", "r", "--all-attempts")
      let listed = all.tasks.filter { $0.step == "temporary" }
      #expect(listed.map(\.attempt) == [1, 2, 3])
      #expect(listed.map(\.status) == ["failure", "failure", "failure"])
      #expect(listed.map(\.exitCode) == [75, 75, 75])
      #expect(Set(listed.map(\.log)).count == 3)
      #expect(all.tasks.filter { $0.step == "always" }.map(\.status) == ["failure", "failure", "success"])
      try await world.expectConsistency()
    }
  }

  @Test(
    "a false precondition skips the step, as a success with triggers of its own", arguments: TestStore.all)
  func precondition(kind: TestStore.Kind) async throws {
    let program = """
      program: conditional
      events: {was_skipped: {}, was_done: {}, over: {}, no: {}}
      steps:
        s:
          precondition: [test, -e, /no/such/file]
          shell: echo s >> order
          triggers: {skipped: [was_skipped], success: [was_done], complete: [over], failure: [no]}
        t: {precondition: [test, -e, /], shell: echo t >> order}
        u: {after: [s], shell: echo u >> order}
        v: {on: was_skipped, shell: echo v >> order}
        w: {precondition: [/no/such/program], shell: echo w >> order}
      """
    try await World.with(kind, program: program) { world in
      let report = try await world.finish(exit: 1)
      let task = try #require(report["s"])
      #expect(task.status == "success" && task.skipped)
      #expect(task.message == "its precondition ended with exit code 1")
      #expect(report.raised == ["over/1", "was_done/1", "was_skipped/1"])
      #expect(Set(world.lines("order")).isSubset(of: ["t", "u", "v"]))
      #expect(report["t"]?.skipped == false)
      #expect(report["w"]?.status == "failure")
      #expect(report["w"]?.message?.contains("/no/such/program") == true)
    }
  }

  @Test("output goes to the log, both streams in their order, whatever bytes it has")
  func output() async throws {
    let program = #"""
      program: noisy
      steps:
        s: {shell: "echo out; echo err >&2; printf 'no newline \\033[31m\\377'"}
        quiet: {run: ["true"]}
      """#
    try await World.with(program: program) { world in
      let report = try await world.finish()
      let log = try #require(report["s"]?.log)
      #expect(log == world.path("home/.local/state/eventor/logs/r/s/1.1.log"))
      let bytes = try #require(FileManager.default.contents(atPath: log))
      #expect(bytes.starts(with: Data("out\nerr\nno newline \u{1b}[31m".utf8)))
      #expect(try await world.run("logs", "r", "s").stdout.hasPrefix("out\nerr\nno newline"))
      #expect(try await world.run("logs", "r", "quiet").stdout == "")
      let elsewhere = try await world.report(
        "run", world.program, "--log-dir", "logs", "--work-dir", "work", "--run-id", "s", exit: 0)
      #expect(elsewhere["s"]?.log == world.path("logs/s/s/1.1.log"))
    }
  }
}
