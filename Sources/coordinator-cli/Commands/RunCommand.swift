import Agent
import ArgumentParser
import CommandSupport
import Coordinator
import Documents
import Engine
import Foundation
import Model
import Storage

/// `coordinator run`.
struct RunCommand: AsyncParsableCommand, RunsSteps {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Registers a program and runs it here, to its end.",
    discussion: """
      Without --store the run is kept in an SQLite file beside the program. Ctrl-C first lets running steps finish; a \
      second one cancels the run.

      EXAMPLE
        coordinator run nightly.yaml --param site=lab1 --max-concurrent 8
        coordinator run nightly.yaml --continue --run-id 01JD…
      """)

  @Argument(help: "The program file.")
  var file: String

  @OptionGroup var parameters: ParameterOptions
  @OptionGroup var running: StepRunningOptions
  @OptionGroup var storeOptions: StoreOptions

  @Option(help: "End after so many passes over what has matured, though delays are left (exit code 8).")
  var maxLoops: Int?

  @Flag(
    name: .customLong("continue"),
    help: "Go on with a run that is not over: --run-id, or the newest of the program.")
  var continues = false

  @OptionGroup var newRun: NewRunOptions

  @Flag(help: "Leave the run to a process in the background, and print its id.")
  var detach = false

  @Option(help: "End with this step's exit code.")
  var exitCodeFrom: String?

  @Flag(help: "Print one JSON document.")
  var json = false

  func validate() throws {
    if let maxLoops, maxLoops < 1 { throw ValidationError("--max-loops must be at least 1") }
    if continues, newRun.sequence != nil {
      throw ValidationError("--sequence can't be changed by --continue")
    }
  }

  // Set once by the main thread before there is another, read after; a command itself holds only what is parsed.
  private nonisolated(unsafe) static var document: ProgramDocument?

  func launchKeeper() throws {
    // Mistakes in the file are told before anything is made.
    Self.document = try ProgramDocument.read(path: file)
    if !detach { try running.launchKeeper(storeOptions.configuration()) }
  }

  func run() async throws {
    // Read once: a pipe such as /dev/stdin has nothing for a second time.
    let document = try Self.document ?? ProgramDocument.read(path: file)
    for warning in document.warnings { Say.aside("\(warning)\n") }
    if let step = exitCodeFrom, !document.program.steps.contains(where: { $0.name == step }) {
      let near = Name.nearest(to: step, among: document.program.steps.map(\.name)).map {
        "did you mean '\($0)'?"
      }
      throw CommandFailure(
        status: .usage, what: "--exit-code-from \(step)", why: "the program has no such step",
        mend: near ?? "")
    }
    let values = try parameters.values(for: document.program)
    let open = try await storeOptions.open(fallback: Self.storeBeside(file), makes: true)
    if detach, OpenVault.hasPassingKey {
      throw CommandFailure(
        status: .usage, what: "--detach", why: "the vault's key was given to this process alone",
        mend: "use a key file, or leave the run to agents: coordinator submit")
    }
    let secrets = try await storeOptions.secrets(of: values)
    let id =
      continues
      ? try await former(document.program, open.store) : try await submit(document, values, open.store)
    if detach {
      return try await Detached.start(id, file, parameters, running, storeOptions, open, json: json)
    }
    let driver = try Driver(open, running, storeOptions, secrets: secrets, passes: maxLoops)
    _ = try await driver.drive(id)
    try await Ending(open: open, json: json, exitCodeFrom: exitCodeFrom).tell(id)
  }

  /// `nightly.yaml` keeps its runs in `nightly.eventor.db` beside it.
  static func storeBeside(_ file: String) -> String {
    let path = file.hasPrefix("/") ? file : FileManager.default.currentDirectoryPath + "/" + file
    return "sqlite:" + (path as NSString).deletingPathExtension + ".eventor.db"
  }

  private func submit(_ document: ProgramDocument, _ values: ParameterValues, _ store: SQLStore) async throws
    -> String
  {
    let version = try await store.register(document.program, by: Person.name)
    return try await store.submit(
      Submission(
        program: version, id: newRun.runID, parameters: values.open, isStandalone: true,
        isUnpinned: !running.pin,
        localHost: LocalHost.name, user: Person.name, sequence: newRun.sequence.map { Sequence($0) }))
  }

  /// The run to go on with: it must not be over, and is of this program.
  private func former(_ program: Program, _ store: SQLStore) async throws -> String {
    if let runID = newRun.runID { return try await store.runID(matching: runID) }
    var filter = RunFilter()
    filter.program = program.name
    let runs = try await store.runs(filter)
    guard let run = runs.first(where: { !$0.status.isOver && $0.isStandalone }) ?? runs.first else {
      throw StoreError(
        .notFound, "program '\(program.name)' has no run to continue in this store",
        hint: "leave out --continue")
    }
    return run.id
  }
}

/// What a new run is called, and where it starts: the options of `run` and `submit`.
struct NewRunOptions: ParsableArguments {
  @Option(help: "The id of the run.")
  var runID: String?

  @Option(help: "Start in this sequence instead of those the program says.")
  var sequence: String?

  func validate() throws {
    if let sequence, !Sequence.isValidFromOutside(sequence) {
      throw ValidationError("--sequence \(sequence): use 1 to 64 characters of A-Z a-z 0-9 _ . : -")
    }
    if let runID, !Name.isValid(runID) || runID.utf8.count > 64 {
      throw ValidationError("--run-id \(runID): use 1 to 64 characters of A-Z a-z 0-9 _ . -")
    }
  }
}

/// `--param`, and where secret values come from.
struct ParameterOptions: ParsableArguments {
  @Option(
    name: .customLong("param"),
    help: "NAME=VALUE of a parameter; for a secret one NAME=@FILE or NAME=@secret:TAG. Repeatable.")
  var texts: [String] = []

  func values(for program: Program, former: [String: JSONValue]? = nil) throws -> ParameterValues {
    try ParameterValues(
      texts, for: program, former: former, environment: ProcessInfo.processInfo.environment,
      readFile: { try String(contentsOfFile: $0, encoding: .utf8) })
  }
}
