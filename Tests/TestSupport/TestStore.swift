public import Database
import Drivers
import Foundation

/// The databases that tests run on, from the environment.
///
/// `EVENTOR_TEST_STORES` names them (default `sqlite,postgresql,mysql`); `EVENTOR_TEST_POSTGRESQL_URL` and
/// `EVENTOR_TEST_MYSQL_URL` are where the servers are, as a user who may create schemas and databases
/// (`scripts/dev-services` prints them). A store that is named but has no server fails its tests.
public enum TestStore {
  /// A kind of store.
  public enum Kind: String, CaseIterable, Sendable, CustomStringConvertible {
    /// A file in a directory of its own.
    case sqlite
    /// A schema of its own.
    case postgresql
    /// A database of its own.
    case mysql

    /// Its name.
    public var description: String { rawValue }
  }

  /// Why there is no store to test on.
  public struct Missing: Error, CustomStringConvertible {
    /// What to set.
    public let description: String
  }

  /// The stores to test; all of them if a name is not known, so that nothing is left out by a slip.
  public static var all: [Kind] {
    let kinds = names.compactMap(Kind.init(rawValue:))
    return kinds.count == names.count && !kinds.isEmpty ? kinds : Kind.allCases
  }

  /// The servers among ``all``.
  public static var servers: [Kind] { all.filter { $0 != .sqlite } }

  /// The URL of the server itself; throws ``Missing``.
  public static func adminURL(_ kind: Kind) throws -> String {
    let variable = "EVENTOR_TEST_\(kind.rawValue.uppercased())_URL"
    guard let url = ProcessInfo.processInfo.environment[variable], !url.isEmpty else {
      throw Missing(
        description: "set \(variable) to a running server's URL (`eval \"$(scripts/dev-services up)\"`), "
          + "or leave \(kind.rawValue) out with EVENTOR_TEST_STORES=sqlite")
    }
    return url
  }

  private static var names: [String] {
    let text = ProcessInfo.processInfo.environment["EVENTOR_TEST_STORES"] ?? "sqlite,postgresql,mysql"
    return text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
      .map { $0 == "mariadb" ? "mysql" : $0 }
  }
}

/// Hands `body` the URL of a fresh, empty store and removes the store afterwards, whatever happened.
///
/// Throws ``TestStore/Missing`` if the environment names no server for `kind`.
public func withStore<T>(
  _ kind: TestStore.Kind, isolation: isolated (any Actor)? = #isolation,
  body: (StoreURL) async throws -> T
) async throws -> T {
  let name = "evtest_" + UUID().uuidString.lowercased().replacing("-", with: "")
  if kind == .sqlite {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent(name)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    return try await body(try StoreURL("sqlite:\(directory.path)/store.db"))
  }
  let admin = try TestStore.adminURL(kind)
  let pool = Pool(url: try StoreURL(admin), driver: Drivers.driver(for: try StoreURL(admin)), size: 1)
  let (create, drop) =
    kind == .mysql
    ? ("CREATE DATABASE \(name)", "DROP DATABASE \(name)")
    : ("CREATE SCHEMA \(name)", "DROP SCHEMA \(name) CASCADE")
  try await pool.run { try $0.executeScript(create) }
  let outcome: Result<T, any Error>
  do {
    let url = kind == .mysql ? replacingDatabase(of: admin, by: name) : adding("schema=\(name)", to: admin)
    outcome = .success(try await body(try StoreURL(url)))
  } catch {
    outcome = .failure(error)
  }
  // In a task of its own, as the test's may be cancelled by now.
  try await Task { try await pool.run { try $0.executeScript(drop) } }.value
  await pool.close()
  return try outcome.get()
}

private func adding(_ option: String, to url: String) -> String {
  url + (url.contains("?") ? "&" : "?") + option
}

private func replacingDatabase(of url: String, by name: String) -> String {
  let parts = url.split(separator: "?", maxSplits: 1).map(String.init)
  let server = parts[0].split(separator: "/", omittingEmptySubsequences: false).prefix(3).joined(
    separator: "/")
  return server + "/" + name + (parts.count > 1 ? "?" + parts[1] : "")
}
