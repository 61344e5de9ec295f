import ArgumentParser
import Database

/// `eventor-bench pickup`.
struct PickupBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pickup",
    abstract: "How long a step that becomes ready waits for an agent that has nothing to do.",
    discussion: """
      Submits a run of one step, waits until it is over, leaves the agent alone for a random time around --pause, and \
      submits the next. Counted by the database's clock, from the moment the step is ready to the moment it is taken.

      Floor: one commit of this database, of which a pick-up has two.

      EXAMPLE
        eventor-bench pickup --store postgresql://eventor@localhost/bench --agents 1
      """)

  @OptionGroup var options: BenchOptions
  @OptionGroup var crew: AgentOptions

  @Option(help: "How many steps.")
  var n = 50

  @Option(help: "How long the agent is left alone before each, on average, in milliseconds.")
  var pause = 400

  func validate() throws {
    try BenchOptions.expect(n, "--n")
    try BenchOptions.expect(pause, "--pause")
  }

  func run() async throws {
    try await Measurement.run(options) { try await measure($0) }
  }

  private func measure(_ place: StorePlace) async throws -> Report {
    var (waits, commits): ([[Double]], [[Double]]) = ([], [])
    for round in 1...options.rounds {
      Progress.say("round \(round) of \(options.rounds)")
      let (wait, commit) = try await OwnStore.with(place) { own in
        let version = try await own.register(Programs.wide(1))
        try await AgentCrew.with(crew, on: own) { agents in
          for number in 0..<n {
            let part = Double(pause) * Double.random(in: 0.5...1.5)
            try await Task.sleep(for: .microseconds(Int64(part * 1000)))
            try await own.submit(version, id: "r\(number)")
            try await agents.awaitEnds(in: own, every: .milliseconds(20))
          }
        }
        let waits = try await own.rows("SELECT started_at - ready_at FROM ev_task").map {
          Double(try $0.integer(0)) / 1000
        }
        return (waits, try await Commits.time(200, in: own))
      }
      waits.append(wait)
      commits.append(commit)
    }
    var report = Report(
      "pickup", place, ["n": n, "pause": pause, "agents": crew.agents, "slots": crew.slots])
    let wait = Measure("from ready to taken", "ms", rounds: waits)
    let commit = Measure("one commit, in C", "ms", rounds: commits)
    report.add(wait)
    report.add(floor: commit)
    report.compare("pick-up to commit", wait, to: commit)
    let bar = place.url.kind == .mysql ? (25.0, 100.0) : (5.0, 20.0)
    report.add(Ratio(name: "p50 to its bar", value: ((wait.p50 ?? 0) / bar.0).short, bar: "\(Int(bar.0)) ms"))
    report.add(Ratio(name: "p99 to its bar", value: ((wait.p99 ?? 0) / bar.1).short, bar: "\(Int(bar.1)) ms"))
    return report
  }
}
