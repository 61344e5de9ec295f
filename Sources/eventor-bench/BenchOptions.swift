import ArgumentParser

/// The options of every measurement on a store of its own.
struct BenchOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Where to measure: sqlite:PATH, postgresql://… or mysql://…, or a tag of the configuration.",
      discussion: "On SQLite a new file in a directory of its own beside PATH."))
  var store: String

  @Option(name: .customLong("repeat"), help: "How often all is measured.")
  var rounds = 3

  @Flag(help: "Print one JSON document.")
  var json = false

  func validate() throws { try Self.expect(rounds, "--repeat") }

  /// Refuses numbers below 1.
  static func expect(_ value: Int, _ flag: String) throws {
    guard value > 0 else { throw ValidationError("\(flag) is a number from 1") }
  }
}

/// The options where agents work.
struct AgentOptions: ParsableArguments {
  @Option(help: "How many agents, each a process of its own on the same host.")
  var agents = 1

  @Option(help: "How many steps each agent runs at once (its --max-concurrent).")
  var slots = 64

  @Option(
    help: "How much the agents log, to a file: info as shipped, notice for nothing on the way of a step.")
  var agentLog = "info"

  func validate() throws {
    try BenchOptions.expect(agents, "--agents")
    try BenchOptions.expect(slots, "--slots")
    guard ["debug", "info", "notice", "warning", "error"].contains(agentLog) else {
      throw ValidationError("--agent-log \(agentLog): use debug, info, notice, warning or error")
    }
  }
}

/// What becomes of steps that do nothing.
enum Handling: String, CaseIterable {
  /// Taken and ended in two transactions, with a lock between them, as steps with an action are: by ``CrewAgent``.
  case locked
  /// Ended where an agent comes by them, as `eventor-agent` does it.
  case passed

  /// Something for each.
  static func each<T>(_ make: (Handling) async throws -> T) async rethrows -> [(Handling, T)] {
    var all: [(Handling, T)] = []
    for handling in allCases { all.append((handling, try await make(handling))) }
    return all
  }
}
