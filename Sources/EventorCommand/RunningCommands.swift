import ArgumentParser
import CommandSupport
import Coordinator
import Engine
import Model
import Storage

/// `PROGRAM run`.
struct ProgramRunCommand: AsyncParsableCommand, RunsSteps {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Runs the program here, to its end.",
    discussion: """
      Without --store the run is kept in an SQLite file in the current directory. Ctrl-C first lets running steps finish; \
      a second one cancels the run.
      """)

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

  func launchKeeper() throws {
    // Mistakes in the program are told before anything is made.
    _ = try ProgramCommand.checked()
    try running.launchKeeper(storeOptions.configuration())
  }

  func run() async throws {
    let program = ProgramCommand.program.content
    try Ending.check(exitCodeFrom: exitCodeFrom, of: program)
    let values = try parameters.values(for: program)
    let open = try await storeOptions.open(fallback: ProgramCommand.ownStore, makes: true)
    let secrets = try await storeOptions.secrets(of: values)
    let id =
      continues
      ? try await newRun.former(of: program.name, open.store)
      : try await newRun.begin(program, values, running, open.store)
    try await Driver(open, running, storeOptions, secrets: secrets, passes: maxLoops).drive(id)
    try await Ending(open: open, json: json, exitCodeFrom: exitCodeFrom).tell(id)
  }
}

/// `PROGRAM recover`.
struct ProgramRecoverCommand: AsyncParsableCommand, RunsSteps {
  static let configuration = CommandConfiguration(
    commandName: "recover",
    abstract: "Begins a run that is over again: failed steps run, succeeded ones are skipped.",
    discussion: "Functions are those of this build, the graph is the one that was run before.")

  @Argument(help: "The run: its id, the beginning of it, or 'latest'.")
  var run = "latest"

  @OptionGroup var options: ReplayOptions

  func launchKeeper() throws { try options.launchKeeper() }

  func run() async throws {
    try await options.carryOut(run, fallback: ProgramCommand.ownStore) { _, values in
      var request = ReplayRequest(kind: .recover)
      request.parameters = values.open
      return request
    }
  }
}

/// `PROGRAM rerun`.
struct ProgramRerunCommand: AsyncParsableCommand, RunsSteps {
  static let configuration = CommandConfiguration(
    commandName: "rerun",
    abstract: "Runs steps of a run again, whatever their status, and what follows from them.",
    discussion: "Functions are those of this build, the graph is the one that was run before.")

  @Argument(help: "The run: its id, the beginning of it, or 'latest'.")
  var run = "latest"

  @Option(name: .customLong("step"), help: "A step to run again. Repeatable.")
  var steps: [String] = []

  @Option(help: "Only in this sequence.")
  var sequence: String?

  @Flag(help: "Leave out what follows from them.")
  var only = false

  @OptionGroup var options: ReplayOptions

  func validate() throws {
    if steps.isEmpty { throw ValidationError("name the steps with --step; a new run is begun by `run`") }
  }

  func launchKeeper() throws { try options.launchKeeper() }

  func run() async throws {
    try await options.carryOut(run, fallback: ProgramCommand.ownStore) { _, values in
      var request = ReplayRequest(kind: .rerun)
      request.steps = steps
      request.sequence = sequence.map { Sequence($0) }
      request.only = only
      request.parameters = values.open
      return request
    }
  }
}
