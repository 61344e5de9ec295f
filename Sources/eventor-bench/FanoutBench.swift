import ArgumentParser

/// `eventor-bench fanout`.
struct FanoutBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fanout",
    abstract: "One step that starts many, which start one: whether ten times as many take ten times as long.",
    discussion: """
      A run of one step, a foreach of --n items over a step that does nothing, and one step after all of them; and the \
      same with a tenth of the items. The join is the time from the last end of an item to the end of the step after, \
      by the database's clock; none where both are recorded in one transaction. Once with steps that are taken and ended in \
      two transactions, as those with an action are (locked), and once as steps without one are handled by eventor-agent \
      (passed).

      Floor: the statements that one agent sends for the same run, from a loop in C on one connection.

      EXAMPLE
        eventor-bench fanout --store sqlite:/var/tmp/bench.db --n 10000
      """)

  @OptionGroup var options: BenchOptions
  @OptionGroup var crew: AgentOptions

  @Option(help: "How many items; 10 or more.")
  var n = 10_000

  func validate() throws {
    guard n >= 10 else { throw ValidationError("--n is a number from 10: a tenth of it is measured too") }
  }

  func run() async throws {
    try await Measurement.run(options) { try await measure($0) }
  }

  private func measure(_ place: StorePlace) async throws -> Report {
    var report = Report("fanout", place, ["n": n, "agents": crew.agents, "slots": crew.slots])
    for handling in Handling.allCases {
      Progress.say("writing down what one agent sends: \(handling)")
      let transcript = try await InnerAgent.transcript(at: place, slots: crew.slots, handling) {
        try await prepare(n, $0)
      }
      var (large, small, replays): ([Double], [Double], [Double]) = ([], [], [])
      var joins: [Double] = []
      for round in 1...options.rounds {
        Progress.say("round \(round) of \(options.rounds): \(handling)")
        large.append(try await fan(n, handling, at: place, &joins))
        var others: [Double] = []
        small.append(try await fan(n / 10, handling, at: place, &others))
        let seconds = try await InnerAgent.replay(
          transcript, at: place, slots: crew.slots, tasks: n + 2, prepare: { try await prepare(n, $0) })
        replays.append(Double(n + 2) / seconds)
      }
      let whole = Measure("steps, \(handling), of \(n) at once", "/s", large)
      let tenth = Measure("steps, \(handling), of \(n / 10) at once", "/s", small)
      let same = Measure("the statements of steps, \(handling), 1 connection, in C", "/s", replays)
      report.add(whole)
      report.add(tenth)
      report.add(
        Measure("statements for each step, \(handling)", "", [Double(transcript.calls.count) / Double(n + 2)])
      )
      report.add(Measure("the join after the last end, \(handling)", "ms", joins))
      report.add(floor: same)
      report.compare(
        "pace at \(n) to pace at \(n / 10), \(handling)", whole, to: tenth, bar: "1: linear; join 100 ms")
      report.compare("steps, \(handling), to the same statements", whole, to: same)
    }
    return report
  }

  private func prepare(_ count: Int, _ own: OwnStore) async throws {
    try await own.submit(try await own.register(Programs.fan(count)), id: "r")
    try await own.analyze()
  }

  private func fan(
    _ count: Int, _ handling: Handling, at place: StorePlace, _ joins: inout [Double]
  ) async throws -> Double {
    let (pace, join) = try await OwnStore.with(place) { own in
      let seconds = try await AgentCrew.work(crew, handling, on: own) { try await prepare(count, own) }
      let last = try await own.number("SELECT MAX(ended_at) FROM ev_task WHERE step = 'fan'")
      let end = try await own.number("SELECT MAX(ended_at) FROM ev_task WHERE step = 'join'")
      return (Double(count + 2) / seconds, Double(end - last) / 1000)
    }
    joins.append(join)
    return pace
  }
}
