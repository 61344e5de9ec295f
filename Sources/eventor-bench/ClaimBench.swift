import ArgumentParser

/// `eventor-bench claim`.
struct ClaimBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "claim",
    abstract: "How many steps a second agents take and end, when many are ready and none does anything.",
    discussion: """
      Submits runs of --width steps each, --n steps in all, and lets the agents begin at one moment. Counted from then on \
      until all runs are seen to be over. Once with steps that are taken and ended in two transactions, as those with an action \
      are (locked), and once as steps without one are handled by eventor-agent (passed).

      Floors: the statements that one agent sends for the same work, from a loop in C on one connection; and a bare \
      queue of one table, from which as many connections as agents take 100 rows with one UPDATE and complete them \
      with another, in C and, on PostgreSQL, by pgbench where it is installed.

      EXAMPLE
        eventor-bench claim --store postgresql://eventor@localhost/bench --agents 2 --n 20000
      """)

  @OptionGroup var options: BenchOptions
  @OptionGroup var crew: AgentOptions

  @Option(help: "How many steps, rounded up to whole runs.")
  var n = 10_000

  @Option(help: "How many steps each run has.")
  var width = 100

  func validate() throws {
    try BenchOptions.expect(n, "--n")
    try BenchOptions.expect(width, "--width")
  }

  func run() async throws {
    try await Measurement.run(options) { try await measure($0) }
  }

  private func measure(_ place: StorePlace) async throws -> Report {
    let runs = (n + width - 1) / width
    let tasks = runs * width
    let prepare: @Sendable (OwnStore) async throws -> Void = { own in
      let version = try await own.register(Programs.wide(width))
      for number in 0..<runs { try await own.submit(version, id: "r\(number)") }
      try await own.analyze()
    }
    let transcripts = try await Handling.each { handling in
      Progress.say("writing down what one agent sends: \(handling)")
      return try await InnerAgent.transcript(at: place, slots: crew.slots, handling, prepare: prepare)
    }
    var paces: [Handling: [Double]] = [:]
    var replays: [Handling: [Double]] = [:]
    var (bare, pgbench): ([Double], [Double]) = ([], [])
    for round in 1...options.rounds {
      for (handling, transcript) in transcripts {
        Progress.say("round \(round) of \(options.rounds): \(handling)")
        let seconds = try await OwnStore.with(place) { own in
          try await AgentCrew.work(crew, handling, on: own) { try await prepare(own) }
        }
        paces[handling, default: []].append(Double(tasks) / seconds)
        let replay = try await InnerAgent.replay(
          transcript, at: place, slots: crew.slots, tasks: tasks, prepare: prepare)
        replays[handling, default: []].append(Double(tasks) / replay)
      }
      let (loop, other) = try await OwnStore.with(place) { own in
        let loop = try await QueueFloor.work(tasks, workers: crew.agents, in: own)
        return (loop, try await QueueFloor.workByPgbench(tasks, workers: crew.agents, in: own))
      }
      bare.append(loop)
      if let other { pgbench.append(other) }
    }
    var report = Report(
      "claim", place, ["n": tasks, "width": width, "agents": crew.agents, "slots": crew.slots])
    let queue = Measure("a bare queue by 100, \(crew.agents) connections, in C", "/s", bare)
    let other = Measure("the bare queue by pgbench", "/s", pgbench)
    for (handling, transcript) in transcripts {
      let pace = Measure("steps, \(handling)", "/s", paces[handling] ?? [])
      let same = Measure(
        "the statements of steps, \(handling), 1 connection, in C", "/s", replays[handling] ?? [])
      report.add(pace)
      report.add(
        Measure("statements for each step, \(handling)", "", [Double(transcript.calls.count) / Double(tasks)])
      )
      report.add(floor: same)
      report.compare(
        "steps, \(handling), to the same statements", pace, to: same,
        bar: place.url.kind == .sqlite ? "SQLite 0.6" : nil)
      report.compare("steps, \(handling), to the bare queue", pace, to: queue)
      if !pgbench.isEmpty {
        report.compare("steps, \(handling), to pgbench", pace, to: other, bar: "1.8, as pgqueuer")
      }
    }
    report.add(floor: queue)
    if !pgbench.isEmpty { report.add(floor: other) }
    return report
  }
}
