import ArgumentParser

/// `eventor-bench chain`.
struct ChainBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chain",
    abstract:
      "How long it takes from the end of one step to the end of the next, when each waits for the one before.",
    discussion: """
      Runs of steps that do nothing, each after the one before. Several ends may be recorded in one transaction, and then \
      at one moment, so the clock on the wall tells: a run of --n steps and one of twice as many are timed from the moment \
      the agents may begin to the one at which the run is seen to be over, and a hop is what the longer one takes more, over \
      --n. What comes before the first end and after the last, which `pickup` measures, is so left out; the whole of the \
      shorter one is told too. Once with steps that are taken and ended in two transactions, as those with an action are \
      (locked), and once as steps without one are handled by eventor-agent (passed).

      Floors: one commit of this database, the smallest change of one row, through its C client; and the statements \
      that one agent sends for the same run, from a loop in C.

      EXAMPLE
        eventor-bench chain --store postgresql://eventor@localhost/bench
      """)

  @OptionGroup var options: BenchOptions
  @OptionGroup var crew: AgentOptions

  @Option(help: "How many steps.")
  var n = 200

  func validate() throws {
    guard n > 1 else { throw ValidationError("--n is a number from 2: one step is no chain") }
  }

  func run() async throws {
    try await Measurement.run(options) { try await measure($0) }
  }

  private func measure(_ place: StorePlace) async throws -> Report {
    let prepare = preparation(n)
    let transcripts = try await Handling.each { handling in
      try await InnerAgent.transcript(at: place, slots: crew.slots, handling, prepare: prepare)
    }
    var hops: [Handling: [Double]] = [:]
    var wholes: [Handling: [Double]] = [:]
    var replays: [Handling: [Double]] = [:]
    var commits: [[Double]] = []
    for round in 1...options.rounds {
      Progress.say("round \(round) of \(options.rounds)")
      for (handling, transcript) in transcripts {
        var (short, long): ([Double], [Double]) = ([], [])
        for _ in 1...Self.pairs {
          short.append(try await seconds(n, handling, at: place))
          long.append(try await seconds(2 * n, handling, at: place))
        }
        wholes[handling, default: []].append(short.median * 1000 / Double(n))
        // Of a few steps that takes less than waking up varies by.
        hops[handling, default: []].append(max(0, long.median - short.median) * 1000 / Double(n))
        let replay = try await InnerAgent.replay(
          transcript, at: place, slots: crew.slots, tasks: n, prepare: prepare)
        replays[handling, default: []].append(replay * 1000 / Double(n))
      }
      commits.append(try await Commits.time(n, at: place))
    }
    var report = Report("chain", place, ["n": n, "agents": crew.agents, "slots": crew.slots])
    let commit = Measure("one commit, in C", "ms", rounds: commits)
    report.add(floor: commit)
    for (handling, transcript) in transcripts {
      let hop = Measure("one hop, \(handling)", "ms", hops[handling] ?? [])
      let same = Measure("the statements of a hop, \(handling), in C", "ms", replays[handling] ?? [])
      report.add(hop)
      report.add(Measure("the whole run, a step, \(handling)", "ms", wholes[handling] ?? []))
      report.add(
        Measure("statements for each hop, \(handling)", "", [Double(transcript.calls.count) / Double(n)]))
      report.add(floor: same)
      report.compare("hop, \(handling), to commit", hop, to: commit, bar: "at most 3")
      report.compare("hop, \(handling), to the same statements", hop, to: same)
    }
    return report
  }

  /// Of each length, the median of so many: what an agent takes to wake up varies by more than a hop.
  private static let pairs = 5

  private func preparation(_ length: Int) -> @Sendable (OwnStore) async throws -> Void {
    { own in
      let version = try await own.register(Programs.chain(length))
      try await own.submit(version, id: "r")
      try await own.analyze()
    }
  }

  /// From the moment the agents may begin to the end of a chain.
  private func seconds(_ length: Int, _ handling: Handling, at place: StorePlace) async throws -> Double {
    let prepare = preparation(length)
    return try await OwnStore.with(place) { own in
      try await AgentCrew.work(crew, handling, on: own, every: .milliseconds(1)) { try await prepare(own) }
    }
  }
}
