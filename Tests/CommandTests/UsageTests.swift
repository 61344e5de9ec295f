import Foundation
import TestSupport
import Testing

@Suite("How commands are called")
struct UsageTests {
  /// The parser's description of itself.
  struct Dump: Decodable {
    struct Command: Decodable {
      struct Argument: Decodable {
        struct Name: Decodable {
          let kind: String
          let name: String
        }
        let kind: String
        let names: [Name]?
        let shouldDisplay: Bool
      }
      let commandName: String
      let superCommands: [String]?
      let arguments: [Argument]?
      let subcommands: [Command]?

      /// Itself and everything below it.
      var all: [Command] { [self] + (subcommands ?? []).flatMap(\.all) }
      var words: [String] { Array((superCommands ?? []).dropFirst()) + [commandName] }
      var options: [String] {
        let named = (arguments ?? []).filter { $0.kind != "positional" && $0.shouldDisplay }
        let names = named.flatMap { $0.names ?? [] }.filter { $0.kind == "long" }.map(\.name)
        return names.filter { !["help", "version", "generate-completion-script"].contains($0) }
      }
    }
    let command: Command
  }

  @Test("every command's help has an example, and a variable for every option")
  func help() async throws {
    try await World.with { world in
      let answer = try await world.run("--experimental-dump-help")
      let dump = try JSONDecoder().decode(Dump.self, from: Data(answer.stdout.utf8))
      let commands = dump.command.all.filter { $0.commandName != "help" && $0.commandName != "coordinator" }
      #expect(commands.count > 30)
      for command in commands {
        let help = try await world.start(command.words + ["--help"]).answer()
        #expect(help.code == 0, "\(help)")
        #expect(help.stderr.isEmpty)
        #expect(help.stdout.contains("EXAMPLE\n"), "\(help)")
        if !command.options.isEmpty { #expect(help.stdout.contains("ENVIRONMENT:\n"), "\(help)") }
        let section = help.stdout.components(separatedBy: "ENVIRONMENT:\n").last ?? ""
        for option in command.options {
          let name = option == "run-id" ? "USE_RUN_ID" : option.uppercased().replacing("-", with: "_")
          #expect(section.contains("EVENTOR_\(name)  --\(option)\n"), "\(option) of \(help)")
        }
      }
      let top = try await world.run("--help")
      #expect(top.stdout.contains("EXAMPLE"))
      let names = """
        run validate graph program submit status runs tasks logs wait trigger cancel pause resume recover rerun mark why \
        diff init example schema db doctor workload
        """
      for name in names.split(separator: " ").map(String.init) {
        #expect(top.stdout.contains("\n  \(name) "), "\(name)")
      }
    }
  }

  @Test("the version, and completion for a shell")
  func versionAndCompletion() async throws {
    try await World.with { world in
      let version = try await world.run("--version")
      #expect(version.code == 0)
      #expect(version.stdout.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil, "\(version)")
      let completion = try await world.run("--generate-completion-script", "bash")
      #expect(completion.code == 0, "\(completion)")
      #expect(completion.stdout.contains("coordinator"))
      try world.write("completion", completion.stdout)
      #expect(!completion.stdout.contains("ENVIRONMENT:"))
    }
  }

  @Test(
    "what is not known is refused as usage",
    arguments: [
      ["nix"], ["run"], ["run", "program.yaml", "--nix"], ["runs", "--limit", "many"], ["db", "nix"],
      ["run", "program.yaml", "--max-concurrent", "0"], ["run", "program.yaml", "--agents", "2"],
      ["run", "program.yaml", "--run-id", "a/b"], ["run", "program.yaml", "--sequence", "1/2"],
      ["run", "program.yaml", "--param", "x"], ["run", "program.yaml", "--param", "=1"],
      ["run", "program.yaml", "--param", "y=1"], ["run", "program.yaml", "--param", "x=word"],
      ["run", "program.yaml", "--param", "x=1", "--param", "x=2"],
      ["run", "program.yaml", "--param", "site=lab3"],
      ["recover", "r", "--here", "--submit"], ["rerun", "r", "--plan"],
      ["mark", "r", "a", "done", "--reason", "x"],
      ["mark", "r", "a", "success"], ["mark", "r", "a", "success", "--reason", ""], ["tasks"],
      ["tasks", "r", "--output", "xml"], ["logs", "r", "--tail", "-1"], ["schema", "nix"],
    ])
  func usage(arguments: [String]) async throws {
    let program = """
      program: p
      parameters: {x: 1, site: {type: string, default: lab1, choices: [lab1, lab2]}}
      steps: {a: {run: ["true"]}}
      """
    try await World.with(program: program) { world in
      let answer = try await world.start(arguments).answer()
      #expect(answer.code == 2, "\(answer)")
      #expect(answer.stdout.isEmpty, "\(answer)")
      let first = try #require(answer.errorLines.first)
      #expect(first.lowercased().hasPrefix("error: "), "\(answer)")
      #expect(answer.errorLines.filter { $0.lowercased().hasPrefix("error") }.count == 1, "\(answer)")
    }
  }

  @Test("an unknown run is not found, whatever is asked of it")
  func unknownRun() async throws {
    try await World.with(program: "program: p\nsteps: {a: {}}\n") { world in
      try await world.run("db", "migrate")
      for command in [
        "status", "tasks", "why", "logs", "wait", "cancel", "pause", "resume", "recover", "rerun", "graph",
      ] {
        for run in ["nix", "latest"] {
          let answer = try await world.run(command, run)
          #expect(answer.code == 3, "\(answer)")
          #expect(answer.errorLines.count == 1, "\(answer)")
        }
      }
    }
  }

  @Test("init writes a configuration once, example prints programs that run, schema explains keys")
  func setUp() async throws {
    try await World.with { world in
      let asked = try await world.run("init")
      #expect(asked.code == 2, "\(asked)")
      let first = try await world.run("init", "--yes")
      #expect(first.code == 0, "\(first)")
      let text = try world.text("eventor.yaml")
      #expect(text.contains("store:"))
      let second = try await world.run("init", "--yes")
      #expect(second.code == 1, "\(second)")
      #expect(try world.text("eventor.yaml") == text)
      let list = try await world.run("example")
      let names = list.lines.dropFirst().compactMap { $0.split(separator: " ").first.map(String.init) }
      #expect(names.count >= 6)
      for name in names {
        let example = try await world.run("example", name)
        try world.write("\(name).yaml", example.stdout)
        let valid = try await world.run("validate", "\(name).yaml")
        #expect(valid.code == 0, "\(valid)")
      }
      #expect(try await world.run("run", "chain.yaml").code == 0)
      #expect(try await world.run("example", "nix").code == 3)
      #expect(try await world.run("schema", "program", "steps.retry.backoff").code == 0)
      #expect(try await world.run("schema", "program", "steps.retri").code == 3)
      for kind in ["program", "config"] {
        let schema = try await world.run("schema", kind)
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(schema.stdout.utf8)) }
      }
    }
  }
}

@Suite("Options are given by the environment, too")
struct EnvironmentNameTests {
  static let program = """
    program: named
    parameters: {x: 1}
    events: {go: {}, later: {}}
    steps:
      a: {on: go, shell: "echo a ${param.x} $EVENTOR_STEP_SEQUENCE >> order; sleep 0.1"}
      b: {on: go, shell: echo b >> order; sleep 0.1}
      c: {on: later}
    associations: [{event: go, to: [later], delay: 4}]
    """

  @Test("variables act as the flags of run")
  func run() async throws {
    try await World.with(program: Self.program) { world in
      let report = try await world.run(
        "run", world.program,
        env: [
          "EVENTOR_MAX_CONCURRENT": "1", "EVENTOR_JSON": "1", "EVENTOR_QUIET": "true", "EVENTOR_PARAM": "x=5",
          "EVENTOR_USE_RUN_ID": "named-run", "EVENTOR_SEQUENCE": "seven", "EVENTOR_MAX_LOOPS": "1",
          "EVENTOR_LOG_DIR": world.path("mylogs"), "EVENTOR_WORK_DIR": world.path("mywork"),
        ])
      #expect(report.code == 8, "\(report)")
      let decoded = try report.decoded(as: Report.self)
      #expect(decoded.run.id == "named-run")
      #expect(decoded.mostAtOnce == 1)
      #expect(world.lines("order") == ["a 5 seven", "b"])
      #expect(decoded["a"]?.log == world.path("mylogs/named-run/a/seven.1.log"))
      #expect(world.exists("mywork"))
      let rest = try await world.run(
        "run", world.program,
        env: ["EVENTOR_CONTINUE": "yes", "EVENTOR_USE_RUN_ID": "named-run", "EVENTOR_EXIT_CODE_FROM": "a"])
      #expect(rest.code == 0, "\(rest)")
    }
  }

  @Test("an argument goes before a variable, and a flag's variable can say no")
  func precedence() async throws {
    try await World.with(program: Self.program) { world in
      let answer = try await world.run(
        "run", world.program, "--run-id", "said", "--max-concurrent=2",
        env: [
          "EVENTOR_USE_RUN_ID": "other", "EVENTOR_MAX_CONCURRENT": "x", "EVENTOR_JSON": "0",
          "EVENTOR_DETACH": "no",
        ])
      #expect(answer.code == 0, "\(answer)")
      #expect(answer.stdout.contains("said"))
      let bad = try await world.run("run", world.program, env: ["EVENTOR_MAX_CONCURRENT": "x"])
      #expect(bad.code == 2, "\(bad)")
      // The variables that steps are given are no options.
      let inner = try await world.run(
        "run", world.program, "--json", env: ["EVENTOR_RUN_ID": "outer", "EVENTOR_STEP_SEQUENCE": "9"])
      #expect(try inner.decoded(as: Report.self).run.id != "outer")
    }
  }

  @Test("variables act as the flags of commands that look")
  func looking() async throws {
    try await World.with(program: Self.program) { world in
      _ = try await world.finish()
      let tasks = try await world.run(
        "tasks", "r",
        env: ["EVENTOR_OUTPUT": "tsv", "EVENTOR_COLUMNS": "step,status", "EVENTOR_NO_HEADER": "1"])
      #expect(Set(tasks.lines) == ["a\tsuccess", "b\tsuccess", "c\tsuccess"], "\(tasks)")
      let runs = try await world.run("runs", env: ["EVENTOR_STATUS": "failure", "EVENTOR_OUTPUT": "jsonl"])
      #expect(runs.stdout.isEmpty, "\(runs)")
      let none = try await world.run("runs", env: ["EVENTOR_LIMIT": "0", "EVENTOR_JSON": "on"])
      #expect(none.stdout.filter { !$0.isWhitespace } == "[]", "\(none)")
      let submitted = try await world.run("submit", world.program, env: ["EVENTOR_USE_RUN_ID": "s"])
      #expect(submitted.stdout == "s\n")
      let wait = try await world.run("wait", "s", env: ["EVENTOR_TIMEOUT": "0.1"])
      #expect(wait.code == 7, "\(wait)")
      let graph = try await world.run("graph", "r", env: ["EVENTOR_FORMAT": "dot"])
      #expect(graph.stdout.contains("digraph"), "\(graph)")
      try world.write("c.yaml", "databases: {mine: \"\(world.store)\"}\n")
      let config = try await world.run("runs", env: ["EVENTOR_CONFIG": "c.yaml", "EVENTOR_STORE": "mine"])
      #expect(config.stdout.contains("named"), "\(config)")
    }
  }
}
