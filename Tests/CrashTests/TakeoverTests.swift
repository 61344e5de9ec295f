import Database
import Drivers
import Foundation
import Glibc
import TestSupport
import Testing

/// Two processes and one run (rules 7 and 8).
@Suite("Of two processes one drives a run", .serialized, .timeLimit(.minutes(5)))
struct TakeoverTests {
  private static let id = "one"

  /// A process that drives a run of which `slow` runs for `seconds`.
  private func begin(_ world: World, slow seconds: String, _ more: [String] = []) async throws -> Launched {
    try world.write("two.yaml", CrashProgram.two(slow: seconds))
    let first = try world.start(words(world) + more, journalOf: Self.id)
    try await until("slow runs; \(first.stderr)") { world.journal(of: Self.id).starts["slow 1"] == 1 }
    return first
  }

  private func words(_ world: World) -> [String] {
    ["run", world.path("two.yaml"), "--run-id", Self.id, "--quiet"]
  }

  private func expectOnce(_ world: World, from place: SourceLocation = #_sourceLocation) async throws {
    let journal = world.journal(of: Self.id)
    #expect(
      journal.lines.filter(\.isStart).map(\.execution) == ["slow 1 0.1", "next 1 0.1"], sourceLocation: place)
    #expect(journal.successes == ["slow 1": 1, "next 1": 1], sourceLocation: place)
    let report = try #require(try await world.report(on: Self.id), sourceLocation: place)
    #expect(report.outcome.status == "success", sourceLocation: place)
    #expect(report.tasks.map(\.exitCode) == [0, 0], sourceLocation: place)
    try await world.expectConsistent(from: place)
  }

  @Test(
    "a second is refused as long as the first lives, and goes on with its steps when it is killed",
    arguments: TestStore.all)
  func killed(_ kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let first = try await begin(world, slow: "3")
      let refused = try world.start(words(world) + ["--continue"], journalOf: Self.id)
      #expect(try await refused.ended() == .exited(1))
      #expect(refused.stderr.contains("process \(first.pid) on \(Self.host)"), "\(refused.stderr)")
      #expect(try await first.crash())
      // Twice over: the third finds a step that the first started and the second went on with.
      let second = try world.start(words(world) + ["--continue"], journalOf: Self.id)
      try await until("the second has taken over; \(second.stderr)") { try await isTended(by: second, world) }
      #expect(try await second.crash())
      try await world.start(words(world) + ["--continue"], journalOf: Self.id).succeeded()
      try await expectOnce(world)
    }
  }

  @Test("a step that ends while nobody drives the run has the end it had", arguments: ["0", "7"])
  func endedAlone(_ code: String) async throws {
    try await World.with(.sqlite) { world in
      let text = CrashProgram.two(slow: "0.3").replacing("0.3 0", with: "0.3 \(code)")
      for isRecovered in [false, true] {
        let id = "alone-\(isRecovered)"
        try world.write("two.yaml", text)
        let words = ["run", world.path("two.yaml"), "--run-id", id, "--quiet"]
        let first = try world.start(words, journalOf: id)
        try await until("slow runs; \(first.stderr)") { world.journal(of: id).starts["slow 1"] == 1 }
        #expect(try await first.crash())
        try await until("the keeper ends") { world.leftovers().isEmpty }
        let next = try world.start(
          isRecovered ? ["recover", id, "--quiet"] : words + ["--continue"], journalOf: id)
        #expect(try await next.ended() == .exited(code == "0" ? 0 : 1), "\(next.stderr)")
        let report = try #require(try await world.report(on: id))
        let slow = try #require(report.tasks.first { $0.step == "slow" })
        #expect(slow.exitCode == Int(code))
        // Recovery runs a failed step again; that is what it is for.
        let isAgain = isRecovered && code != "0"
        #expect(world.journal(of: id).starts["slow 1"] == (isAgain ? 2 : 1))
        #expect(world.journal(of: id).doubled == [])
      }
      try await world.expectConsistent()
    }
  }

  /// A stopped process is there, so nobody takes its run, however long its locks have expired and however long it
  /// has not been heard of: nobody else can know that it will not go on.
  @Test("one that was stopped past its locks keeps its run, and goes on", arguments: TestStore.all)
  func stopped(_ kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try world.write("locks.yaml", "lock_for: 150ms\npoll: 100ms\n")
      let first = try await begin(world, slow: "1", ["--config", world.path("locks.yaml")])
      try await stop(first, world)
      try await until("its lock has expired") {
        try await number(
          "SELECT COUNT(*) FROM ev_task WHERE holder IS NOT NULL AND lock_until < \(now(world))", world) == 1
      }
      // Silence of two minutes, made instead of waited for.
      try await execute("UPDATE ev_run SET tended_at = tended_at - 120000000", world)
      let refused = try world.start(words(world) + ["--continue"], journalOf: Self.id)
      #expect(try await refused.ended() == .exited(1))
      #expect(refused.stderr.contains("process \(first.pid) on \(Self.host)"), "\(refused.stderr)")
      let recover = try world.start(["recover", Self.id, "--quiet"], journalOf: Self.id)
      #expect(try await recover.ended() == .exited(1))
      try await until("slow ends") { world.journal(of: Self.id).successes["slow 1"] == 1 }
      first.signal(SIGCONT)
      try await first.succeeded()
      #expect(!first.stderr.contains("taken over"), "\(first.stderr)")
      try await expectOnce(world)
    }
  }

  private static let host: String = {
    var buffer = [CChar](repeating: 0, count: 256)
    gethostname(&buffer, 255)
    let name = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    return String(name.prefix { $0 != "." })
  }()

  // MARK: The store, looked at from beside

  private func isTended(by process: Launched, _ world: World) async throws -> Bool {
    let holders = try await number(
      "SELECT COUNT(*) FROM ev_task t JOIN ev_agent a ON a.agent_key = t.holder WHERE a.pid = \(process.pid)",
      world)
    return holders == 1
  }

  /// Stops a process where it is in no transaction: its locks would keep the tests waiting, and not the run.
  private func stop(_ process: Launched, _ world: World) async throws {
    let look =
      world.kind == .sqlite
      ? "UPDATE ev_run SET tended_at = tended_at WHERE run_key < 0 RETURNING 1"
      : "SELECT 1 FROM ev_run r CROSS JOIN ev_agent a FOR UPDATE NOWAIT"
    for _ in 0..<200 {
      process.signal(SIGSTOP)
      do {
        _ = try await number(look, world)
        return
      } catch is DatabaseError {
        process.signal(SIGCONT)
        // Another moment of it, as many as are needed: its transactions are short and come every 50 ms.
        try await Task.sleep(for: .milliseconds(20))
      }
    }
    Issue.record("it was in a transaction whenever it was stopped")
  }

  private func now(_ world: World) -> String { Dialect(world.url.kind).now }

  private func number(_ sql: String, _ world: World) async throws -> Int {
    try await withPool(world) { pool in
      try await pool.run { try $0.query("\(raw: sql)").first?.int(0) ?? 0 }
    }
  }

  private func execute(_ sql: String, _ world: World) async throws {
    try await withPool(world) { pool in try await pool.run { try $0.executeScript(sql) } }
  }
}

/// Hands `body` connections of the test's own to the world's store.
func withPool<T>(_ world: World, _ body: (Pool) async throws -> T) async throws -> T {
  let pool = Pool(url: world.url, driver: Drivers.driver(for: world.url), size: 1)
  let result: Result<T, any Error>
  do { result = .success(try await body(pool)) } catch { result = .failure(error) }
  await pool.close()
  return try result.get()
}
