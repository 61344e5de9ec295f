import Foundation
import Glibc
import TestSupport
import Testing

@Suite("How a run is left, interrupted and told")
struct RunEndTests {
  static let holding = """
    program: holding
    steps:
      a: {shell: "echo > started; until [ -e go ]; do sleep 0.02; done; echo a >> order"}
      b: {after: [a], shell: echo b >> order}
    """

  /// As a terminal does on Ctrl-C: to every process of the job.
  private func interrupt(_ call: Call, _ signal: Int32 = SIGINT) { kill(-call.pid, signal) }

  @Test("one Ctrl-C or SIGTERM lets running steps finish; --continue goes on", arguments: [SIGINT, SIGTERM])
  func once(signal: Int32) async throws {
    try await World.with(program: Self.holding) { world in
      let call = try world.begin("--json")
      try await world.file("started")
      interrupt(call, signal)
      try await until("it says what it does") { call.stderr.contains("finishing what runs") }
      try world.write("go", "")
      let answer = await call.answer()
      #expect(answer.code == 8, "\(answer)")
      let report = try answer.decoded(as: Report.self)
      #expect(report.run.status == "running")
      #expect(report.statuses == ["a/1": "success", "b/1": "ready"])
      #expect(world.lines("order") == ["a"])
      let why = try await world.run("why", "r", "--json").decoded(as: Reasons.self)
      #expect(why.codes == ["b": "no_driver"])
      #expect(try await world.run("why", "r").stdout.contains("--continue"))
      let rest = try await world.report("run", world.program, "--continue", "--run-id", "r", exit: 0)
      #expect(rest.run.status == "success")
      #expect(world.lines("order") == ["a", "b"])
    }
  }

  @Test("a second Ctrl-C cancels the run", arguments: TestStore.all)
  func twice(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.holding) { world in
      let call = try world.begin("--json")
      try await world.file("started")
      interrupt(call)
      try await until("it says what it does") { call.stderr.contains("finishing what runs") }
      interrupt(call)
      let answer = await call.answer()
      #expect(answer.code == 6, "\(answer)")
      #expect(answer.stderr.contains("cancelling"))
      let report = try answer.decoded(as: Report.self)
      #expect(report.run.status == "cancelled")
      #expect(report.statuses == ["a/1": "cancelled"])
      try await until("nothing is left") { Leftovers(mark: world.mark).pids.isEmpty }
      let recovered = try world.write("go", "")
      #expect(!recovered.isEmpty)
      #expect(try await world.report("recover", "r", exit: 0).run.status == "success")
    }
  }

  @Test("Ctrl-C while the last step runs leaves a run that is over")
  func lastStep() async throws {
    try await World.with(program: "program: p\nsteps: {a: {shell: \"touch started; sleep 0.3\"}}\n") {
      world in
      let call = try world.begin()
      try await world.file("started")
      interrupt(call)
      let answer = await call.answer()
      #expect(answer.code == 0, "\(answer)")
    }
  }

  @Test(
    "the recap names each failed step with its last ten lines, and a command that goes on",
    arguments: TestStore.all)
  func recap(kind: TestStore.Kind) async throws {
    let program = """
      program: told
      config: {stop_on_failure: false}
      steps:
        a: {shell: "i=1; while [ $i -le 15 ]; do echo line $i; i=$((i+1)); done; test -e mended || exit 3"}
        b: {shell: "test -e mended || kill -KILL $$"}
        c: {run: ["true"]}
      """
    try await World.with(kind, program: program) { world in
      let answer = try await world.run("run", world.program, "--run-id", "r")
      #expect(answer.code == 1)
      #expect(answer.stdout.contains("told r: failure"))
      #expect(answer.stdout.contains("1 success"))
      #expect(answer.stdout.contains("2 failure"))
      #expect(answer.stdout.contains("a/1 on "))
      #expect(answer.stdout.contains("exit 3"))
      #expect(answer.stdout.contains("SIGKILL"))
      #expect(!answer.stdout.contains("line 5\n"))
      for line in 6...15 { #expect(answer.stdout.contains("line \(line)\n")) }
      #expect(!answer.stdout.contains("\u{1b}"))
      if let password = world.url.password { #expect(!answer.description.contains(password)) }
      let ready = try #require(answer.lines.last { $0.contains("coordinator recover") })
      let words =
        ready.components(separatedBy: "coordinator ").last?.split(separator: " ").map(String.init) ?? []
      #expect(words.starts(with: ["recover", "r", "--store"]))
      if kind == .sqlite {
        try world.write("mended", "")
        let again = try await world.start(words, store: "sqlite:elsewhere.db").answer()
        #expect(again.code == 0, "\(again)")
      }
    }
  }

  @Test("--exit-code-from hands on a step's code, and knows the steps")
  func exitCode() async throws {
    let program = """
      program: codes
      events: {handled: {}}
      steps: {a: {shell: exit 42, triggers: {failure: [handled]}}, b: {run: ["true"]}}
      """
    try await World.with(program: program) { world in
      #expect(try await world.run("run", world.program, "--exit-code-from", "a").code == 42)
      #expect(try await world.run("run", world.program, "--exit-code-from", "b").code == 0)
      let unknown = try await world.run("run", world.program, "--exit-code-from", "aa")
      #expect(unknown.code == 2, "\(unknown)")
      #expect(unknown.stderr.contains("did you mean 'a'?"))
    }
  }

  @Test("--json leaves one document on standard output, --quiet nothing on standard error")
  func channels() async throws {
    let program = "program: p\nsteps: {a: {shell: echo noise; echo more >&2}}\n"
    try await World.with(program: program) { world in
      let json = try await world.run("run", world.program, "--json", "--run-id", "r")
      #expect(try json.decoded(as: Report.self).run.status == "success")
      #expect(json.stderr.contains("a/1"))
      #expect(json.stderr.contains("1 success"))
      let quiet = try await world.run("run", world.program, "--quiet")
      #expect(quiet.stderr.isEmpty, "\(quiet)")
      #expect(quiet.stdout.contains("1 success"))
      let plain = try await world.run("run", world.program)
      #expect(plain.stderr.contains("started"))
      #expect(!plain.stderr.contains("\u{1b}"))
      let logged = try await world.run("run", world.program, "--log-level", "debug", "--run-id", "s")
      let start = try #require(logged.errorLines.first { $0.contains("step started") })
      for field in ["run=s", "step=a", "sequence=1", "host="] { #expect(start.contains(field), "\(start)") }
      #expect(logged.errorLines.contains { $0.contains("step ended") && $0.contains("status=success") })
      #expect(try await world.run("run", world.program, "--log-level", "loud").code == 2)
    }
  }

  @Test("--detach prints the id and leaves the run to a process of its own", arguments: TestStore.all)
  func detach(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.holding) { world in
      let answer = try await world.run("run", world.program, "--detach", "--run-id", "r")
      #expect(answer.code == 0, "\(answer)")
      #expect(answer.stdout == "r\n")
      try await world.file("started")
      if let password = world.url.password {
        for pid in Leftovers(mark: world.mark).pids {
          let words = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
          #expect(words.range(of: Data(password.utf8)) == nil)
        }
      }
      try world.write("go", "")
      let wait = try await world.run("wait", "r", "--json")
      #expect(wait.code == 0, "\(wait)")
      #expect(world.lines("order") == ["a", "b"])
      try await until("nothing is left") { Leftovers(mark: world.mark).pids.isEmpty }
      try await world.expectConsistency()
    }
  }

  @Test("without a store a run is kept beside its program, and the recap says how to reach it")
  func defaultStore() async throws {
    try await World.with(program: "program: p\nsteps: {a: {run: [\"false\"]}}\n") { world in
      let answer = try await world.run("run", "program.yaml", env: ["EVENTOR_STORE": ""])
      #expect(answer.code == 1)
      #expect(world.exists("program.eventor.db"))
      #expect(answer.stdout.contains("--store sqlite:\(world.path("program.eventor.db"))"), "\(answer)")
      let none = try await world.run("status", env: ["EVENTOR_STORE": ""])
      #expect(none.code == 4, "\(none)")
      #expect(none.errorLines.count == 1)
      #expect(!world.exists("home/.local/state/eventor/eventor.db"))
    }
  }

  @Test("a store in memory serves one run")
  func memory() async throws {
    let program = "program: p\nsteps: {a: {run: [\"true\"]}, b: {after: [a], run: [\"true\"]}}\n"
    try await World.with(program: program) { world in
      let answer = try await world.run("run", world.program, "--json", store: "sqlite::memory:")
      #expect(answer.code == 0, "\(answer)")
      #expect(try answer.decoded(as: Report.self).run.status == "success")
    }
  }
}
