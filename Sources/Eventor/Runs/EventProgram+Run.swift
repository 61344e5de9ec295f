import Agent
import Engine
import Foundation
import Glibc
import Model
import Storage

extension EventProgram {
  /// Runs the program here to its end, with an agent inside this process, and tells how it went. A run that fails is no
  /// error: see ``RunOutcome/required()``.
  ///
  /// In a process that was started to carry out one step of the program this carries out that step, and does not return: so
  /// a program must be built in the same way whenever it is started. See ``submit(to:parameters:options:installedAt:)``.
  ///
  /// - Parameters:
  ///   - mode: Which run; without a word, a new one.
  ///   - parameters: Values for its parameters.
  ///   - options: Where it is kept, and how it is worked on.
  /// - Throws: ``InvalidProgram``, ``RunRefused``, errors of the store, `CancellationError`.
  @discardableResult
  public func run(
    _ mode: RunMode = .new, parameters: [ParameterSetting] = [], options: RunOptions = RunOptions()
  ) async throws -> RunOutcome {
    let handle = try await start(mode, parameters: parameters, options: options)
    let result: Result<RunOutcome, any Error>
    do {
      let outcome = try await withTaskCancellationHandler {
        try await handle.ended()
      } onCancel: {
        handle.drain()
      }
      result = .success(outcome)
    } catch {
      result = .failure(error)
    }
    await handle.close()
    return try result.get()
  }

  /// Runs the program in the background of this process. See ``run(_:parameters:options:)``.
  ///
  /// - Throws: ``InvalidProgram``, ``RunRefused``, errors of the store.
  public func start(
    _ mode: RunMode = .new, parameters: [ParameterSetting] = [], options: RunOptions = RunOptions()
  ) async throws -> RunHandle {
    await StepEntry.carryOut(among: [self])
    try validate()
    let values = try values(parameters)
    try FileManager.default.createDirectory(
      atPath: options.work, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o711])
    let place = try EmbeddedPlace(in: options.work)
    let connection: StoreConnection
    do {
      connection = try await StoreConnection(options.store)
    } catch {
      await place.close()
      throw error
    }
    do {
      let agent = EmbeddedAgent(
        store: connection.store, place: place, version: "library", log: options.log)
      let notes = StepNotes(store: connection.store, log: options.log)
      let processes = ProcessExecutor(
        keeper: place.keeper,
        places: .init(logs: options.logs, files: options.work + "/files", program: try Self.executable()),
        cgroups: place.cgroups,
        environment: connection.url.withoutPassword(ProcessInfo.processInfo.environment),
        secrets: values.secret, credentials: [], notes: notes)
      let id = try await run(mode, values, options, connection, agent, processes)
      let executor = FunctionExecutor(
        over: processes, functions: functions, secrets: values.secret, logs: options.logs, notes: notes)
      return drive(id, options, connection, agent, processes, executor)
    } catch {
      await connection.close()
      await place.close()
      throw error
    }
  }

  /// Starts a run for the agents of a cluster, and returns at once. They have this executable carry out its functions, each
  /// in a process of its own, so the same file must be installed on every node: its digest is stored, and another file is
  /// not started.
  ///
  /// - Parameters:
  ///   - store: The store that the agents serve.
  ///   - parameters: Values for its parameters.
  ///   - options: The id and the sequence of the run; the rest does not matter here.
  ///   - path: Where the executable is on the nodes; nil: where it is here.
  /// - Throws: ``InvalidProgram``, ``RunRefused``, errors of the store.
  public func submit(
    to store: StoreLocation, parameters: [ParameterSetting] = [], options: RunOptions = RunOptions(),
    installedAt path: String? = nil
  ) async throws -> RunHandle {
    await StepEntry.carryOut(among: [self])
    try validate()
    let values = try values(parameters, areForAgents: true)
    for parameter in model.parameters where parameter.secret {
      guard SecretReference(values.open[parameter.name]) == nil else { continue }
      guard parameter.required || values.secret[parameter.name] != nil else { continue }
      throw RunRefused(
        "parameter '\(parameter.name)' is secret: agents are not handed its value; keep it in the vault of each host "
          + "that needs it, and pass set(fromVault:)")
    }
    let connection = try await StoreConnection(store)
    do {
      let program = try installed(at: path)
      let version = try await connection.store.register(program, by: Person.name)
      let id = try await connection.store.submit(
        try Submission(
          program: version, id: options.runID, parameters: complete(values), isStandalone: false,
          isUnpinned: false,
          localHost: LocalHost.name, user: Person.name, sequence: options.sequence.map { Sequence($0) }))
      return RunHandle.following(id, connection)
    } catch {
      await connection.close()
      throw error
    }
  }

  /// The model with this executable in it, as agents need it.
  ///
  /// - Parameter path: Where it is on the nodes; nil: where it is here.
  func installed(at path: String?) throws -> Program {
    let own = try Self.executable()
    guard own != Self.replaced else {
      throw RunRefused(
        "this executable was replaced since it was started, so nodes can't have it; start it again")
    }
    let digest: String
    do throws(ProgramFile.Unreadable) {
      digest = try ProgramFile.digest(of: own)
    } catch {
      throw RunRefused("this executable can't be read: \(own): \(error.reason)")
    }
    return finished.installed(at: path ?? own, digest: digest)
  }

  /// The file of this process. One that was replaced since, by another build, is still to be had as long as this process
  /// lives, by the name that the kernel has for it.
  static func executable() throws -> String {
    let path = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return path.hasSuffix(" (deleted)") ? replaced : path
  }

  private static let replaced = "/proc/\(getpid())/exe"

  // MARK: Parameters

  struct Values {
    var open: [String: JSONValue] = [:]
    var secret: [String: String] = [:]
  }

  private func values(_ settings: [ParameterSetting], areForAgents: Bool = false) throws -> Values {
    var values = Values()
    for setting in settings {
      guard let parameter = model.parameters.first(where: { $0.name == setting.name }) else {
        throw RunRefused("program '\(name)' has no parameter '\(setting.name)'")
      }
      if let secret = setting.secret {
        values.secret[setting.name] = secret
        continue
      }
      let value = try setting.value()
      if let choices = parameter.choices, !choices.contains(value) {
        let list = choices.map(\.plainText).joined(separator: ", ")
        throw RunRefused("parameter '\(setting.name)' must be one of \(list), not \(value.plainText)")
      }
      values.open[setting.name] = value
    }
    for parameter in model.parameters where parameter.secret && !areForAgents {
      if values.open[parameter.name] != nil {
        throw RunRefused(
          "secret parameter '\(parameter.name)' is to come from a vault, which agents open; pass its value: set(_:)"
        )
      }
      if parameter.required, values.secret[parameter.name] == nil {
        throw RunRefused("secret parameter '\(parameter.name)' has no value; pass it in parameters:")
      }
    }
    return values
  }

  /// The values of a new run: those given, and the defaults.
  private func complete(_ values: Values) throws -> [String: JSONValue] {
    var open = values.open
    for parameter in model.parameters where !parameter.secret && open[parameter.name] == nil {
      open[parameter.name] = parameter.defaultValue
      if parameter.defaultValue == nil, parameter.required {
        throw RunRefused("parameter '\(parameter.name)' has no value; pass it in parameters:")
      }
    }
    return open
  }

  // MARK: The run

  /// The run to work on: made, found, or begun again.
  private func run(
    _ mode: RunMode, _ values: Values, _ options: RunOptions, _ connection: StoreConnection,
    _ agent: EmbeddedAgent, _ processes: ProcessExecutor
  ) async throws -> String {
    let store = connection.store
    switch mode {
    case .new:
      let version = try await store.register(finished, by: Person.name)
      return try await store.submit(
        Submission(
          program: version, id: options.runID, parameters: complete(values), isStandalone: true,
          isUnpinned: !options.isPinned, localHost: LocalHost.name, user: Person.name,
          sequence: options.sequence.map { Sequence($0) }))
    case .continue(let given):
      return try await former(given, store) { !$0.status.isOver }
    case .recover(let given):
      let id = try await former(given, store) { _ in true }
      let record = try await store.summary(of: id, failures: 0).run
      if record.isStandalone, !record.status.isOver {
        // Its process may have been killed: then this ends what it left, and the run.
        try await agent.interrupt(id, processes)
      }
      var request = ReplayRequest(kind: .recover)
      request.parameters = record.parameters.merging(values.open) { $1 }
      request.isStandalone = true
      request.isUnpinned = !options.isPinned
      _ = try await store.replay(request, of: id, by: Person.name)
      return id
    }
  }

  private func former(
    _ given: String?, _ store: SQLStore, _ isWanted: (RunRecord) -> Bool
  ) async throws -> String {
    if let given { return try await store.runID(matching: given) }
    var filter = RunFilter()
    filter.program = name
    let runs = try await store.runs(filter).filter(\.isStandalone)
    guard let run = runs.first(where: isWanted) ?? runs.first else {
      throw RunRefused("program '\(name)' has no run to go on with in this store; begin a new one")
    }
    return run.id
  }

  private func drive(
    _ id: String, _ options: RunOptions, _ connection: StoreConnection, _ agent: EmbeddedAgent,
    _ processes: ProcessExecutor, _ executor: FunctionExecutor
  ) -> RunHandle {
    var agentOptions = RunAgent.Options(slots: options.slots, localHost: LocalHost.name)
    agentOptions.pinnedTo = options.isPinned ? LocalHost.name : nil
    agentOptions.passes = options.maxLoops
    let (events, feed) = AsyncStream.makeStream(of: RunEvent.self, bufferingPolicy: .bufferingNewest(10_000))
    let worker = WorkerBox(isHere: true)
    let work = Task { [agentOptions] in
      defer { worker.end.open() }
      do {
        _ = try await agent.drive(id, processes, executor, agentOptions) { happening in
          if let event = RunEvent(happening) { feed.yield(event) }
        } began: {
          worker.fill($0)
        }
        let outcome = try await connection.outcome(of: id)
        feed.yield(.over(outcome.status))
        feed.finish()
        return outcome
      } catch {
        feed.finish()
        throw error
      }
    }
    return RunHandle(id: id, connection: connection, events: events, worker: worker, work: work)
  }
}

/// Something asked for that a program does not allow.
public struct RunRefused: Error, Sendable, Hashable, CustomStringConvertible {
  /// What is wrong, and how to mend it.
  public let description: String

  init(_ description: String) { self.description = description }
}

extension RunEvent {
  /// What an agent here says; nil for what is of no interest to others.
  fileprivate init?(_ happening: RunAgent.Happening) {
    switch happening {
    case .started(let claim): self = .started(Step(claim))
    case .ended(let claim, let outcome):
      self = .ended(Step(claim), status: outcome.status, message: outcome.message)
    case .advanced: return nil
    case .storeLost(let why): self = .storeLost(why)
    case .storeFound: self = .storeFound
    }
  }
}

extension RunEvent.Step {
  fileprivate init(_ claim: Claim) {
    let task = claim.task
    self.init(
      name: task.step, sequence: task.sequence.text, attempt: task.attempt, host: task.host)
  }
}
