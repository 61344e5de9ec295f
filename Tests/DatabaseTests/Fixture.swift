import Database
import Drivers
import Synchronization
import TestSupport
import Testing

/// A pool on a fresh store with one table `t (k, n, r, s, b)`, closed and removed afterwards.
func withPool<T>(
  _ kind: TestStore.Kind, size: Int = 4, patience: Duration = .seconds(30),
  isolation: isolated (any Actor)? = #isolation, _ body: (Pool) async throws -> T
) async throws -> T {
  try await withStore(kind) { url in
    let pool = Pool(url: url, driver: Drivers.driver(for: url), size: size, patience: patience)
    try await pool.run { session in
      let dialect = session.dialect
      try session.executeScript(
        """
        CREATE TABLE t (k \(dialect.keyText()) NOT NULL PRIMARY KEY, n BIGINT, r \(dialect.double),
        s \(dialect.longText), b \(dialect.blob))\(dialect.tableOptions)
        """)
    }
    do {
      let value = try await body(pool)
      await pool.close()
      return value
    } catch {
      await pool.close()
      throw error
    }
  }
}

/// The DatabaseError that `body` must throw.
func databaseError(
  sourceLocation: SourceLocation = #_sourceLocation, isolation: isolated (any Actor)? = #isolation,
  _ body: () async throws -> Void
) async throws -> DatabaseError {
  do {
    try await body()
  } catch let error as DatabaseError {
    return error
  }
  throw NothingThrown(sourceLocation: sourceLocation)
}

struct NothingThrown: Error {
  let sourceLocation: SourceLocation
}

/// A signal between tasks and threads of a test: those who wait go on once it was given.
final class Gate: Sendable {
  private let stream: AsyncStream<Void>
  private let continuation: AsyncStream<Void>.Continuation

  init() {
    (stream, continuation) = AsyncStream.makeStream()
  }

  func open() {
    continuation.yield()
  }

  func wait() async {
    for await _ in stream { return }
  }
}

/// Counts across threads.
final class Counter: Sendable {
  private let count = Atomic(0)

  var value: Int { count.load(ordering: .acquiring) }

  /// Counts one more and returns which it was, from 1.
  @discardableResult func next() -> Int {
    count.add(1, ordering: .acquiringAndReleasing).newValue
  }
}
