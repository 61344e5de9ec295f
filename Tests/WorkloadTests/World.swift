import Database
import Drivers
import Synchronization
import TestSupport
import Testing
import Workload

/// A fresh database, and workloads on it that know nothing of each other, as those of several processes.
struct World: Sendable {
  let kind: TestStore.Kind
  let workloads: [WorkloadDatabase]
  /// For looking at rows, and for damaging them.
  let pool: Pool

  var workload: WorkloadDatabase { workloads[0] }

  static func with(
    _ kind: TestStore.Kind, workloads count: Int = 1,
    _ body: (World) async throws -> Void
  ) async throws {
    try await withStore(kind) { url in
      let driver = Drivers.driver(for: url)
      let workloads = (0..<count).map { WorkloadDatabase(url: url, driver: driver, holder: "tester \($0)") }
      let world = World(
        kind: kind, workloads: workloads, pool: Pool(url: url, driver: driver, size: 2))
      let outcome: Result<Void, any Error>
      do {
        outcome = .success(try await body(world))
      } catch {
        outcome = .failure(error)
      }
      for workload in workloads { await workload.close() }
      await world.pool.close()
      try outcome.get()
    }
  }

  @discardableResult
  func execute(_ sql: SQL) async throws -> Int { try await pool.run { try $0.execute(sql) } }

  func rows(_ sql: SQL) async throws -> [Row] { try await pool.run { try $0.query(sql) } }

  /// The number of the newest revision of each document; 0 for those that are not there.
  func revisions(_ total: Int) async throws -> [Int] {
    var numbers = [Int](repeating: 0, count: total)
    for row in try await rows("SELECT id, rev FROM wl_document") {
      let revision = try #require(Revision(try row.text(1)))
      numbers[try row.int(0)] = revision.number
    }
    return numbers
  }

  /// Every document is what it should be.
  func expectSound(sourceLocation: SourceLocation = #_sourceLocation) async throws {
    let found = try await workload.verify()
    #expect(found.faults == [], sourceLocation: sourceLocation)
    #expect(found.faultCount == 0, sourceLocation: sourceLocation)
  }
}

/// The WorkloadError that `body` must throw.
func workloadError(
  sourceLocation: SourceLocation = #_sourceLocation, isolation: isolated (any Actor)? = #isolation,
  _ body: () async throws -> Void
) async throws -> WorkloadError {
  do {
    try await body()
  } catch let error as WorkloadError {
    return error
  }
  Issue.record("nothing was thrown", sourceLocation: sourceLocation)
  throw NothingThrown()
}

struct NothingThrown: Error {}

/// Keeps what a workload says.
final class Heard: Sendable {
  private let all = Mutex<[WorkloadHappening]>([])

  var happenings: [WorkloadHappening] { all.withLock { $0 } }
  func note(_ happening: WorkloadHappening) { all.withLock { $0.append(happening) } }
}

/// A signal between tasks: those who wait go on once it was given.
final class Signal: Sendable {
  private let stream: AsyncStream<Void>
  private let continuation: AsyncStream<Void>.Continuation

  init() { (stream, continuation) = AsyncStream.makeStream() }

  func give() { continuation.finish() }
  func wait() async { for await _ in stream {} }
}
