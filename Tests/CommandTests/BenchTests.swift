import Database
import Drivers
import Foundation
import Glibc
import TestSupport
import Testing

/// `eventor-bench` as people call it: what it prints, what it refuses, and what it leaves behind. Never its figures.
@Suite("eventor-bench")
struct BenchTests {
  /// The JSON that it prints.
  struct Measured: Decodable {
    struct Measure: Decodable {
      let name: String
      let unit: String
      let median: Double
      let min: Double
      let max: Double
      let values: [Double]
    }

    struct Ratio: Decodable {
      let name: String
      let value: Double
    }

    let bench: String
    let store: String
    let server: String
    let settings: [String: Int]
    let measures: [Measure]
    let floors: [Measure]
    let ratios: [Ratio]
  }

  static let calls: [[String]] = [
    ["spawn", "--n", "3", "--slots", "2"],
    ["enqueue", "--n", "4", "--clients", "2"],
    ["claim", "--n", "12", "--width", "4", "--agents", "2"],
    ["chain", "--n", "3"],
    ["fanout", "--n", "10"],
    ["pickup", "--n", "2", "--pause", "10"],
    ["idle", "--seconds", "1", "--settle", "0"],
    ["history", "--n", "100", "--history", "700"],
    ["startup", "--n", "1"],
    ["library", "--n", "20", "--width", "4"],
    ["bloat", "--rate", "20", "--seconds", "2"],
  ]

  /// What differs from database to database: schemas, bulk copies, and the floors of the servers' own clients.
  static let onServers = ["claim", "history", "bloat"]
  /// What needs a server.
  static let serverCalls: [[String]] = [
    ["scale", "--agents", "3", "--busy", "2", "--seconds", "2", "--settle", "0", "--connections", "2"]
  ]

  static let cases: [(TestStore.Kind, [String])] = TestStore.all.flatMap { kind in
    calls.filter { kind == .sqlite || onServers.contains($0[0]) }.map { (kind, $0) }
      + (kind == .sqlite ? [] : serverCalls.map { (kind, $0) })
  }

  @Test("every measurement gives figures, floors and ratios, and leaves nothing behind", arguments: cases)
  func measures(kind: TestStore.Kind, words: [String]) async throws {
    try await World.with(kind) { world in
      let call = try world.bench(words + ["--repeat", "1", "--json"])
      let names = try await world.storesMade(by: call)
      let answer = await call.answer()
      #expect(answer.code == 0, "\(answer)")
      let report = try answer.decoded(as: Measured.self)
      #expect(report.bench == words[0])
      #expect(report.store == "\(kind)")
      #expect(!report.server.isEmpty)
      #expect(!report.measures.isEmpty && !report.floors.isEmpty && !report.ratios.isEmpty, "\(answer)")
      for measure in report.measures + report.floors {
        #expect(measure.values.count == 1, "\(measure)")
        #expect(measure.min <= measure.median && measure.median <= measure.max, "\(measure)")
        // An idle agent may well have used less than a clock tick, no row need be dead, a join may be passed with what it
        // joins, and three hops more take no longer than waking up varies by.
        let mayBeNone = ["idle", "bloat", "scale", "fanout", "chain"].contains(words[0])
        #expect(measure.median > 0 || mayBeNone, "\(measure)")
      }
      try await world.expectNothingLeft(of: names)
    }
  }

  @Test("what people read has the figures and their floors")
  func text() async throws {
    try await World.with { world in
      let answer = try await world.bench(["claim", "--n", "2", "--width", "1", "--repeat", "2"]).answer()
      #expect(answer.code == 0, "\(answer)")
      #expect(answer.stdout.contains("steps, locked") && answer.stdout.contains("steps, passed"))
      #expect(answer.lines.contains("floor") && answer.lines.contains("ratio"))
      #expect(answer.stderr.contains("round 2 of 2"))
    }
  }

  @Test("a database that holds runs is refused and left as it is", arguments: TestStore.all)
  func refusesRuns(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: "program: p\nsteps: {s: {host: nowhere}}\n") { world in
      try await world.submit()
      let answer = try await world.bench(["claim", "--n", "1"]).answer()
      #expect(answer.code == 2)
      #expect(answer.stderr.contains("holds runs"), "\(answer)")
      #expect(try await world.report("status", "r").run.status == "running")
    }
  }

  @Test(
    "bad flags end with 2 and a word about what is wrong",
    arguments: [
      ["nonsense"], ["claim", "--n", "0"], ["claim", "--agents", "0"], ["claim", "--slots", "0"],
      ["claim", "--width", "x"], ["claim", "--repeat", "0"], ["claim", "--agent-log", "loud"],
      ["spawn", "--what"],
      ["enqueue", "--clients", "0"], ["chain", "--n", "1"], ["fanout", "--n", "9"],
      ["pickup", "--pause", "0"],
      ["idle", "--seconds", "0"], ["history", "--history", "0"], ["startup", "--n", "-1"],
      ["loop", "--repeat", "0"],
      ["loop", "--repeats", "0"], ["claim", "--store", "sqlite::memory:"],
      ["claim", "--store", "oracle://x"],
      ["claim", "--store", "notag"],
    ])
  func refusesFlags(words: [String]) async throws {
    try await World.with { world in
      let answer = try await world.bench(words).answer()
      #expect(answer.code == 2, "\(answer)")
      #expect(!answer.stderr.isEmpty && answer.stdout.isEmpty, "\(answer)")
    }
  }

  @Test("a measurement without a store, and one that can't be reached, say so")
  func saysWhatIsMissing() async throws {
    try await World.with { world in
      let none = try await world.bench(["claim"], env: ["EVENTOR_STORE": ""]).answer()
      #expect(none.code == 2 && none.stderr.contains("--store"), "\(none)")
      let away = try await world.bench(["claim", "--store", "postgresql://nobody@127.0.0.1:1/x"]).answer()
      #expect(away.code == 4, "\(away)")
      let nowhere = try await world.bench(["claim", "--store", "sqlite:\(world.path("no/such/x.db"))"])
        .answer()
      #expect(nowhere.code == 4, "\(nowhere)")
    }
  }

  @Test("Ctrl-C ends agents and removes what was made", arguments: TestStore.all)
  func interrupted(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let call = try world.bench(["pickup", "--n", "100000", "--pause", "20"])
      try await until("its agent is at work") { world.agents(of: call).count == 1 }
      let names = world.ownStores
      #expect(names.count == 1)
      // As a terminal does: to all processes of the group.
      kill(-call.pid, SIGINT)
      let answer = await call.answer()
      #expect(answer.code == 6, "\(answer)")
      try await world.expectNothingLeft(of: Set(names))
    }
  }

  @Test("an agent that dies is a failure, which leaves nothing behind")
  func agentDies() async throws {
    try await World.with { world in
      let call = try world.bench(["pickup", "--n", "100000", "--pause", "20"])
      try await until("its agent is at work") { world.agents(of: call).count == 1 }
      let names = world.ownStores
      for pid in world.agents(of: call) { kill(pid, SIGKILL) }
      let answer = await call.answer()
      #expect(answer.code == 1 && answer.stderr.contains("an agent has ended"), "\(answer)")
      try await world.expectNothingLeft(of: Set(names))
    }
  }
}

extension World {
  /// Starts `eventor-bench`, which makes its directories in that of the test.
  fileprivate func bench(_ words: [String], env: [String: String] = [:]) throws -> Call {
    try start(words, env: ["TMPDIR": directory].merging(env) { $1 }, executable: Executable.bench)
  }

  /// The names of the stores that measurements have made at the moment; each has a directory of the same name.
  fileprivate var ownStores: [String] {
    // On SQLite it lies beside the file of the store.
    let places = [directory, url.path.map { ($0 as NSString).deletingLastPathComponent } ?? directory]
    return Set(places).flatMap { place in
      ((try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []).filter {
        $0.hasPrefix("eventor_bench_")
      }
    }
  }

  /// The names of all stores that are made until the call is over; at least one is.
  fileprivate func storesMade(by call: Call) async throws -> Set<String> {
    var names: Set<String> = []
    try await until("it has ended") {
      names.formUnion(ownStores)
      return call.isOver
    }
    #expect(!names.isEmpty)
    return names
  }

  /// Its children that are agents.
  fileprivate func agents(of call: Call) -> [pid_t] {
    Leftovers(mark: mark).pids.filter { pid in
      let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
      let stat = FileManager.default.contents(atPath: "/proc/\(pid)/stat") ?? Data()
      // After the name in brackets come the state and the parent.
      let fields = String(decoding: stat, as: UTF8.self).split(separator: ")").last?.split(separator: " ")
      return String(decoding: line, as: UTF8.self).contains("eventor-agent")
        && fields?.dropFirst().first.flatMap { pid_t($0) } == call.pid
    }
  }

  /// No process, no file, and none of the schemas or databases `names`.
  fileprivate func expectNothingLeft(
    of names: Set<String>, from place: SourceLocation = #_sourceLocation
  ) async throws {
    // A keeper goes when it sees that its agent has gone.
    try await until("no process is left", from: place) { Leftovers(mark: mark).pids.isEmpty }
    #expect(ownStores.isEmpty, sourceLocation: place)
    guard kind != .sqlite else { return }
    let pool = Pool(url: url, driver: Drivers.driver(for: url), size: 1)
    let left = try await pool.run { session in
      try session.query(
        "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name IN \(list: names.sorted())"
      ).first?.int(0)
    }
    await pool.close()
    #expect(left == 0, sourceLocation: place)
  }
}
