import ArgumentParser
import CommandSupport
import Database
import Drivers
import Engine
import Foundation

/// `eventor-bench bloat`.
struct BloatBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bloat",
    abstract: "Whether steps are taken as quickly after a long steady load as at its start.",
    discussion: """
      Runs of ten steps that do nothing are begun at a steady pace of --rate steps a second, for --seconds. Beside them, on \
      a server, a transaction stays open all the while that has seen the store empty, so that nothing that was \
      overwritten since can be cleared away. Compared are the first and the last tenth of the time: from ready to taken, \
      by the database's clock.

      EXAMPLE
        eventor-bench bloat --store postgresql://eventor@localhost/bench --agents 2 --seconds 600 --repeat 1
      """)

  @OptionGroup var options: BenchOptions
  @OptionGroup var crew: AgentOptions

  @Option(help: "Steps a second.")
  var rate = 200

  @Option(help: "For how long.")
  var seconds = 600

  /// Steps of each run.
  private static let width = 10

  func validate() throws {
    try BenchOptions.expect(rate, "--rate")
    try BenchOptions.expect(seconds, "--seconds")
    guard rate >= Self.width else { throw ValidationError("--rate is a number from \(Self.width)") }
  }

  func run() async throws {
    try await Measurement.run(options) { try await measure($0) }
  }

  private struct Round {
    var first: [Double] = []
    var last: [Double] = []
    var pace = 0.0
    var dead = 0.0
    var sizeMiB = 0.0
  }

  private func measure(_ place: StorePlace) async throws -> Report {
    var rounds: [Round] = []
    for round in 1...options.rounds {
      Progress.say("round \(round) of \(options.rounds)")
      rounds.append(try await OwnStore.with(place) { try await self.round(on: $0) })
    }
    var report = Report(
      "bloat", place, ["rate": rate, "seconds": seconds, "agents": crew.agents, "slots": crew.slots])
    let first = Measure("from ready to taken, first tenth", "ms", rounds: rounds.map(\.first))
    let last = Measure("from ready to taken, last tenth", "ms", rounds: rounds.map(\.last))
    report.add(last)
    report.add(Measure("steps recorded", "/s", rounds.map(\.pace)))
    report.add(Measure("dead rows at the end", "", rounds.map(\.dead)))
    report.add(Measure("size of the store at the end", "MiB", rounds.map(\.sizeMiB)))
    report.add(floor: first)
    report.add(
      Ratio(
        name: "p99 of the last tenth to the first",
        value: ((last.p99 ?? 0) / Swift.max(first.p99 ?? 1, 0.001)).short, bar: "at most 2"))
    return report
  }

  private func round(on own: OwnStore) async throws -> Round {
    let version = try await own.register(Programs.wide(Self.width))
    let began = try await AgentCrew.with(crew, .locked, on: own) { agents in
      try await besideOpenTransaction(on: own) {
        let began = try await own.number("SELECT \(raw: own.dialect.now)")
        try await load(version, agents, own)
        return began
      }
    }
    var round = Round()
    let rows = try await own.rows(
      "SELECT ready_at, started_at - ready_at, ended_at FROM ev_task WHERE status = 'success'")
    let span = Int64(seconds) * 100_000
    for row in rows {
      let (at, wait) = (try row.integer(0) - began, Double(try row.integer(1)) / 1000)
      if at < span { round.first.append(wait) }
      if at >= span * 9 { round.last.append(wait) }
    }
    let end = try rows.map { try $0.integer(2) }.max() ?? began
    round.pace = Double(rows.count) / (Double(max(1, end - began)) / 1e6)
    (round.dead, round.sizeMiB) = try await size(of: own)
    return round
  }

  /// Begins runs at a steady pace; one that is late is made up for, so that the load does not grow less when the server does.
  private func load(_ version: ProgramVersion, _ agents: AgentCrew, _ own: OwnStore) async throws {
    let pause = Duration.seconds(1) * Self.width / rate
    let began = ContinuousClock.now
    var next = began
    var number = 0
    while next - began < .seconds(seconds) {
      number += 1
      try await own.submit(version, id: "r\(number)")
      next += pause
      if number % 1000 == 0 {
        try agents.check()
        Progress.say("\(number * Self.width) steps")
      }
      if next > .now { try await Task.sleep(until: next, clock: .continuous) }
    }
    try await agents.awaitEnds(in: own)
  }

  /// Does `body` beside a transaction that keeps what it has seen. SQLite's would keep the log from being taken back, not
  /// rows, and is left out.
  private func besideOpenTransaction<T: Sendable>(
    on own: OwnStore, _ body: () async throws -> T
  ) async throws -> T {
    guard own.url.kind != .sqlite else { return try await body() }
    let pool = Pool(url: own.url, driver: Drivers.driver(for: own.url), size: 1)
    try await pool.run { session in
      try session.executeScript(
        session.dialect.kind == .postgresql
          ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
          : "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
      _ = try session.query("SELECT COUNT(*) FROM ev_task")
    }
    let result: Result<T, any Error>
    do { result = .success(try await body()) } catch { result = .failure(error) }
    try await pool.run { try $0.executeScript("COMMIT") }
    await pool.close()
    return try result.get()
  }

  private func size(of own: OwnStore) async throws -> (dead: Double, sizeMiB: Double) {
    switch own.url.kind {
    case .sqlite:
      let pages = try await own.number(
        "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
      return (0, Double(pages) / 1_048_576)
    case .postgresql:
      // Counts reach the statistics with a delay.
      try await Task.sleep(for: .seconds(2))
      let dead = try await own.number(
        "SELECT COALESCE(SUM(n_dead_tup), 0)::bigint FROM pg_stat_user_tables WHERE schemaname = current_schema()"
      )
      let bytes = try await own.number(
        """
        SELECT COALESCE(SUM(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
        """)
      return (Double(dead), Double(bytes) / 1_048_576)
    case .mysql:
      let dead = try await own.number(
        "SELECT CAST(count AS SIGNED) FROM information_schema.innodb_metrics WHERE name = 'trx_rseg_history_len'"
      )
      let bytes = try await own.number(
        """
        SELECT CAST(COALESCE(SUM(data_length + index_length), 0) AS SIGNED) FROM information_schema.tables
        WHERE table_schema = DATABASE()
        """)
      return (Double(dead), Double(bytes) / 1_048_576)
    }
  }
}
