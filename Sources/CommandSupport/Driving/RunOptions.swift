import Agent
public import ArgumentParser
public import Coordinator
public import Engine
import Foundation
public import Model
public import Storage

/// What a new run is called, and where it starts: the options of `run` and `submit`.
public struct NewRunOptions: ParsableArguments {
  /// The id of the run.
  @Option(help: "The id of the run.")
  public var runID: String?

  /// The sequence in which it starts.
  @Option(help: "Start in this sequence instead of those the program says.")
  public var sequence: String?

  /// None said.
  public init() {}

  /// What is wrong with the options by themselves.
  public func validate() throws {
    if let sequence, !Sequence.isValidFromOutside(sequence) {
      throw ValidationError("--sequence \(sequence): use 1 to 64 characters of A-Z a-z 0-9 _ . : -")
    }
    if let runID, !Name.isValid(runID) || runID.utf8.count > 64 {
      throw ValidationError("--run-id \(runID): use 1 to 64 characters of A-Z a-z 0-9 _ . -")
    }
  }
}

extension NewRunOptions {
  /// Begins a run of `program` that this command drives itself, and returns its id.
  public func begin(
    _ program: Program, _ values: ParameterValues, _ running: StepRunningOptions, _ store: SQLStore
  ) async throws -> String {
    let version = try await store.register(program, by: Person.name)
    return try await store.submit(
      Submission(
        program: version, id: runID, parameters: values.open, isStandalone: true, isUnpinned: !running.pin,
        localHost: LocalHost.name, user: Person.name, sequence: sequence.map { Sequence($0) }))
  }

  /// Starts a run of `version` that is left to the agents, and tells it: its end where that is waited for, else its report
  /// as JSON, or its id.
  public func submit(
    _ version: ProgramVersion, _ values: ParameterValues, to open: OpenStore, wait: Bool, json: Bool
  ) async throws {
    let id = try await open.store.submit(
      Submission(
        program: version, id: runID, parameters: values.open, isStandalone: false, isUnpinned: false,
        localHost: LocalHost.name, user: Person.name, sequence: sequence.map { Sequence($0) }))
    try await Self.tell(submitted: id, open, wait: wait, json: json)
  }

  /// Tells a run that was left to the agents.
  static func tell(submitted id: String, _ open: OpenStore, wait: Bool, json: Bool) async throws {
    if wait { return try await Waiting(open: open, json: json, timeout: nil).wait(for: id) }
    if json {
      Say.out(RunJSON.document(try await open.store.report(on: id, recovery: nil, allAttempts: false)))
    } else {
      Say.line(id)
    }
  }

  /// The run to go on with: the one named, or the newest of the program that is not over.
  public func former(of program: String, _ store: SQLStore) async throws -> String {
    if let runID { return try await store.runID(matching: runID) }
    var filter = RunFilter()
    filter.program = program
    let runs = try await store.runs(filter)
    guard let run = runs.first(where: { !$0.status.isOver && $0.isStandalone }) ?? runs.first else {
      throw StoreError(
        .notFound, "program '\(program)' has no run to continue in this store", hint: "leave out --continue")
    }
    return run.id
  }
}

/// `--param`, and where secret values come from.
public struct ParameterOptions: ParsableArguments {
  /// `NAME=VALUE`, as they were typed.
  @Option(
    name: .customLong("param"),
    help: "NAME=VALUE of a parameter; for a secret one NAME=@FILE or NAME=@secret:TAG. Repeatable.")
  public var texts: [String] = []

  /// None said.
  public init() {}

  /// The values of `program`'s parameters; `former` are those that stand unless they are changed.
  public func values(for program: Program, former: [String: JSONValue]? = nil) throws -> ParameterValues {
    try ParameterValues(
      texts, for: program, former: former, environment: ProcessInfo.processInfo.environment,
      readFile: { try String(contentsOfFile: $0, encoding: .utf8) })
  }
}
