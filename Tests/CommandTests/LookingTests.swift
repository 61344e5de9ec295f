import Foundation
import TestSupport
import Testing

@Suite("Runs are looked at")
struct LookingTests {
  static let program = """
    program: looked-at
    parameters: {x: 1, code: 0}
    events: {a_failed: {}}
    steps:
      a:
        shell: |
          for i in 1 2 3 4 5; do echo "line $i of $EVENTOR_STEP_ATTEMPT"; done
          test $EVENTOR_STEP_ATTEMPT -eq 2
        retry: {attempts: 2, delay: 0}
      b: {after: [a], shell: "printf ${param.x} > $EVENTOR_RESULT_FILE; exit ${param.code}"}
    """

  @Test(
    "logs --follow prints what steps write while they write it, and ends with the run",
    arguments: TestStore.all)
  func followed(kind: TestStore.Kind) async throws {
    let program = """
      program: followed
      steps:
        a: {shell: "echo one; while [ ! -e go ]; do sleep 0.05; done; echo two"}
        b: {after: [a], shell: "echo three"}
      """
    try await World.with(kind, program: program) { world in
      let run = try world.start(["run", world.program, "--run-id", "r", "--quiet"])
      try await world.status { _ in true }
      let follower = try world.start(["logs", "r", "--follow", "--json"])
      // The first line is there before the step can end.
      try await until("the first line") { follower.stdout.contains("one") }
      try world.write("go", "")
      let answer = await follower.answer()
      #expect(answer.code == 0)
      struct Piece: Decodable {
        let step: String
        let text: String
      }
      let pieces = try answer.lines.map { try JSONDecoder().decode(Piece.self, from: Data($0.utf8)) }
      #expect(pieces.filter { $0.step == "a" }.map(\.text).joined() == "one\ntwo\n")
      #expect(pieces.filter { $0.step == "b" }.map(\.text).joined() == "three\n")
      #expect(await run.answer().code == 0)
      #expect(try await world.run("logs", "r", "--follow", "--tail", "3").code == 2)
    }
  }

  @Test("runs are filtered by program, status, age and number", arguments: TestStore.all)
  func runs(kind: TestStore.Kind) async throws {
    struct Listed: Decodable {
      let id: String
      let status: String
    }
    try await World.with(kind, program: Self.program) { world in
      _ = try await world.finish()
      try await world.run("run", world.program, "--run-id", "s", "--param", "code=1", "--quiet")
      let other = try world.write("other.yaml", "program: other\nsteps: {a: {}}\n")
      try await world.run("run", other, "--run-id", "t", "--quiet")
      func ids(_ arguments: String...) async throws -> [String] {
        let answer = try await world.start(["runs", "--output", "jsonl"] + arguments).answer()
        #expect(answer.code == 0, "\(answer)")
        return try answer.lines.map { try JSONDecoder().decode(Listed.self, from: Data($0.utf8)).id }
      }
      #expect(try await ids() == ["t", "s", "r"])
      #expect(try await ids("--program", "looked-at") == ["s", "r"])
      #expect(try await ids("--program", "nix") == [])
      #expect(try await ids("--status", "failure") == ["s"])
      #expect(try await ids("--status", "cancelled") == [])
      #expect(try await ids("--limit", "1") == ["t"])
      #expect(try await ids("--limit", "0") == [])
      #expect(try await ids("--since", "1d", "--status", "success") == ["t", "r"])
      #expect(try await ids("--since", "0") == [])
      for bad in [["--status", "nix"], ["--since", "then"], ["--limit", "x"], ["--limit", "-1"]] {
        let answer = try await world.start(["runs"] + bad).answer()
        #expect(answer.code == 2, "\(answer)")
      }
      let newest = try await world.run("status", "--json").decoded(as: [Listed].self)
      #expect(newest.map(\.id) == ["t", "s", "r"])
      #expect(try await world.run("status").stdout.contains("looked-at"))
    }
  }

  @Test("tasks are listed in every format, with the columns that were asked for")
  func tasks() async throws {
    try await World.with(program: Self.program) { world in
      _ = try await world.finish()
      let columns = ["--columns", "step,sequence,status,attempt"]
      func output(_ arguments: String...) async throws -> String {
        let answer = try await world.start(["tasks", "r"] + columns + arguments).answer()
        #expect(answer.code == 0, "\(answer)")
        return answer.stdout
      }
      // RFC 4180 ends lines with both characters.
      #expect(
        try await output("--output", "csv")
          == "step,sequence,status,attempt\r\na,1,success,2\r\nb,1,success,1\r\n")
      #expect(try await output("--output", "tsv", "--no-header") == "a\t1\tsuccess\t2\nb\t1\tsuccess\t1\n")
      #expect(
        try await output("--output", "jsonl")
          == #"{"step": "a", "sequence": "1", "status": "success", "attempt": 2}"# + "\n"
          + #"{"step": "b", "sequence": "1", "status": "success", "attempt": 1}"# + "\n")
      struct Row: Decodable, Equatable {
        let step: String
        let attempt: Int
      }
      for flag in [["--output", "json"], ["--json"]] {
        let answer = try await world.start(["tasks", "r"] + columns + flag).answer()
        #expect(
          try answer.decoded(as: [Row].self) == [Row(step: "a", attempt: 2), Row(step: "b", attempt: 1)])
      }
      let table = try await output()
      #expect(table.contains("STEP"))
      #expect(try await !output("--no-header").contains("STEP"))
      let all = try await world.run(
        "tasks", "r", "--all-attempts", "--output", "csv", "--columns", "step,attempt")
      #expect(all.lines == ["step,attempt", "a,1", "a,2", "b,1"])
      let unknown = try await world.run("tasks", "r", "--columns", "stp")
      #expect(unknown.code == 2, "\(unknown)")
      #expect(unknown.stderr.contains("step"))
    }
  }

  @Test("status shows every attempt, and follows a run as one document a line")
  func status() async throws {
    let program = """
      program: watched
      steps: {a: {shell: "until [ -e go ]; do sleep 0.05; done"}}
      """
    try await World.with(program: program) { world in
      let call = try world.begin()
      try await world.status(until: { $0["a"]?.status == "running" })
      let watching = try world.start(["status", "r", "--watch", "--json"])
      try await until("the first line is there") { watching.stdout.contains("\n") }
      try world.write("go", "")
      #expect(await call.answer().code == 0)
      let answer = await watching.answer()
      #expect(answer.code == 0, "\(answer)")
      #expect(!answer.stdout.contains("\n\n"), "\(answer)")
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      let reports = try answer.lines.map { try decoder.decode(Report.self, from: Data($0.utf8)) }
      #expect(reports.first?.run.status == "running")
      #expect(reports.last?.run.status == "success")
      #expect(try await world.run("status", "r", "--watch").stdout.contains("success"))
      #expect(try await world.run("status", "--watch").code == 2)
    }
  }

  @Test(
    "logs shows the newest attempt, another, the last lines, and those of a sequence",
    arguments: TestStore.all)
  func logs(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.program) { world in
      _ = try await world.finish()
      #expect(
        try await world.run("logs", "r", "a").stdout == (1...5).map { "line \($0) of 2\n" }.joined())
      #expect(
        try await world.run("logs", "r", "a", "--attempt", "1", "--tail", "1").stdout == "line 5 of 1\n")
      #expect(try await world.run("logs", "r", "a", "--tail", "2").lines == ["line 4 of 2", "line 5 of 2"])
      #expect(
        try await world.run("logs", "r", "a", "--sequence", "1", "--tail", "1").stdout == "line 5 of 2\n")
      #expect(try await world.run("logs", "r", "a", "--sequence", "2").code == 3)
      #expect(try await world.run("logs", "r", "a", "--attempt", "9").code == 3)
      let near = try await world.run("logs", "r", "aa")
      #expect(near.code == 3)
      #expect(near.stderr.contains("did you mean 'a'?"), "\(near)")
      let all = try await world.run("logs", "r")
      #expect(all.stdout.contains("line 5 of 2"))
      struct Logs: Decodable {
        struct Log: Decodable {
          let step: String
          let attempt: Int
          let text: String
        }
        let run: String
        let logs: [Log]
      }
      let json = try await world.run("logs", "r", "a", "--json").decoded(as: Logs.self)
      #expect(json.logs.map(\.attempt) == [2])
      #expect(json.logs.first?.text.hasSuffix("line 5 of 2\n") == true)
    }
  }

  @Test("a long output is shown whole from its file, and its end from the store where the file is gone")
  func longLogs() async throws {
    let program = """
      program: long
      steps: {a: {shell: "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"}}
      """
    try await World.with(program: program) { world in
      let report = try await world.finish()
      let whole = try await world.run("logs", "r", "a")
      #expect(whole.lines.first == "line 0")
      #expect(whole.lines.count == 20000)
      let log = try #require(report["a"]?.log)
      #expect(log.hasSuffix("/r/a/1.1.log"), "\(log)")
      try FileManager.default.removeItem(atPath: log)
      let kept = try await world.run("logs", "r", "a")
      #expect(kept.lines.last == "line 19999")
      #expect(kept.stdout.utf8.count <= 64 << 10)
    }
  }

  @Test("diff says where two runs part", arguments: TestStore.all)
  func diff(kind: TestStore.Kind) async throws {
    struct Differences: Decodable {
      struct Difference: Decodable {
        let what: String
        let left: String
        let right: String
      }
      let left: String
      let right: String
      let differences: [Difference]
    }
    try await World.with(kind, program: Self.program) { world in
      _ = try await world.finish()
      try await world.run("run", world.program, "--run-id", "same", "--quiet")
      let other = ["--param", "x=2", "--param", "code=3"]
      _ = try await world.start(["run", world.program, "--run-id", "s", "--quiet"] + other).answer()
      let none = try await world.run("diff", "r", "same")
      #expect(none.stdout == "the runs do not differ\n", "\(none)")
      let found = try await world.run("diff", "r", "s", "--json").decoded(as: Differences.self)
      let texts = found.differences.map { "\($0.what): \($0.left) → \($0.right)" }
      #expect(texts.contains("parameter x: 1 → 2"))
      #expect(texts.contains("b/1 status: success → failure"))
      #expect(texts.contains("b/1 exit code: 0 → 3"))
      #expect(texts.contains("b/1 result: 1 → 2"))
      #expect(texts.last == "status: success → failure")
      #expect(try await world.run("diff", "r", "s").stdout.contains("exit code"))
      #expect(try await world.run("diff", "r", "nix").code == 3)
    }
  }

  @Test("graph draws a program, and a run with its statuses", arguments: ["text", "dot", "mermaid", "svg"])
  func graph(format: String) async throws {
    try await World.with(program: Self.program) { world in
      _ = try await world.finish("--param", "code=1", exit: 1)
      let program = try await world.run("graph", world.program, "--format", format)
      #expect(program.code == 0, "\(program)")
      let run = try await world.run("graph", "r", "--format", format)
      #expect(run.code == 0, "\(run)")
      for answer in [program, run] { #expect(answer.stdout.contains("b")) }
      #expect(program.stdout != run.stdout)
      #expect(try await world.run("graph", "r", "--format", "png").code == 2)
      #expect(try await world.run("graph", "nix").code == 3)
    }
  }

  @Test("a run is named by the beginning of its id, if that fits one", arguments: TestStore.all)
  func prefixes(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: "program: p\nsteps: {a: {}}\n") { world in
      for id in ["Abc1", "Abc_2", "b.1", "abd"] {
        #expect(try await world.run("run", world.program, "--run-id", id, "--quiet").code == 0)
      }
      #expect(try await world.report("status", "Abc1").run.id == "Abc1")
      #expect(try await world.report("status", "Abc_").run.id == "Abc_2")
      #expect(try await world.report("status", "b").run.id == "b.1")
      #expect(try await world.report("status", "ab").run.id == "abd")
      #expect(try await world.report("status", "latest").run.id == "abd")
      let several = try await world.run("status", "Abc")
      #expect(several.code == 2, "\(several)")
      #expect(several.stderr.contains("several"), "\(several)")
      #expect(several.errorLines.count == 1)
      #expect(try await world.run("status", "nix").code == 3)
      #expect(try await world.run("status", "").code == 3)
      let taken = try await world.run("run", world.program, "--run-id", "abd")
      #expect(taken.code == 1, "\(taken)")
      #expect(taken.errorLines.count == 1, "\(taken)")
    }
  }
}
