import Agent
public import ArgumentParser
public import Coordinator
public import Engine
public import Model
import Storage

/// What `recover`, `rerun` and `mark` share: a replay is planned, begun, and carried out here or left to agents.
public struct ReplayOptions: ParsableArguments {
  /// The values of parameters.
  @OptionGroup public var parameters: ParameterOptions
  /// How steps are run here.
  @OptionGroup public var running: StepRunningOptions
  /// Where the store is.
  @OptionGroup public var storeOptions: StoreOptions

  /// Whether it is only said what would be done.
  @Flag(help: "Say what would run, be skipped or be reused, and why; do nothing.")
  public var plan = false

  /// Whether it is carried out here.
  @Flag(help: "Carry it out here, with an embedded agent.")
  public var here = false

  /// Whether it is left to the agents.
  @Flag(help: "Leave it to the agents.")
  public var submit = false

  /// Whether the end is waited for.
  @Flag(help: "Wait for the end of a run that is left to the agents.")
  public var wait = false

  /// Whether JSON is printed.
  @Flag(help: "Print one JSON document.")
  public var json = false

  /// None said.
  public init() {}

  /// What is wrong with the options by themselves.
  public func validate() throws {
    if here, submit { throw ValidationError("--here and --submit exclude each other") }
  }

  /// Forks the keeper, unless nothing is run here.
  public func launchKeeper() throws {
    if !plan, !submit { try running.launchKeeper(storeOptions.configuration()) }
  }

  /// Plans the replay, or begins it and carries it out.
  ///
  /// - Parameter fallback: The store if none was asked for.
  public func carryOut(
    _ text: String, fallback: String? = nil,
    _ makeRequest: (RunReport, ParameterValues) throws -> ReplayRequest
  ) async throws {
    let open = try await storeOptions.open(fallback: fallback)
    let store = open.store
    let id = try await store.runID(matching: text)
    var report = try await store.report(on: id, recovery: nil, allAttempts: false)
    let program = try await store.program(of: id)
    let values = try parameters.values(for: program, former: report.run.parameters)
    let isHere = here || (report.run.isStandalone && !submit)
    func request() throws -> ReplayRequest {
      var request = try makeRequest(report, values)
      request.isStandalone = isHere
      request.isUnpinned = isHere && !running.pin
      return request
    }
    if !isHere { try values.checkForAgents(program) }
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

  /// A new run of the same version with the same parameters.
  public func runAnew(_ run: String) async throws {
    let open = try await storeOptions.open()
    let store = open.store
    let former = try await store.report(
      on: store.runID(matching: run), recovery: nil, allAttempts: false
    ).run
    let (version, program) = try await store.program(named: former.program, version: former.version)
    let values = try parameters.values(for: program, former: former.parameters)
    let isHere = here || (former.isStandalone && !submit)
    if !isHere { try values.checkForAgents(program) }
    let secrets = isHere ? try await storeOptions.secrets(of: values) : [:]
    let id = try await store.submit(
      Submission(
        program: version, parameters: values.open, isStandalone: isHere,
        isUnpinned: isHere && !running.pin,
        localHost: LocalHost.name, user: Person.name), beginningAs: former.id)
    if isHere {
      let driver = try Driver(open, running, storeOptions, secrets: secrets)
      _ = try await driver.drive(id)
      return try await Ending(open: open, json: json).tell(id)
    }
    try await NewRunOptions.tell(submitted: id, open, wait: wait, json: json)
  }

  private static func show(_ planned: [PlannedTask], json: Bool) {
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
