import ArgumentParser
import Database
import Drivers
import Engine
import Storage

/// `eventor-bench enqueue`.
struct EnqueueBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "enqueue",
    abstract: "How many runs a second are submitted, each of one step, each a transaction of its own.",
    discussion: """
      Calls what `coordinator submit` calls, from --clients connections side by side, with the program registered \
      before. No agent is there.

      Floors: the same statements from a loop in C on one connection, and one commit of this database.

      EXAMPLE
        eventor-bench enqueue --store mysql://eventor@localhost/bench --clients 4
      """)

  @OptionGroup var options: BenchOptions

  @Option(help: "How many connections submit side by side.")
  var clients = 1

  @Option(help: "How many runs.")
  var n = 1000

  func validate() throws {
    try BenchOptions.expect(n, "--n")
    try BenchOptions.expect(clients, "--clients")
  }

  func run() async throws {
    try await Measurement.run(options) { try await measure($0) }
  }

  private func measure(_ place: StorePlace) async throws -> Report {
    let transcript = try await transcript(at: place)
    var (rates, replays): ([Double], [Double]) = ([], [])
    var (times, commits): ([[Double]], [[Double]]) = ([], [])
    for round in 1...options.rounds {
      Progress.say("round \(round) of \(options.rounds)")
      let (rate, each) = try await submitAll(at: place)
      rates.append(rate)
      times.append(each)
      let seconds = try await OwnStore.with(place) { own in
        _ = try await own.register(Programs.wide(1))
        let seconds = try await Floor.open(own.url).replay(transcript)
        let runs = try await own.number("SELECT COUNT(*) FROM ev_run")
        guard runs == Int64(n) else { throw Wrong("the floor submitted \(runs) runs, of \(n)") }
        return seconds
      }
      replays.append(Double(n) / seconds)
      commits.append(try await Commits.time(min(n, 200), at: place))
    }
    var report = Report("enqueue", place, ["n": n, "clients": clients])
    let rate = Measure("runs submitted", "/s", rates)
    let time = Measure("one submission", "ms", rounds: times)
    let same = Measure("the same statements, 1 connection, in C", "/s", replays)
    let commit = Measure("one commit, in C", "ms", rounds: commits)
    report.add(rate)
    report.add(time)
    report.add(Measure("statements for each run", "", [Double(transcript.calls.count) / Double(n)]))
    report.add(floor: same)
    report.add(floor: commit)
    report.compare("runs to the same statements", rate, to: same)
    report.compare("submission to commit", time, to: commit)
    return report
  }

  private func transcript(at place: StorePlace) async throws -> Transcript {
    try await OwnStore.with(place) { own in
      let version = try await own.register(Programs.wide(1))
      let recorder = RecordingDriver(Drivers.driver(for: own.url))
      let pool = Pool(url: own.url, driver: recorder, size: 1)
      _ = try await Self.submit(0..<n, version, SQLStore(pool: pool, caller: InnerAgent.silence))
      await pool.close()
      return recorder.tape.content
    }
  }

  private func submitAll(at place: StorePlace) async throws -> (rate: Double, times: [Double]) {
    try await OwnStore.with(place) { own in
      let version = try await own.register(Programs.wide(1))
      var stores: [SQLStore] = []
      for _ in 0..<clients {
        let pool = Pool(url: own.url, driver: Drivers.driver(for: own.url), size: 1)
        let store = SQLStore(pool: pool, caller: InnerAgent.silence)
        // Connects before the clock starts.
        _ = try await store.programs(named: nil)
        stores.append(store)
      }
      let began = ContinuousClock.now
      let times = try await withThrowingTaskGroup(of: [Double].self) { group in
        for (number, store) in stores.enumerated() {
          let share = (n * number / clients)..<(n * (number + 1) / clients)
          group.addTask { try await Self.submit(share, version, store) }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      let seconds = (ContinuousClock.now - began) / .seconds(1)
      for store in stores { await store.close() }
      return (Double(n) / seconds, times)
    }
  }

  /// Milliseconds of each submission.
  private static func submit(_ numbers: Range<Int>, _ version: ProgramVersion, _ store: SQLStore) async throws
    -> [Double]
  {
    var times: [Double] = []
    for number in numbers {
      let began = ContinuousClock.now
      _ = try await store.submit(.bench(version, id: "r\(number)"))
      times.append((ContinuousClock.now - began) / .milliseconds(1))
    }
    return times
  }
}
