import CommandSupport
import Database
import Documents
import Drivers
import Foundation
import Secrets

/// Where measurements make their stores: what `--store` named.
struct StorePlace: Sendable {
  /// As it was given, with its password.
  let text: String
  let url: StoreURL

  init(_ given: String) throws {
    (text, url) = try Configuration.found(explicit: nil).located(given, as: "store", key: KeyOffer())
    guard !url.isMemory else {
      throw CommandFailure(
        status: .usage, what: "can't measure on \(url)", why: "agents can't reach a database in this process",
        mend: "name a file or a server")
    }
  }

  /// Measurements load a database and its disk, which is no kindness to runs that are at work there.
  func refuseIfInUse() async throws {
    if let path = url.path, !FileManager.default.fileExists(atPath: path) { return }
    let pool = Pool(url: url, driver: Drivers.driver(for: url), size: 1)
    let isInUse: Bool
    do {
      isInUse = try await pool.run { session in
        let tables: SQL =
          switch session.dialect.kind {
          case .sqlite: "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'ev_run'"
          case .postgresql: "SELECT 1 WHERE to_regclass('ev_run') IS NOT NULL"
          case .mysql:
            "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'ev_run'"
          }
        guard try !session.query(tables).isEmpty else { return false }
        return try !session.query("SELECT 1 FROM ev_run LIMIT 1").isEmpty
      }
    } catch {
      await pool.close()
      throw error
    }
    await pool.close()
    guard !isInUse else {
      throw CommandFailure(
        status: .usage, what: "\(url) holds runs", why: "a measurement would slow them down",
        mend: "name a database that is there for measuring")
    }
  }

  /// The database as it calls itself.
  func version() async throws -> String {
    // An SQLite library needs no file to say it.
    let url = url.kind == .sqlite ? try StoreURL("sqlite::memory:") : url
    let pool = Pool(url: url, driver: Drivers.driver(for: url), size: 1)
    let text = try await pool.run { session in
      switch session.dialect.kind {
      case .sqlite: "SQLite \(try session.query("SELECT sqlite_version()").first?.text(0) ?? "")"
      case .postgresql: "PostgreSQL \(try session.query("SHOW server_version").first?.text(0) ?? "")"
      case .mysql: "MySQL \(try session.query("SELECT VERSION()").first?.text(0) ?? "")"
      }
    }
    await pool.close()
    return text
  }

  /// The same place with a schema, database or file of another name, as text.
  func text(named name: String, directory: String) -> String {
    switch url.kind {
    case .sqlite: return "sqlite:\(directory)/\(name).db" + query.map { "?" + $0 }.joined()
    case .postgresql:
      let kept = query.flatMap { $0.split(separator: "&") }.filter { !$0.hasPrefix("schema=") }
      return server + "?" + (kept + ["schema=\(name)"]).joined(separator: "&")
    case .mysql:
      let root = server.split(separator: "/", omittingEmptySubsequences: false).prefix(3).joined(
        separator: "/")
      return root + "/" + name + query.map { "?" + $0 }.joined()
    }
  }

  /// The directory in which those of measurements are made.
  var directory: String {
    guard let path = url.path else { return FileManager.default.temporaryDirectory.path }
    return (Places.absolute(path) as NSString).deletingLastPathComponent
  }

  private var server: String { String(text.prefix { $0 != "?" }) }

  /// What stands behind the question mark; none or one.
  private var query: [String] {
    text.firstIndex(of: "?").map { [String(text[text.index(after: $0)...])] } ?? []
  }
}
