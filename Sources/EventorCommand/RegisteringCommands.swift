import Agent
import ArgumentParser
import CommandSupport
import Coordinator
import Engine
import Model
import Storage

/// Where the executable is on the nodes.
struct InstalledOptions: ParsableArguments {
  @Option(help: "Where this very file is installed on every node (default: where it is here).")
  var installedAt: String?

  func validate() throws {
    if let installedAt, !installedAt.hasPrefix("/") {
      throw ValidationError("--installed-at \(installedAt): give a path from the root")
    }
  }
}

/// `PROGRAM submit`.
struct ProgramSubmitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "submit",
    abstract: "Starts a run for the agents, and prints its id.",
    discussion: """
      Agents have this executable carry out its functions, so the same file must be installed on every node: its digest \
      is stored, and another file is not started.
      """)

  @OptionGroup var parameters: ParameterOptions
  @OptionGroup var newRun: NewRunOptions
  @OptionGroup var installed: InstalledOptions

  @Flag(help: "Wait for its end, and end with its exit code.")
  var wait = false

  @Flag(help: "Print one JSON document.")
  var json = false

  @OptionGroup var storeOptions: StoreOptions

  func run() async throws {
    let content = try ProgramCommand.checked().contentForAgents(installedAt: installed.installedAt)
    let values = try parameters.values(for: content)
    try values.checkForAgents(content)
    let open = try await storeOptions.open(fallback: ProgramCommand.ownStore, makes: true)
    let version = try await open.store.register(content, by: Person.name)
    try await newRun.submit(version, values, to: open, wait: wait, json: json)
  }
}

/// `PROGRAM register`.
struct ProgramRegisterCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "register",
    abstract: "Registers the program with the agents, which makes its schedules take effect.",
    discussion:
      "`coordinator submit NAME` starts runs of what is registered, `coordinator schedule list` shows firings."
  )

  @OptionGroup var installed: InstalledOptions

  @Flag(help: "Print one JSON document.")
  var json = false

  @OptionGroup var storeOptions: StoreOptions

  func run() async throws {
    let content = try ProgramCommand.checked().contentForAgents(installedAt: installed.installedAt)
    let open = try await storeOptions.open(fallback: ProgramCommand.ownStore, makes: true)
    let (version, schedules) = try await open.store.registerWithSchedules(content, by: Person.name)
    if json {
      return Say.out(
        JSONObject([
          ("program", version.name), ("version", version.version), ("new", version.isNew),
          ("schedules", schedules.map(ScheduleView.object)),
        ]).document)
    }
    Say.line("\(version.name)@\(version.version)\(version.isNew ? "" : " (registered before)")")
    for record in schedules {
      Say.aside("schedule \(record.fullName) fires next \(ScheduleView.nextFiring(record, now: Say.now))\n")
    }
  }
}
