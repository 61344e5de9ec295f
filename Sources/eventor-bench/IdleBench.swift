import ArgumentParser
import Foundation

/// `eventor-bench idle`.
struct IdleBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "idle",
    abstract: "What an agent costs that has nothing to do: processor, memory, and queries to its store.",
    discussion: """
      Processor and memory are those of the agents' processes and their keepers, by /proc, for each agent. Queries are \
      counted at an agent inside this process, which does the same in the same time, as no database tells whose \
      queries it has answered. BEGIN and COMMIT are counted apart.

      Floor: a `sleep` of the same machine, as the memory of a process that does nothing.

      EXAMPLE
        eventor-bench idle --store postgresql://eventor@localhost/bench --agents 1 --seconds 60
      """)

  @OptionGroup var options: BenchOptions
  @OptionGroup var crew: AgentOptions

  @Option(help: "For how long, in each round.")
  var seconds = 30

  @Option(help: "How long the agents are left to settle before, in seconds.")
  var settle = 3

  func validate() throws {
    try BenchOptions.expect(seconds, "--seconds")
    guard settle >= 0 else { throw ValidationError("--settle is a number of seconds") }
  }

  func run() async throws {
    try await Measurement.run(options) { try await measure($0) }
  }

  private struct Round {
    var cpu: Double
    var resident: Double
    var statements: Double
    var transactions: Double
    var sleeping: Double
  }

  private func measure(_ place: StorePlace) async throws -> Report {
    var rounds: [Round] = []
    for round in 1...options.rounds {
      Progress.say("round \(round) of \(options.rounds)")
      rounds.append(try await OwnStore.with(place) { try await self.round(on: $0) })
    }
    var report = Report("idle", place, ["agents": crew.agents, "seconds": seconds, "slots": crew.slots])
    let cpu = Measure("processor", "% of a core", rounds.map { $0.cpu * 100 })
    let resident = Measure("resident memory", "MiB", rounds.map(\.resident))
    let queries = Measure("queries", "/s", rounds.map(\.statements))
    report.add(cpu)
    report.add(resident)
    report.add(queries)
    report.add(Measure("transactions around them", "/s", rounds.map(\.transactions)))
    report.add(floor: Measure("resident memory of sleep", "MiB", rounds.map(\.sleeping)))
    report.add(Ratio(name: "processor to its bar", value: (cpu.median / 0.3).short, bar: "0.3 % of a core"))
    report.add(Ratio(name: "memory to its bar", value: (resident.median / 40).short, bar: "40 MiB"))
    report.add(Ratio(name: "queries to their bar", value: queries.median, bar: "1 /s"))
    return report
  }

  private func round(on own: OwnStore) async throws -> Round {
    try await AgentCrew.with(crew, on: own) { agents in
      let inner = try await InnerAgent(on: own, slots: crew.slots, once: false)
      let working = Task { try await inner.work() }
      let result: Result<Round, any Error>
      do {
        result = .success(try await watch(agents, inner))
      } catch {
        result = .failure(error)
      }
      working.cancel()
      // It has been told to end, and says so.
      _ = await working.result
      return try result.get()
    }
  }

  private func watch(_ agents: AgentCrew, _ inner: InnerAgent) async throws -> Round {
    let sleeper = Process()
    sleeper.executableURL = URL(fileURLWithPath: "/bin/sleep")
    sleeper.arguments = ["\(seconds + settle + 60)"]
    try sleeper.run()
    defer { sleeper.terminate() }
    try await Task.sleep(for: .seconds(settle))
    let before = (agents.pids.map { ProcessUse(of: $0).cpu }, inner.sent.calls)
    let began = ContinuousClock.now
    try await Task.sleep(for: .seconds(seconds))
    let passed = (ContinuousClock.now - began) / .seconds(1)
    let uses = agents.pids.map { ProcessUse(of: $0) }
    let sent = inner.sent
    try agents.check()
    let new = sent.calls.dropFirst(before.1.count)
    let plain = new.count { sent.statements[$0.statement].isPlain }
    let cpu = zip(uses, before.0).map { $0.cpu - $1 }.reduce(0, +)
    return Round(
      cpu: cpu / passed / Double(agents.pids.count), resident: uses.map(\.residentMiB).max() ?? 0,
      statements: Double(new.count - plain) / passed, transactions: Double(plain) / 2 / passed,
      sleeping: ProcessUse(of: sleeper.processIdentifier).residentMiB)
  }
}
