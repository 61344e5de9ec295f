public import Agent
import Coordinator
import Documents
import Engine
import Foundation
import Glibc
import Logging
import Model
import Runtime
import Storage

/// Carries out the functions of the program that this process is, in itself: what a Swift program's own command adds to
/// the steps that every command can carry out.
public protocol ProgramFunctions: Sendable {
  /// How the program's own command is called.
  var command: String { get }
  /// The file that carries out functions in processes of their own.
  var file: String { get }
  /// An executor that carries out functions here and hands every other step to `processes`.
  ///
  /// - Parameters:
  ///   - secrets: Values of secret parameters.
  ///   - logs: Where logs of steps go.
  ///   - notes: Takes what functions say of themselves.
  func executor(
    over processes: ProcessExecutor, secrets: [String: String], logs: String, notes: StepNotes
  ) -> any StepExecutor
}

/// Works on one run with an embedded agent until it is over, showing how it goes.
public struct Driver {
  private let open: OpenStore
  private let options: StepRunningOptions
  private let configuration: Configuration
  private let secrets: [String: String]
  private let passes: Int?
  private let log: Logger

  // Set once by the main thread before there is another, read after.
  /// The functions of this program, if it is one that has some.
  public nonisolated(unsafe) static var functions: (any ProgramFunctions)?

  /// A driver of runs in `open`; `passes` bounds how many times it works off what has matured.
  public init(
    _ open: OpenStore, _ options: StepRunningOptions, _ storeOptions: StoreOptions, secrets: [String: String],
    passes: Int? = nil
  ) throws {
    self.open = open
    self.options = options
    self.secrets = secrets
    self.passes = passes
    configuration = try storeOptions.configuration()
    log = try storeOptions.logger("eventor.run")
  }

  /// Drives `run`, going on with what an agent that is gone left running.
  @discardableResult
  public func drive(_ run: String) async throws -> RunAgent.Ending {
    let (store, place) = (open.store, try place)
    var agentOptions = RunAgent.Options(slots: options.slots(configuration), localHost: LocalHost.name)
    if let lockFor = configuration.lockFor { agentOptions.lockFor = lockFor }
    if let poll = configuration.poll { agentOptions.poll = .microseconds(poll.microseconds) }
    agentOptions.pinnedTo = options.pin ? LocalHost.name : nil
    agentOptions.passes = passes

    let notes = StepNotes(store: store, log: log)
    let processes = processes(place, notes)
    let executor: any StepExecutor =
      Self.functions?.executor(
        over: processes, secrets: secrets, logs: options.logDirectory(configuration), notes: notes)
      ?? processes
    // Log lines say all that progress would; nobody wants both.
    let progress = try await Progress.start(run, store, isQuiet: options.quiet || log.logLevel <= .info)
    var signals: Interrupts?
    defer {
      signals?.stop()
      progress.finish()
    }
    return try await agent(place).drive(run, processes, executor, agentOptions, listener: progress.note) {
      worker in
      signals = try Interrupts { _, count in
        if count == 1 {
          progress.say("finishing what runs; once more to cancel")
          worker.drain()
        } else {
          progress.say("cancelling")
          Task {
            try await store.cancel(run, by: Person.name)
            worker.look()
          }
        }
      }
    }
  }

  /// Ends a standalone run whose agent is gone, with whatever it left running, so that it can be begun again.
  public func interrupt(_ run: String) async throws {
    let place = try place
    try await agent(place).interrupt(run, processes(place, nil))
  }

  private var place: EmbeddedPlace {
    get throws {
      guard let place = StepRunningOptions.place else {
        throw CommandFailure(status: .bug, what: "this command has no keeper")
      }
      return place
    }
  }

  private func agent(_ place: EmbeddedPlace) -> EmbeddedAgent {
    EmbeddedAgent(store: open.store, place: place, version: CommandMain.version, log: log)
  }

  private func processes(_ place: EmbeddedPlace, _ notes: StepNotes?) -> ProcessExecutor {
    ProcessExecutor(
      keeper: place.keeper,
      places: .init(
        logs: options.logDirectory(configuration), files: options.workDirectory(configuration) + "/files",
        program: Self.functions?.file),
      cgroups: place.cgroups, environment: open.url.withoutPassword(ProcessInfo.processInfo.environment),
      secrets: secrets, credentials: [], notes: notes)
  }
}
