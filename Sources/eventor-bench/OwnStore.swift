import CommandSupport
import Database
import Drivers
import Foundation
import Storage

/// A fresh store of a measurement, with a directory for the files of its agents.
struct OwnStore: Sendable {
  /// Its URL with its password.
  let text: String
  let url: StoreURL
  /// Below it are the agents' files; on SQLite the database too.
  let directory: String
  let pool: Pool
  let store: SQLStore

  /// Makes a store, hands it to `body`, and removes it, whatever happened.
  static func with<T: Sendable>(
    _ place: StorePlace, _ body: @Sendable (OwnStore) async throws -> T
  ) async throws -> T {
    try Task.checkCancellation()
    let name = "eventor_bench_" + String(UInt64.random(in: 0...(.max)), radix: 36)
    let directory = "\(place.directory)/\(name)"
    try make(directory)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let text = place.text(named: name, directory: directory)
    try await run(create(name, place.url.kind), at: place.url)
    let result: Result<T, any Error>
    do {
      result = .success(try await work(text, directory, body))
    } catch {
      result = .failure(error)
    }
    // In a task of its own, as this one may be cancelled by now.
    try await Task { try await run(drop(name, place.url.kind), at: place.url) }.value
    return try result.get()
  }

  private static func work<T: Sendable>(
    _ text: String, _ directory: String, _ body: @Sendable (OwnStore) async throws -> T
  ) async throws -> T {
    let url = try StoreURL(text)
    let pool = Pool(url: url, driver: Drivers.driver(for: url))
    let caller = Drivers.wakeCaller(for: url, pool: pool)
    let own = OwnStore(
      text: text, url: url, directory: directory, pool: pool, store: SQLStore(pool: pool, caller: caller))
    let result: Result<T, any Error>
    do {
      try await own.store.migrate()
      result = .success(try await body(own))
    } catch {
      result = .failure(error)
    }
    await caller.close()
    await pool.close()
    return try result.get()
  }

  private static func make(_ directory: String) throws {
    do {
      try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    } catch {
      throw CommandFailure(
        status: .database, what: "can't make \(directory)", why: error.localizedDescription,
        mend: "name a place in a directory of yours")
    }
  }

  /// The names are our own; a directory is all that SQLite needs.
  private static func create(_ name: String, _ kind: Dialect.Kind) -> String? {
    switch kind {
    case .sqlite: nil
    case .postgresql: "CREATE SCHEMA \(name)"
    case .mysql: "CREATE DATABASE \(name)"
    }
  }

  private static func drop(_ name: String, _ kind: Dialect.Kind) -> String? {
    switch kind {
    case .sqlite: nil
    case .postgresql: "DROP SCHEMA IF EXISTS \(name) CASCADE"
    case .mysql: "DROP DATABASE IF EXISTS \(name)"
    }
  }

  private static func run(_ script: String?, at url: StoreURL) async throws {
    guard let script else { return }
    let pool = Pool(url: url, driver: Drivers.driver(for: url), size: 1)
    let result: Result<Void, any Error>
    do {
      result = .success(try await pool.run { try $0.executeScript(script) })
    } catch {
      result = .failure(error)
    }
    await pool.close()
    try result.get()
  }

  /// The environment of the programs that work on it: the store's URL holds a password, so it stands here and not among
  /// their arguments, and nothing else of ours reaches them.
  var environment: [String: String] {
    var environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("EVENTOR_") }
    environment["HOME"] = directory
    environment["EVENTOR_STORE"] = text
    return environment
  }

  // MARK: Looking

  /// The differences of its database.
  var dialect: Dialect { Dialect(url.kind) }

  /// Rows, without disturbing whoever writes.
  func rows(_ sql: SQL) async throws -> [Row] { try await pool.transaction(.read) { try $0.query(sql) } }

  /// The first column of the only row.
  func number(_ sql: SQL) async throws -> Int64 { try await rows(sql).first?.integer(0) ?? 0 }

  /// Tells the planner what has been filled in, as the database's own upkeep would soon.
  func analyze() async throws {
    guard url.kind == .postgresql else { return }
    try await pool.run { try $0.executeScript("ANALYZE") }
  }
}
