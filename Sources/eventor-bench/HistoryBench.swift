import ArgumentParser

/// `eventor-bench history`.
struct HistoryBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history",
    abstract:
      "Whether work goes as fast when millions of finished steps are in the database as in an empty one.",
    discussion: """
      Two stores side by side: one empty, and one in which a finished run of 100 steps was copied, row by row, until \
      there are --history finished steps. In each round the same runs are done in both, one after the other. The empty \
      store is the floor.

      EXAMPLE
        eventor-bench history --store postgresql://eventor@localhost/bench --history 10000000
      """)

  @OptionGroup var options: BenchOptions
  @OptionGroup var crew: AgentOptions

  @Option(help: "How many steps are done in each round, in runs of 100.")
  var n = 5000

  @Option(help: "How many finished steps there are before.")
  var history = 1_000_000

  func validate() throws {
    try BenchOptions.expect(n, "--n")
    try BenchOptions.expect(history, "--history")
  }

  func run() async throws {
    try await Measurement.run(options) { try await measure($0) }
  }

  private func measure(_ place: StorePlace) async throws -> Report {
    let past = (history + Self.width - 1) / Self.width
    let (full, empty) = try await OwnStore.with(place) { full in
      try await prepare(full)
      try await PastRuns(own: full, template: "template").copy(past)
      return try await OwnStore.with(place) { empty in
        try await prepare(empty)
        var (paces, floors): ([Double], [Double]) = ([], [])
        for round in 1...options.rounds {
          Progress.say("round \(round) of \(options.rounds)")
          // Which goes first alternates: the second may find the machine warmed up.
          for isFull in round.isMultiple(of: 2) ? [true, false] : [false, true] {
            let pace = try await work(round, on: isFull ? full : empty)
            if isFull { paces.append(pace) } else { floors.append(pace) }
          }
        }
        return (paces, floors)
      }
    }
    var report = Report(
      "history", place,
      ["n": runs * Self.width, "history": past * Self.width, "agents": crew.agents, "slots": crew.slots])
    let pace = Measure("steps, with the history", "/s", full)
    let floor = Measure("steps, in an empty store", "/s", empty)
    report.add(pace)
    report.add(floor: floor)
    report.compare("with history to empty", pace, to: floor, bar: "0.9")
    return report
  }

  private static let width = 100
  private var runs: Int { (n + Self.width - 1) / Self.width }

  /// One finished run, in both stores.
  private func prepare(_ own: OwnStore) async throws {
    try await own.submit(try await own.register(Programs.wide(Self.width)), id: "template")
    _ = try await InnerAgent(on: own, slots: crew.slots).work()
  }

  private func work(_ round: Int, on own: OwnStore) async throws -> Double {
    let seconds = try await AgentCrew.work(crew, .locked, on: own) {
      let version = try await own.register(Programs.wide(Self.width))
      for number in 0..<runs { try await own.submit(version, id: "round-\(round)-\(number)") }
    }
    return Double(runs * Self.width) / seconds
  }
}
