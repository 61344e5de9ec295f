import Agent
import ArgumentParser
import CommandSupport
import Database
import Documents
import Drivers
import Engine
import Foundation
import Glibc
import Logging
import Model
import Storage

/// `eventor-bench scale`.
struct ScaleBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scale",
    abstract: "How much of a server many agents need: idle ones, and as many of them busy as is said.",
    discussion: """
      Agents of hosts of their own live in this process and share --connections to the server, as behind a pooler. They \
      are left idle for --seconds; then a run begins each second that has one step that does nothing for each of --busy \
      hosts, for as long again. Agents are not woken: they look once a second, as where wake-ups can't reach them.

      Processor time is that of the server, if it runs on this machine, and of this process, which stands for all agents.

      EXAMPLE
        eventor-bench scale --store postgresql://eventor@localhost/bench --agents 1000 --busy 200 --repeat 1
      """)

  @OptionGroup var options: BenchOptions

  @Option(help: "How many agents.")
  var agents = 1000

  @Option(help: "How many of them have a step each second in the second part.")
  var busy = 200

  @Option(help: "For how long each part goes on.")
  var seconds = 60

  @Option(help: "How long the agents are left to settle before, in seconds.")
  var settle = 10

  @Option(help: "How many connections they share.")
  var connections = 16

  func validate() throws {
    for (value, flag) in [
      (agents, "--agents"), (busy, "--busy"), (seconds, "--seconds"), (connections, "--connections"),
    ] { try BenchOptions.expect(value, flag) }
    guard busy <= agents else { throw ValidationError("--busy is at most the number of --agents") }
    guard settle >= 0 else { throw ValidationError("--settle is a number of seconds") }
  }

  func run() async throws {
    try await Measurement.run(options) { try await measure($0) }
  }

  /// What was used in one part, a second.
  private struct Use {
    var statements = 0.0
    var transactions = 0.0
    var server = 0.0
    var own = 0.0
  }

  private struct Round {
    var idle = Use()
    var busy = Use()
    var waits: [Double] = []
    var late = 0.0
    var commits: [Double] = []
  }

  private func measure(_ place: StorePlace) async throws -> Report {
    guard place.url.kind != .sqlite else {
      throw CommandFailure(
        status: .usage, what: "--store \(place.url)", why: "SQLite has no server to be measured",
        mend: "name a PostgreSQL or MySQL server")
    }
    var rounds: [Round] = []
    for round in 1...options.rounds {
      Progress.say("round \(round) of \(options.rounds)")
      rounds.append(try await OwnStore.with(place) { try await self.round(on: $0) })
    }
    var report = Report(
      "scale", place,
      ["agents": agents, "busy": busy, "seconds": seconds, "connections": connections])
    for (name, part) in [("idle", \Round.idle), ("busy", \Round.busy)] {
      let uses = rounds.map { $0[keyPath: part] }
      report.add(Measure("\(name): statements", "/s", uses.map(\.statements)))
      report.add(Measure("\(name): transactions", "/s", uses.map(\.transactions)))
      report.add(Measure("\(name): the server's processor", "% of a core", uses.map { $0.server * 100 }))
      report.add(Measure("\(name): this process's processor", "% of a core", uses.map { $0.own * 100 }))
    }
    report.add(Measure("busy: from ready to recorded end", "ms", rounds: rounds.map(\.waits)))
    report.add(Measure("heartbeats that were late", "", rounds.map(\.late)))
    report.add(floor: Measure("one commit, in C, with the agents idle", "ms", rounds: rounds.map(\.commits)))
    let each = rounds.map { $0.idle.statements / Double(agents) }.median
    report.add(Ratio(name: "statements a second for each idle agent", value: each.short, bar: "at most 1"))
    return report
  }

  private func round(on own: OwnStore) async throws -> Round {
    let counting = CountingDriver(Drivers.driver(for: own.url))
    let pool = Pool(url: own.url, driver: counting, size: connections)
    let store = SQLStore(pool: pool, caller: InnerAgent.silence)
    let crew = try await enlist(store, own)
    Progress.say("\(agents) agents are there")
    let working = Task {
      try await withThrowingDiscardingTaskGroup { group in
        for agent in crew { group.addTask { _ = try await agent.work() } }
      }
    }
    let result: Result<Round, any Error>
    do { result = .success(try await watch(own, counting.meter)) } catch { result = .failure(error) }
    working.cancel()
    _ = await working.result
    await pool.close()
    return try result.get()
  }

  private func enlist(_ store: SQLStore, _ own: OwnStore) async throws -> [HostAgent] {
    let silent = Logger(label: "scale") { _ in SwiftLogNoOpLogHandler() }
    var crew: [HostAgent] = []
    for number in 1...agents {
      let host = "h\(number)"
      let identity = AgentIdentity(
        host: host, instance: "scale", incarnation: "scale-\(number)", pid: 1, processStart: 1,
        bootID: "none",
        journal: "", version: "bench", isEmbedded: true)
      let key = try await store.enlist(
        identity, as: AgentProfile(capacity: 4, lockFor: TimeSpan(seconds: 30)), isGone: { _ in true })
      crew.append(
        HostAgent(
          store: store, agent: key, executor: NoProcesses(), adopter: nil, probe: nil, capacity: Capacity(4),
          options: HostAgent.Options(host: host, logs: own.directory + "/logs"), log: silent))
    }
    return crew
  }

  private func watch(_ own: OwnStore, _ meter: CountingDriver.Meter) async throws -> Round {
    var round = Round()
    let server = try await ServerUse(of: own)
    if server == nil { Progress.say("the server's processor can't be seen from here: it is given as 0") }
    try await Task.sleep(for: .seconds(settle))
    Progress.say("idle for \(seconds) s")
    round.idle = try await use(server, meter) { try await Task.sleep(for: .seconds(seconds)) }
    round.commits = try await Commits.time(100, in: own)
    Progress.say("busy for \(seconds) s")
    let version = try await own.register(try program())
    round.busy = try await use(server, meter) {
      for second in 1...seconds {
        let next = ContinuousClock.now + .seconds(1)
        try await own.submit(version, id: "r\(second)")
        try await Task.sleep(until: next, clock: .continuous)
      }
    }
    // What was begun last needs a moment more.
    for _ in 0..<200 {
      if try await own.number("SELECT COUNT(*) FROM ev_run WHERE status = 'running'") == 0 { break }
      try await Task.sleep(for: .milliseconds(100))
    }
    round.waits = try await own.rows(
      "SELECT ended_at - ready_at FROM ev_task WHERE status = 'success'"
    ).map { Double(try $0.integer(0)) / 1000 }
    let expected = busy * seconds
    guard round.waits.count == expected else {
      throw Wrong("\(round.waits.count) steps of \(expected) were done: the server does not keep up")
    }
    // A heartbeat comes every 10 s, and locks last 30.
    let before = Int64(Date().timeIntervalSince1970 * 1_000_000) - 20_000_000
    round.late = Double(
      try await own.number("SELECT COUNT(*) FROM ev_agent WHERE heartbeat_at < \(before)"))
    return round
  }

  private func program() throws -> Program {
    let steps = (1...busy).map { "s\($0): {host: h\($0)}" }.joined(separator: ", ")
    return try ProgramDocument.parse("program: scale\nsteps: {\(steps)}", file: "scale.yaml").program
  }

  /// What `body` costs, a second.
  private func use(
    _ server: ServerUse?, _ meter: CountingDriver.Meter, _ body: () async throws -> Void
  ) async throws -> Use {
    let (counts, cpu, own) = (meter.now, server?.cpu ?? 0, ProcessUse(of: getpid()).cpu)
    let began = ContinuousClock.now
    try await body()
    let passed = (ContinuousClock.now - began) / .seconds(1)
    let now = meter.now
    return Use(
      statements: Double(now.statements - counts.statements) / passed,
      transactions: Double(now.transactions - counts.transactions) / passed,
      server: ((server?.cpu ?? 0) - cpu) / passed, own: (ProcessUse(of: getpid()).cpu - own) / passed)
  }
}
