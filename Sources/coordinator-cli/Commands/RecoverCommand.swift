import Agent
import ArgumentParser
import CommandSupport
import Coordinator
import Documents
import Engine
import Model
import Storage

/// What `recover`, `rerun` and `mark` share: a replay is planned, begun, and carried out here or left to agents.
struct ReplayOptions: ParsableArguments {
  @OptionGroup var parameters: ParameterOptions
  @OptionGroup var running: StepRunningOptions
  @OptionGroup var storeOptions: StoreOptions

  @Flag(help: "Say what would run, be skipped or be reused, and why; do nothing.")
  var plan = false

  @Flag(help: "Carry it out here, with an embedded agent.")
  var here = false

  @Flag(help: "Leave it to the agents.")
  var submit = false

  @Flag(help: "Wait for the end of a run that is left to the agents.")
  var wait = false

  @Flag(help: "Print one JSON document.")
  var json = false

  func validate() throws {
    if here, submit { throw ValidationError("--here and --submit exclude each other") }
  }

  func launchKeeper() throws {
    if !plan, !submit { try running.launchKeeper(storeOptions.configuration()) }
  }

  /// Plans the replay, or begins it and carries it out.
  func carryOut(_ text: String, _ makeRequest: (RunReport, ParameterValues) throws -> ReplayRequest)
    async throws
  {
    let open = try await storeOptions.open()
    let store = open.store
    let id = try await store.runID(matching: text)
    var report = try await store.report(on: id, recovery: nil, allAttempts: false)
    let values = try await parameters.values(for: store.program(of: id), former: report.run.parameters)
    let isHere = here || (report.run.isStandalone && !submit)
    func request() throws -> ReplayRequest {
      var request = try makeRequest(report, values)
      request.isStandalone = isHere
      request.isUnpinned = isHere && !running.pin
      return request
    }
    if !isHere { try await values.checkForAgents(store.program(of: id)) }
    if plan {
      let request = try request()
      return Self.show(try await store.plan(request, of: id, by: Person.name), json: json)
    }
    let driver = try Driver(
      open, running, storeOptions, secrets: isHere ? await storeOptions.secrets(of: values) : [:])
    if !report.run.status.isOver, isHere, report.run.isStandalone {
      // Its process may have been killed: then this ends what it left, and the run.
      try await driver.interrupt(id)
      report = try await store.report(on: id, recovery: nil, allAttempts: false)
    }
    _ = try await store.replay(request(), of: id, by: Person.name)
    if isHere {
      _ = try await driver.drive(id)
      try await Ending(open: open, json: json).tell(id)
    } else if wait {
      try await Waiting(open: open, json: json, timeout: nil).wait(for: id)
    } else {
      let now = try await store.report(on: id, recovery: nil, allAttempts: false)
      if json { Say.out(RunJSON.document(now)) } else { Say.line("\(id) recovery \(now.run.recovery)") }
    }
  }

  static func show(_ planned: [PlannedTask], json: Bool) {
    if json {
      let tasks = planned.map { task in
        JSONObject([
          ("step", task.step), ("sequence", task.sequence.text), ("action", task.action.rawValue),
          ("reason", task.reason),
        ])
      }
      return Say.out(JSONObject([("plan", tasks)]).document)
    }
    var table = Table([.init("step"), .init("sequence"), .init("action"), .init("reason")])
    for task in planned {
      table.append([
        .init(task.step), .init(task.sequence.text), .init(task.action.rawValue), .init(task.reason),
      ])
    }
    Say.out(table.rendered(as: .table, on: Say.outProfile))
  }
}

/// `coordinator recover`.
struct RecoverCommand: AsyncParsableCommand, RunsSteps {
  static let configuration = CommandConfiguration(
    commandName: "recover",
    abstract: "Begins a run that is over again: failed steps run, succeeded ones are skipped.",
    discussion: """
      Each task follows its step's recovery policy. Parameters may be changed. A run begun by `run` is carried out \
      here; a submitted one is left to the agents.

      EXAMPLE
        coordinator recover latest --param x=9 --plan
        coordinator recover latest --param x=9
      """)

  @Argument(help: "The run: its id, the beginning of it, or 'latest'.")
  var run: String

  @OptionGroup var options: ReplayOptions

  func launchKeeper() throws { try options.launchKeeper() }

  func run() async throws {
    try await options.carryOut(run) { _, values in
      var request = ReplayRequest(kind: .recover)
      request.parameters = values.open
      return request
    }
  }
}

/// `coordinator rerun`.
struct RerunCommand: AsyncParsableCommand, RunsSteps {
  static let configuration = CommandConfiguration(
    commandName: "rerun",
    abstract: "Runs steps of a run again, whatever their status, and what follows from them.",
    discussion: """
      Without --step a new run of the same program version with the same parameters is begun.

      EXAMPLE
        coordinator rerun latest --step test --plan
        coordinator rerun latest --step test --sequence 1/2 --only
      """)

  @Argument(help: "The run: its id, the beginning of it, or 'latest'.")
  var run: String

  @Option(name: .customLong("step"), help: "A step to run again. Repeatable.")
  var steps: [String] = []

  @Option(help: "Only in this sequence.")
  var sequence: String?

  @Flag(help: "Leave out what follows from them.")
  var only = false

  @OptionGroup var options: ReplayOptions

  func validate() throws {
    if steps.isEmpty, only || sequence != nil {
      throw ValidationError("--only and --sequence go with --step")
    }
    if steps.isEmpty, options.plan {
      throw ValidationError("--plan goes with --step: without it a new run begins")
    }
  }

  func launchKeeper() throws { try options.launchKeeper() }

  func run() async throws {
    if steps.isEmpty { return try await runAnew() }
    try await options.carryOut(run) { _, values in
      var request = ReplayRequest(kind: .rerun)
      request.steps = steps
      request.sequence = sequence.map { Sequence($0) }
      request.only = only
      request.parameters = values.open
      return request
    }
  }

  /// A new run of the same version with the same parameters.
  private func runAnew() async throws {
    let open = try await options.storeOptions.open()
    let store = open.store
    let former = try await store.report(
      on: store.runID(matching: run), recovery: nil, allAttempts: false
    ).run
    let (version, program) = try await store.program(named: former.program, version: former.version)
    let values = try options.parameters.values(for: program, former: former.parameters)
    let isHere = options.here || (former.isStandalone && !options.submit)
    if !isHere { try values.checkForAgents(program) }
    let secrets = isHere ? try await options.storeOptions.secrets(of: values) : [:]
    let id = try await store.submit(
      Submission(
        program: version, parameters: values.open, isStandalone: isHere,
        isUnpinned: isHere && !options.running.pin,
        localHost: LocalHost.name, user: Person.name), beginningAs: former.id)
    if isHere {
      let driver = try Driver(open, options.running, options.storeOptions, secrets: secrets)
      _ = try await driver.drive(id)
      return try await Ending(open: open, json: options.json).tell(id)
    }
    if options.wait { return try await Waiting(open: open, json: options.json, timeout: nil).wait(for: id) }
    if options.json {
      Say.out(RunJSON.document(try await store.report(on: id, recovery: nil, allAttempts: false)))
    } else {
      Say.line(id)
    }
  }
}

/// `coordinator mark`.
struct MarkCommand: AsyncParsableCommand, RunsSteps {
  static let configuration = CommandConfiguration(
    commandName: "mark",
    abstract: "Ends a task by hand, as success or failure, and releases what follows.",
    discussion: """
      The task is shown as marked, by whom and why. In a run that is over this begins a new recovery; a rerun of the \
      step undoes it.

      EXAMPLE
        coordinator mark latest approve success --reason "checked by hand"
      """)

  @Argument(help: "The run: its id, the beginning of it, or 'latest'.")
  var run: String

  @Argument(help: "The step.")
  var step: String

  @Argument(help: "success or failure.")
  var status: String

  @Option(help: "Why; it is shown with the task.")
  var reason: String

  @Option(help: "The sequence; needed if the step has tasks in several.")
  var sequence: String?

  @OptionGroup var options: ReplayOptions

  func validate() throws {
    guard status == "success" || status == "failure" else {
      throw ValidationError("'\(status)' is neither success nor failure")
    }
    if reason.isEmpty { throw ValidationError("--reason must say why") }
  }

  func launchKeeper() throws { try options.launchKeeper() }

  func run() async throws {
    let open = try await options.storeOptions.open()
    let id = try await open.store.runID(matching: run)
    let report = try await open.store.report(on: id, recovery: nil, allAttempts: false)
    if !report.run.status.isOver, !options.plan {
      try await open.store.mark(mark(in: report), of: id)
      let now = try await open.store.report(on: id, recovery: nil, allAttempts: false)
      if options.json { Say.out(RunJSON.document(now)) } else { Say.line("marked \(step) as \(status)") }
      return
    }
    try await options.carryOut(run) { report, values in
      var request = ReplayRequest(kind: .recover)
      request.parameters = values.open
      request.marks = [try mark(in: report)]
      return request
    }
  }

  private func mark(in report: RunReport) throws -> Replay.Mark {
    let tasks = report.tasks.filter { $0.step == step && (sequence == nil || $0.sequence.text == sequence) }
    guard let task = tasks.last else {
      throw StoreError(
        .notFound,
        "run \(report.run.id) has no task of step '\(step)'" + (sequence.map { " in sequence \($0)" } ?? ""),
        hint: "`coordinator tasks \(report.run.id)` lists its tasks")
    }
    guard Set(tasks.map(\.sequence)).count == 1 else {
      throw CommandFailure(
        status: .usage, what: "step '\(step)' has tasks in several sequences",
        mend: "give --sequence, one of \(tasks.map(\.sequence.text).joined(separator: ", "))")
    }
    return Replay.Mark(
      step: step, sequence: task.sequence, status: status == "success" ? .success : .failure,
      by: "\(Person.name): \(reason)")
  }
}
