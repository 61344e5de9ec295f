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
    try Ending.check(exitCodeFrom: exitCodeFrom, of: document.program)
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
      ? try await newRun.former(of: document.program.name, open.store)
      : try await newRun.begin(document.program, values, running, open.store)
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
}
