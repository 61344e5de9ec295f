import Foundation
import Model
import TestSupport
import Testing

@Suite("What a step is given")
struct StepEnvironmentTests {
  /// The variables that a step wrote with `env -0`.
  private func variables(_ name: String, in world: World) throws -> [String: String] {
    let entries = try world.text(name).split(separator: "\0")
    return Dictionary(
      entries.map { entry in
        let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return (String(parts[0]), String(parts[1]))
      }, uniquingKeysWith: { $1 })
  }

  @Test("the variables that tell a step who it is are those of the contract", arguments: ["EVENTOR_", "MY_"])
  func whoItIs(prefix: String) async throws {
    let program = """
      program: env
      config: {env_prefix: \(prefix)}
      events: {item: {}}
      steps:
        s:
          env: {OWN: "own ${param.x}", HOME: /elsewhere}
          shell: env -0 > plain
        inner: {on: item, shell: env -0 > inner}
      loops: {l: {over: [[1, "two"]], start: [item]}}
      parameters: {x: 9}
      """
    try await World.with(program: program) { world in
      let report = try await world.finish(env: ["INHERITED": "yes"])
      let given = try variables("plain", in: world)
      let ours = given.filter { $0.key.hasPrefix(prefix) && $0.key != "EVENTOR_TASK_MARK" }
      let (result, triggers) = (ours["\(prefix)RESULT_FILE"] ?? "", ours["\(prefix)TRIGGER_FILE"] ?? "")
      #expect(
        ours == [
          "\(prefix)STEP_NAME": "s", "\(prefix)STEP_SEQUENCE": "1", "\(prefix)STEP_RECOVERY": "0",
          "\(prefix)STEP_ATTEMPT": "1", "\(prefix)STEP_HOST": report["s"]?.host ?? "", "\(prefix)RUN_ID": "r",
          "\(prefix)PROGRAM_NAME": "env", "\(prefix)LOGGER_NAME": "env.s", "\(prefix)RESULT_FILE": result,
          "\(prefix)TRIGGER_FILE": triggers,
        ])
      #expect(result.hasPrefix("/") && triggers.hasPrefix("/") && result != triggers)
      #expect(given["OWN"] == "own 9")
      #expect(given["HOME"] == "/elsewhere")
      #expect(given["INHERITED"] == "yes")
      let inner = try variables("inner", in: world)
      #expect(inner["\(prefix)LOOP_ITEM"] == #"[1,"two"]"#)
      #expect(inner["\(prefix)LOOP_INDEX"] == "1")
      #expect(inner["\(prefix)STEP_SEQUENCE"] == "1/1")
      #expect(Set(inner.keys).subtracting(given.keys) == ["\(prefix)LOOP_ITEM", "\(prefix)LOOP_INDEX"])
      // What the files held is in the store; they are gone.
      try await until("the files are removed") { !FileManager.default.fileExists(atPath: result) }
      #expect(!FileManager.default.fileExists(atPath: triggers))
    }
  }

  @Test("no credential of the store reaches a step", arguments: TestStore.all)
  func noCredentials(kind: TestStore.Kind) async throws {
    let program = """
      program: quiet
      steps:
        s: {shell: env -0 > seen; env}
        argv: {shell: tr '\\0' ' ' < /proc/$PPID/cmdline > parent}
      """
    try await World.with(kind, program: program) { world in
      let password = world.url.password ?? "no-password"
      let hidden = [
        "PGPASSWORD": "pg-secret", "MYSQL_PWD": "my-secret", "PGPASSFILE": "/x/pgpass",
        "EVENTOR_PARAM_TOKEN": "t-secret", "SOMETHING": "before \(password) after",
      ]
      let report = try await world.finish(env: hidden)
      #expect(report.run.status == "success")
      let given = try variables("seen", in: world)
      for name in ["PGPASSWORD", "MYSQL_PWD", "PGPASSFILE", "EVENTOR_STORE", "EVENTOR_PARAM_TOKEN"] {
        #expect(given[name] == nil)
      }
      let all = try world.text("seen") + world.text("parent")
      for text in ["pg-secret", "my-secret", "t-secret", world.store] { #expect(!all.contains(text)) }
      if kind != .sqlite {
        #expect(given["SOMETHING"] == nil)
        #expect(!all.contains(password))
        #expect(try await !world.run("logs", "r").stdout.contains(password))
      }
    }
  }

  @Test("references are filled in; what is the shell's is left to it")
  func templates() async throws {
    let program = """
      program: templates
      parameters: {x: 1, name: {type: string, default: "a b"}, list: {type: list, default: [1, two]}}
      steps:
        s: {shell: "echo '{\\"a\\": [\\"first\\", {\\"deep\\": true}], \\"n\\": null}' > $EVENTOR_RESULT_FILE"}
        t:
          after: [s]
          env: {VAR: shell's}
          cwd: ${param.where}
          shell: |
            echo "${param.x}|${steps.s.result.a.0}|${steps.s.result.a.1.deep}|"'${steps.s.result.a.1}'
            echo "${VAR}|${UNSET:-unset}|$VAR|${#VAR}"
            printf '%s\\n' '$${x}' '${param.list}' '<${steps.s.result.n}>'
        argv: {after: [t], run: [printf, "%s|%s\\n", "${param.name}", "${VAR}"]}
      """ + "\n"
    let whole = program.replacing("parameters: {", with: "parameters: {where: {type: string, default: /}, ")
    try await World.with(program: whole) { world in
      let report = try await world.finish("--param", "x=-9", "--param", "where=/tmp")
      #expect(report.run.parameters["x"] == .integer(-9))
      #expect(
        try await world.run("logs", "r", "t").lines == [
          "-9|first|true|{\"deep\":true}", "shell's|unset|shell's|7", "${x}", "[1,\"two\"]", "<>",
        ])
      #expect(try await world.run("logs", "r", "argv").stdout == "a b|${VAR}\n")
    }
  }

  @Test("a reference without a value is a failure that names it")
  func missingValues() async throws {
    let program = """
      program: missing
      steps:
        s: {shell: "echo '[1]' > $EVENTOR_RESULT_FILE"}
        t: {after: [s], run: [echo, "${steps.s.result.3}"]}
      """
    try await World.with(program: program) { world in
      let report = try await world.finish(exit: 1)
      #expect(report["t"]?.status == "failure")
      #expect(report["t"]?.message?.contains("${steps.s.result.3} has no value") == true)
    }
  }

  @Test("a step gets no descriptor of ours, its own session, and nothing to read")
  func cleanProcess() async throws {
    let program = """
      program: clean
      steps:
        s:
          shell: |
            ls -l /proc/self/fd | wc -l > descriptors
            cut -d' ' -f5,6 /proc/$$/stat > session; echo $$ >> session
            cat | wc -c > input
            grep SigIgn /proc/self/status > ignored
      """
    try await World.with(program: program) { world in
      _ = try await world.finish()
      // A line "total", 0, 1, 2 and the directory that ls itself has open.
      #expect(world.lines("descriptors").first?.trimmingCharacters(in: .whitespaces) == "5")
      let session = world.lines("session")
      #expect(session.count == 2)
      #expect(session.first == "\(session.last ?? "") \(session.last ?? "")")
      #expect(world.lines("input").first?.trimmingCharacters(in: .whitespaces) == "0")
      #expect(world.lines("ignored").first?.hasSuffix("0000000000000000") == true)
    }
  }
}

@Suite("What a step hands back")
struct StepResultTests {
  /// Runs one step with this script, and gives its task.
  private func task(_ script: String, exit: Int32 = 0) async throws -> (Report.Task, Report) {
    let body = script.split(separator: "\n").map { "      \($0)" }.joined(separator: "\n")
    let program = """
      program: result
      events: {letter: {external: true}}
      steps:
        s:
          shell: |
      \(body)
        l: {on: letter}
      """
    var found: (Report.Task, Report)?
    try await World.with(program: program) { world in
      let report = try await world.finish(exit: exit)
      found = (try #require(report["s"]), report)
    }
    return try #require(found)
  }

  @Test(
    "JSON is JSON, and everything else is text",
    arguments: [
      (#"echo '{"a": [1, 2.5, null, "x"]}'"#, #"{"a":[1,2.5,null,"x"]}"#), ("echo 12", "12"),
      ("echo true", "true"),
      ("echo hello there", #""hello there""#), ("printf 'two\\nlines\\n\\n'", #""two\nlines\n""#),
      ("echo '{broken'", #""{broken""#), ("printf ''", "null"), ("printf 'ü€'", #""ü€""#),
    ])
  func forms(script: String, result: String) async throws {
    let (task, _) = try await task("\(script) > $EVENTOR_RESULT_FILE")
    #expect((task.result ?? .null).json == result)
  }

  @Test("a result of 1 MiB is kept, a larger one is a failure")
  func size() async throws {
    let (full, _) = try await task("head -c 1048576 /dev/zero | tr '\\0' x > $EVENTOR_RESULT_FILE")
    #expect(full.result?.plainText.utf8.count == 1 << 20)
    let (more, _) = try await task(
      "head -c 1048577 /dev/zero | tr '\\0' x > $EVENTOR_RESULT_FILE", exit: 1)
    #expect(more.status == "failure")
    #expect(more.message == "its result file is larger than 1 MiB")
    #expect(more.result == nil)
  }

  @Test("a binary result is a failure that says so", arguments: ["\\377\\376", "a\\000b"])
  func binary(bytes: String) async throws {
    let (task, _) = try await task("printf '\(bytes)' > $EVENTOR_RESULT_FILE", exit: 1)
    #expect(task.status == "failure")
    #expect(task.exitCode == 0)
    #expect(task.message == "its result file holds bytes that are no UTF-8 text")
  }

  @Test("the result of a failed step is kept, and a result file that was removed is none")
  func ofFailures() async throws {
    let (failed, _) = try await task("echo 3 > $EVENTOR_RESULT_FILE\nexit 4", exit: 1)
    #expect(failed.result == .integer(3))
    #expect(failed.exitCode == 4)
    let (removed, report) = try await task(
      """
      echo 3 > $EVENTOR_RESULT_FILE
      echo letter > $EVENTOR_TRIGGER_FILE
      rm $EVENTOR_RESULT_FILE $EVENTOR_TRIGGER_FILE
      """)
    #expect(removed.result == nil && report["l"] == nil)
  }

  @Test("an unknown event in the trigger file is a failure that names the nearest, and raises nothing")
  func unknownEvent() async throws {
    let (task, report) = try await task("printf 'letter\\nlettre\\n' > $EVENTOR_TRIGGER_FILE", exit: 1)
    #expect(task.status == "failure")
    #expect(task.exitCode == 0)
    #expect(task.message?.contains("'lettre'") == true)
    #expect(task.message?.contains("did you mean 'letter'?") == true)
    #expect(report.raised.isEmpty)
    #expect(report["l"] == nil)
  }

  @Test(
    "a line of the trigger file that is no event and sequence is a failure",
    arguments: ["letter 1 2", "letter a/b*"])
  func badLines(line: String) async throws {
    let (task, report) = try await task("echo '\(line)' > $EVENTOR_TRIGGER_FILE", exit: 1)
    #expect(task.message?.contains("is not EVENT [SEQUENCE]") == true)
    #expect(report.raised.isEmpty)
  }

  @Test("a failing step's trigger file handles its failure")
  func handled() async throws {
    let (task, report) = try await task("echo letter > $EVENTOR_TRIGGER_FILE\nexit 9")
    #expect(task.status == "failure")
    #expect(report.run.status == "success")
    #expect(report["l"]?.status == "success")
  }
}
