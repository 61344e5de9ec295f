import ArgumentParser
import CommandSupport
import Coordinator
import Documents
import Engine
import Model
import Storage

/// `PROGRAM validate`.
struct ProgramValidateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validate", abstract: "Checks the program, and names every mistake.")

  @Flag(help: "Print one JSON document.")
  var json = false

  func run() throws {
    let program = ProgramCommand.program
    let problems = program.problems()
    let isSound = problems.allSatisfy { $0.severity == .warning }
    let version = ProgramCoding.version(of: try ProgramCoding.canonicalJSON(program.content))
    if json {
      let found = problems.map { problem in
        JSONObject([
          ("severity", problem.severity.rawValue), ("path", problem.path), ("message", problem.message),
        ])
      }
      Say.out(
        JSONObject([
          ("program", program.name), ("ok", isSound), ("version", version), ("problems", found),
        ]).document)
    } else {
      for problem in problems {
        Say.aside("\(problem.severity.rawValue): \(problem.path): \(problem.message)\n")
      }
      if isSound { Say.line("ok, program \(program.name) \(version)") }
    }
    if !isSound { throw ExitCode(ExitStatus.usage.rawValue) }
  }
}

/// `PROGRAM graph`.
struct ProgramGraphCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "graph", abstract: "Draws the program, or a run of it coloured by status.")

  @Argument(help: "A run: its id, the beginning of it, or 'latest'.")
  var run: String?

  @Option(help: "text, dot, mermaid or svg.")
  var format = "text"

  @OptionGroup var storeOptions: StoreOptions

  func validate() throws {
    if ProgramGraph.Format(rawValue: format) == nil {
      throw ValidationError("--format \(format): use text, dot, mermaid or svg")
    }
  }

  func run() async throws {
    let format = ProgramGraph.Format(rawValue: format) ?? .text
    guard let run else {
      let graph = ProgramGraph(plan: Plan(ProgramCommand.program.content))
      return Say.out(graph.rendered(as: format, on: Say.outProfile))
    }
    let open = try await storeOptions.open(fallback: ProgramCommand.ownStore)
    let id = try await open.store.runID(matching: run)
    let report = try await open.store.report(on: id, recovery: nil, allAttempts: false)
    let graph = ProgramGraph(plan: Plan(try await open.store.program(of: id)), report: report)
    Say.out(graph.rendered(as: format, on: Say.outProfile))
  }
}

/// `PROGRAM status`.
struct ProgramStatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Shows a run with its tasks and loops.")

  @Argument(help: "The run: its id, the beginning of it, or 'latest'.")
  var run = "latest"

  @Flag(help: "Every attempt of each task, not only the newest.")
  var allAttempts = false

  @Flag(help: "Print one JSON document.")
  var json = false

  @OptionGroup var storeOptions: StoreOptions

  func run() async throws {
    let open = try await storeOptions.open(fallback: ProgramCommand.ownStore)
    let id = try await open.store.runID(matching: run)
    let report = try await open.store.report(on: id, recovery: nil, allAttempts: allAttempts)
    Say.out(json ? RunJSON.document(report) : StatusView.text(report, now: Say.now, on: Say.outProfile))
  }
}
