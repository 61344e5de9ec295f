import Agent
import Database
import Drivers
import Engine
import Foundation
import Model
import Storage

/// A store that is open, with those whom it wakes.
final class StoreConnection: Sendable {
  let url: StoreURL
  let store: SQLStore
  private let pool: Pool
  private let caller: any WakeCaller

  /// Opens the store at `location` and brings its schema up to date.
  ///
  /// - Throws: ``DatabaseError``.
  init(_ location: StoreLocation) async throws {
    url = try StoreURL(location.url)
    if url.kind == .sqlite, !url.isMemory, let path = url.path {
      let directory = (path as NSString).deletingLastPathComponent
      if !directory.isEmpty {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      }
    }
    pool = Pool(url: url, driver: Drivers.driver(for: url))
    caller = Drivers.wakeCaller(for: url, pool: pool)
    store = SQLStore(pool: pool, caller: caller, isGone: Takeover.isGone)
    do {
      try await store.migrate()
    } catch {
      await close()
      throw error
    }
  }

  /// How a run stands.
  func outcome(of run: String) async throws -> RunOutcome {
    RunOutcome(report: try await store.report(on: run, recovery: nil, allAttempts: false))
  }

  /// Tells whom there is to tell, and closes every connection.
  func close() async {
    await caller.close()
    await store.close()
  }
}
