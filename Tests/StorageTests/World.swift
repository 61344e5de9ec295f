import Database
import Documents
import Drivers
import Engine
import Model
import Storage
import TestSupport
import Testing

/// A fresh store, and stores on it that know nothing of each other, as those of several processes.
struct World: Sendable {
  let kind: TestStore.Kind
  let stores: [SQLStore]
  /// For looking at rows, and for damaging them.
  let pool: Pool

  var store: SQLStore { stores[0] }

  /// Registers the program that `text` is the rest of the file of.
  func register(_ text: String, named name: String = "t") async throws -> ProgramVersion {
    let program = try ProgramDocument.parse("program: \(name)\n" + text, file: "t.yaml").program
    return try await store.register(program, by: "tester@here")
  }

  func submit(
    _ version: ProgramVersion, id: String? = nil, parameters: [String: JSONValue] = [:],
    isStandalone: Bool = true,
    isUnpinned: Bool = true
  ) async throws -> String {
    try await store.submit(
      Submission(
        program: version, id: id, parameters: parameters, isStandalone: isStandalone, isUnpinned: isUnpinned,
        localHost: "here", user: "tester@here"))
  }

  /// Registers and submits.
  func start(_ text: String, parameters: [String: JSONValue] = [:], isUnpinned: Bool = true) async throws
    -> String
  {
    try await submit(register(text), parameters: parameters, isUnpinned: isUnpinned)
  }

  func worker(_ name: String = "w", on index: Int = 0, host: String? = nil) async throws -> Worker {
    let identity = AgentIdentity(
      host: "here", instance: name, incarnation: "\(name)-\(index)", pid: 1, processStart: 2, bootID: "b",
      journal: "/j", version: "1", isEmbedded: true)
    return Worker(store: stores[index], agent: try await stores[index].enlist(identity), host: host)
  }

  @discardableResult
  func execute(_ sql: SQL) async throws -> Int { try await pool.run { try $0.execute(sql) } }

  func rows(_ sql: SQL) async throws -> [Row] { try await pool.run { try $0.query(sql) } }

  func count(_ table: String, where condition: SQL = "1 = 1") async throws -> Int {
    try await rows("SELECT COUNT(*) FROM \(identifier: table) WHERE \(condition)").first?.int(0) ?? 0
  }

  func report(_ run: String, recovery: Int? = nil, allAttempts: Bool = false) async throws -> RunReport {
    try await store.report(on: run, recovery: recovery, allAttempts: allAttempts)
  }

  /// The tasks of the run's newest recovery and what became of them.
  func statuses(_ run: String) async throws -> [String: TaskStatus] {
    Dictionary(
      uniqueKeysWithValues: try await report(run).tasks.map { ("\($0.step)/\($0.sequence)", $0.status) })
  }

  /// Nothing is wrong with the store.
  func expectSound(sourceLocation: SourceLocation = #_sourceLocation) async throws {
    let faults = try await store.check()
    #expect(faults.isEmpty, "\(faults.joined(separator: "\n"))", sourceLocation: sourceLocation)
  }
}

/// One agent at one store.
struct Worker: Sendable {
  let store: SQLStore
  let agent: Int64
  var host: String?

  func advance(_ run: String, ends: [TaskEnd] = [], slots: Int = 0) async throws -> Advance {
    try await store.advance(
      AdvanceRequest(
        run: run, agent: agent, ends: ends, slots: slots, lockFor: TimeSpan(seconds: 30), host: host,
        localHost: "here"))
  }

  func claim(_ run: String, _ slots: Int = 100) async throws -> [Claim] {
    try await advance(run, slots: slots).claims
  }

  @discardableResult
  func end(_ run: String, _ claims: [Claim], as status: TaskStatus = .success) async throws -> Advance {
    try await advance(run, ends: claims.map { $0.end(status) })
  }

  /// Works on the run until it is over or nothing of it can be done now; returns what was taken, in order.
  @discardableResult
  func drain(
    _ run: String, slots: Int = 100, _ outcome: @Sendable (Claim) -> Outcome = { _ in Outcome(.success) }
  ) async throws -> [String] {
    var taken: [String] = []
    var ends: [TaskEnd] = []
    while true {
      let advance = try await advance(run, ends: ends, slots: slots)
      taken += advance.claims.map(\.name)
      ends = advance.claims.map { TaskEnd(number: $0.task.number, fence: $0.fence, outcome: outcome($0)) }
      if ends.isEmpty {
        guard !advance.status.isOver, advance.nextDue == 0 else { return taken }
      }
    }
  }
}

extension Claim {
  var name: String { "\(task.step)/\(task.sequence)" }

  func end(_ status: TaskStatus = .success) -> TaskEnd {
    TaskEnd(number: task.number, fence: fence, outcome: Outcome(status))
  }
}

/// Hands `body` a world with `count` stores on one fresh database, closed and removed afterwards.
func withWorld<T>(
  _ kind: TestStore.Kind, stores count: Int = 1, driver wrap: @Sendable (any Driver) -> any Driver = { $0 },
  isolation: isolated (any Actor)? = #isolation, _ body: (World) async throws -> T
) async throws -> T {
  await Turnstile.worlds.enter()
  defer { Task { await Turnstile.worlds.leave() } }
  return try await withStore(kind) { url in
    let driver = Drivers.driver(for: url)
    let pools = (0..<count).map { _ in Pool(url: url, driver: wrap(driver), size: 4) }
    let world = World(
      kind: kind, stores: pools.map { SQLStore(pool: $0) }, pool: Pool(url: url, driver: driver, size: 1))
    let outcome: Result<T, any Error>
    do {
      try await world.store.migrate()
      outcome = .success(try await body(world))
    } catch {
      outcome = .failure(error)
    }
    for pool in pools { await pool.close() }
    await world.pool.close()
    return try outcome.get()
  }
}

/// Lets so many in at once. All tests start at the same time, and MariaDB, which makes and drops one table after the
/// other, would keep the last of them waiting beyond its limit.
private actor Turnstile {
  static let worlds = Turnstile(free: 6)

  private var free: Int
  private var waiting: [CheckedContinuation<Void, Never>] = []

  init(free: Int) { self.free = free }

  func enter() async {
    if free > 0 {
      free -= 1
    } else {
      await withCheckedContinuation { waiting.append($0) }
    }
  }

  func leave() {
    if waiting.isEmpty {
      free += 1
    } else {
      waiting.removeFirst().resume()
    }
  }
}

/// The refusal that `body` must throw.
func refusal(
  sourceLocation: SourceLocation = #_sourceLocation, isolation: isolated (any Actor)? = #isolation,
  _ body: () async throws -> Void
) async throws -> StoreError {
  do {
    try await body()
  } catch let error as StoreError {
    return error
  }
  Issue.record("nothing was refused", sourceLocation: sourceLocation)
  return StoreError(.invalid, "")
}

extension Sequence: ExpressibleByStringLiteral {
  init(stringLiteral value: String) { self.init(value) }
}
