import Agent
public import ArgumentParser
import CommandSupport
public import Coordinator
import Documents
import Engine
import Foundation
import Model
import Storage

/// `coordinator validate`.
struct ValidateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validate",
    abstract: "Checks program files, and names every mistake with its place.",
    discussion: """
      EXAMPLE
        coordinator validate programs/*.yaml
      """)

  @Argument(help: "Program files.")
  var files: [String]

  @Flag(help: "Print one JSON document.")
  var json = false

  func run() throws {
    var results: [JSONObject] = []
    var worst = ExitStatus.success
    for file in files {
      var diagnostics: [Diagnostic] = []
      do {
        let document = try ProgramDocument.read(path: file, check: LimitSupport.onThisHost.shortcomings)
        diagnostics = document.warnings
        results.append(Self.row(file, document, diagnostics))
        if !json { Say.line("\(file): ok, program \(document.program.name) \(document.version)") }
      } catch {
        diagnostics = error.diagnostics
        results.append(Self.row(file, nil, diagnostics, problem: diagnostics.isEmpty ? "\(error)" : nil))
        if case .unreadable = error {
          let isMissing = !FileManager.default.fileExists(atPath: file)
          if worst == .success { worst = isMissing ? .notFound : .usage }
          Say.aside("error: \(error)\n")
        } else {
          worst = .usage
        }
      }
      for diagnostic in diagnostics { Say.aside("\(diagnostic)\n") }
    }
    if json { Say.out(JSONObject([("files", results)]).document) }
    if worst != .success { throw ExitCode(worst.rawValue) }
  }

  private static func row(
    _ file: String, _ document: ProgramDocument?, _ diagnostics: [Diagnostic], problem: String? = nil
  ) -> JSONObject {
    JSONObject([
      ("file", file), ("ok", document != nil), ("program", document?.program.name),
      ("version", document?.version),
      ("error", problem),
      (
        "diagnostics",
        diagnostics.map { diagnostic in
          JSONObject([
            ("severity", diagnostic.severity.rawValue), ("line", diagnostic.mark.line),
            ("column", diagnostic.mark.column), ("path", diagnostic.path), ("message", diagnostic.message),
          ])
        }
      ),
    ])
  }
}

/// `coordinator graph`.
struct GraphCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "graph",
    abstract: "Draws a program, or a run coloured by status.",
    discussion: """
      EXAMPLE
        coordinator graph nightly.yaml
        coordinator graph latest --format svg > run.svg
      """)

  @Argument(help: "A program file, or a run: its id, the beginning of it, or 'latest'.")
  var subject: String

  @Option(help: "text, dot, mermaid or svg.")
  var format: ProgramGraph.Format = .text

  @OptionGroup var storeOptions: StoreOptions

  func run() async throws {
    let looksLikeFile = subject.contains("/") || subject.hasSuffix(".yaml") || subject.hasSuffix(".yml")
    if looksLikeFile || FileManager.default.fileExists(atPath: subject) {
      let document = try ProgramDocument.read(path: subject)
      return Say.out(ProgramGraph(plan: Plan(document.program)).rendered(as: format, on: Say.outProfile))
    }
    let open = try await storeOptions.open()
    let id = try await open.store.runID(matching: subject)
    let report = try await open.store.report(on: id, recovery: nil, allAttempts: false)
    let plan = Plan(try await open.store.program(of: id))
    Say.out(ProgramGraph(plan: plan, report: report).rendered(as: format, on: Say.outProfile))
  }
}

extension ProgramGraph.Format: ExpressibleByArgument {}

/// `coordinator program`.
struct ProgramCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "program",
    abstract: "The programs registered in the store.",
    discussion: """
      EXAMPLE
        coordinator program register nightly.yaml
        coordinator program show nightly@sha256:12ab
      """,
    subcommands: [Register.self, List.self, Show.self, Remove.self])

  /// `coordinator program register`.
  struct Register: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Registers a program; the same content makes no new version.",
      discussion: """
        The schedules of the file become those of the program: they fire while an eventor-agent runs, and those that \
        earlier versions had and this file has not end.

        EXAMPLE
          coordinator program register nightly.yaml
        """)

    @Argument(help: "The program file.")
    var file: String

    @Flag(help: "Print one JSON document.")
    var json = false

    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let document = try ProgramDocument.read(path: file)
      for warning in document.warnings { Say.aside("\(warning)\n") }
      let open = try await storeOptions.open(makes: true)
      let former = try await open.store.schedules(of: document.program.name)
      let (version, schedules) = try await open.store.registerWithSchedules(
        document.program, by: Person.name)
      if json {
        return Say.out(
          JSONObject([
            ("program", version.name), ("version", version.version), ("new", version.isNew),
            ("schedules", schedules.map(ScheduleView.object)),
          ]).document)
      }
      Say.line("\(version.name)@\(version.version)\(version.isNew ? "" : " (registered before)")")
      for record in schedules {
        let paused = record.pausedBy.map { "is paused by \($0)" }
        Say.aside(
          "schedule \(record.fullName) \(paused ?? "fires next \(ScheduleView.nextFiring(record, now: Say.now))")\n"
        )
      }
      for record in former where !schedules.contains(where: { $0.schedule.name == record.schedule.name }) {
        Say.aside("schedule \(record.fullName) is no longer there, and does not fire again\n")
      }
    }
  }

  /// `coordinator program list`.
  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lists registered versions, newest first.",
      discussion: """
        EXAMPLE
          coordinator program list --output json
        """)

    @OptionGroup var list: ListOptions
    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let open = try await storeOptions.open()
      var table = Table([.init("program"), .init("version"), .init("registered_at"), .init("registered_by")])
      for version in try await open.store.programs(named: nil) {
        table.append([
          .init(version.name), .init(version.version), .init(version.registeredAt.description),
          .init(version.registeredBy),
        ])
      }
      try list.show(table)
    }
  }

  /// `coordinator program show`.
  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Shows a registered program: its graph, or with --json its content.",
      discussion: """
        EXAMPLE
          coordinator program show nightly@sha256:12ab --json
        """)

    @Argument(help: "NAME, or NAME@VERSION with the beginning of a digest.")
    var name: String

    @Flag(help: "Print one JSON document.")
    var json = false

    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let parts = name.split(separator: "@", maxSplits: 1).map(String.init)
      guard let first = parts.first else { throw CommandFailure(status: .usage, what: "the name is empty") }
      let open = try await storeOptions.open()
      let (version, program) = try await open.store.program(
        named: first, version: parts.count > 1 ? parts[1] : nil)
      if json { return Say.line(try ProgramCoding.canonicalJSON(program)) }
      Say.line("\(version.name)@\(version.version)")
      Say.line("registered \(version.registeredAt) by \(version.registeredBy)\n")
      Say.out(ProgramGraph(plan: Plan(program)).rendered(as: .text, on: Say.outProfile))
    }
  }

  /// `coordinator program remove`.
  struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Takes all versions of a program out of the registry; its runs stay.",
      discussion: """
        EXAMPLE
          coordinator program remove nightly --yes
        """)

    @Argument(help: "The program.")
    var name: String

    @Flag(help: "Say what would be removed; remove nothing.")
    var dryRun = false

    @Flag(help: "Do not ask.")
    var yes = false

    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let open = try await storeOptions.open()
      let versions = try await open.store.programs(named: name)
      guard !versions.isEmpty else {
        throw StoreError(
          .notFound, "there is no program '\(name)'",
          hint: "`coordinator program list` shows what is registered")
      }
      let schedules = try await open.store.schedules(of: name).count
      let ending = schedules == 0 ? "" : " and its \(schedules) schedule\(schedules == 1 ? "" : "s")"
      let what = "\(versions.count) version\(versions.count == 1 ? "" : "s") of program \(name)\(ending)"
      if dryRun { return Say.line("would remove \(what)") }
      try Consent.ask("Remove \(what)?", isGiven: yes)
      let removed = try await open.store.removeProgram(named: name)
      Say.line("removed \(removed) version\(removed == 1 ? "" : "s") of program \(name)\(ending)")
    }
  }
}

/// Asks before something is destroyed.
enum Consent {
  /// Returns if the answer is yes, or was given with `--yes`.
  ///
  /// - Throws: ``CommandFailure`` otherwise, and where nobody can be asked.
  static func ask(_ question: String, isGiven: Bool) throws {
    if isGiven { return }
    guard Say.errorProfile.isTerminal else {
      throw CommandFailure(
        status: .usage, what: question.lowercased(), why: "nobody can be asked", mend: "add --yes")
    }
    Say.aside(question + " [y/N] ")
    guard let answer = readLine()?.lowercased(), answer == "y" || answer == "yes" else {
      throw CommandFailure(status: .failed, what: "nothing was done")
    }
  }
}

/// `coordinator submit`.
struct SubmitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "submit",
    abstract: "Starts a run for the agents, and prints its id.",
    discussion: """
      EXAMPLE
        coordinator submit nightly.yaml --param site=lab1 --wait
      """)

  @Argument(help: "A program file, or NAME or NAME@VERSION of a registered program.")
  var program: String

  @OptionGroup var parameters: ParameterOptions

  @OptionGroup var newRun: NewRunOptions

  @Flag(help: "Wait for its end, and end with its exit code.")
  var wait = false

  @Flag(help: "Print one JSON document.")
  var json = false

  @OptionGroup var storeOptions: StoreOptions

  func run() async throws {
    let isFile = program.contains("/") || FileManager.default.fileExists(atPath: program)
    let document = isFile ? try ProgramDocument.read(path: program) : nil
    for warning in document?.warnings ?? [] { Say.aside("\(warning)\n") }
    let open = try await storeOptions.open(makes: isFile)
    let version: ProgramVersion
    let content: Program
    if let document {
      content = document.program
      version = try await open.store.register(content, by: Person.name)
    } else {
      let parts = program.split(separator: "@", maxSplits: 1).map(String.init)
      (version, content) = try await open.store.program(
        named: parts.first ?? program, version: parts.count > 1 ? parts[1] : nil)
    }
    let values = try parameters.values(for: content)
    try values.checkForAgents(content)
    try await newRun.submit(version, values, to: open, wait: wait, json: json)
  }
}
