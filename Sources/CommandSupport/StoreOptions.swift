import Agent
public import ArgumentParser
public import Database
public import Documents
import Drivers
import Foundation
import Glibc
public import Logging
import Model
import Runtime
public import Storage

/// Where the store is, and how much is said: the options of nearly every command.
public struct StoreOptions: ParsableArguments {
  /// The store.
  @Option(
    help: "The store: a URL such as sqlite:PATH or postgresql://user@host/db, or a tag of the configuration.")
  public var store: String?

  /// The configuration file.
  @Option(help: "The configuration file.")
  public var config: String?

  /// How much is logged.
  @Option(help: "How much is logged to standard error: debug, info, notice, warning, error.")
  public var logLevel: String?

  /// How the vault's key is given.
  @OptionGroup public var key: KeyOptions

  /// None said.
  public init() {}

  /// The configuration, or its defaults where there is no file.
  public func configuration() throws -> Configuration { try Configuration.found(explicit: config) }

  /// What was asked for, resolved to a URL: the option, the configuration, or `fallback`.
  public func url(fallback: String? = nil) async throws -> (text: String, url: StoreURL) {
    let configuration = try configuration()
    let text = store ?? configuration.store ?? fallback ?? "sqlite:" + Places.state + "/eventor.db"
    // On a thread that may block: a passphrase is waited for, and takes its time.
    let resolved = try await SerialWorker(name: "vault").run { [offer = key.offer] in
      try configuration.located(text, as: "store", key: offer)
    }
    Self.warnOfPassword(in: store, resolved.url)
    return resolved
  }

  /// Warns if `given`, as it was typed, holds a password that everybody can see in the list of processes.
  public static func warnOfPassword(in given: String?, _ url: StoreURL) {
    guard let given, given.contains(":"), url.password != nil,
      getenv("EVENTOR_STORE").map({ String(cString: $0) }) != given
    else { return }
    Say.warning("the password in --store shows in the list of processes; put the URL into the configuration")
  }

  /// Opens the store and brings its schema up to date.
  ///
  /// - Parameters:
  ///   - fallback: The store if none was asked for.
  ///   - makes: Whether an SQLite file that is not there is made.
  public func open(fallback: String? = nil, makes: Bool = false) async throws -> OpenStore {
    let (text, url) = try await url(fallback: fallback)
    if url.kind == .sqlite, !url.isMemory, let path = url.path {
      if !makes, !FileManager.default.fileExists(atPath: path) {
        throw CommandFailure(
          status: .database, what: "there is no store at \(path)",
          mend: "name the store with --store, or begin a run: coordinator run FILE")
      }
      if makes, store == nil { try Places.make((path as NSString).deletingLastPathComponent) }
    }
    let pool = Pool(url: url, driver: Drivers.driver(for: url))
    let caller = Drivers.wakeCaller(for: url, pool: pool)
    // Agents are woken for what a command has given them to do; without it they would find it at their next poll.
    CommandMain.atEnd { await caller.close() }
    let store = SQLStore(pool: pool, caller: caller, isGone: Takeover.isGone)
    try await store.migrate()
    return OpenStore(store: store, url: url, shown: self.store ?? (fallback == nil ? nil : text))
  }

  /// The logger for what is not an answer. Without --log-level it is nearly silent: `run` shows progress instead.
  public func logger(
    _ label: String, quiet: Logger.Level = .error, format: StandardErrorLog.Format = .text
  ) throws -> Logger {
    var logger = Logger(label: label) { StandardErrorLog(label: $0, format: format) }
    logger.logLevel = quiet
    if let logLevel {
      guard let level = Logger.Level(rawValue: logLevel) else {
        throw CommandFailure(
          status: .usage, what: "--log-level \(logLevel)", mend: "use debug, info, notice, warning or error")
      }
      logger.logLevel = level
    }
    return logger
  }
}

/// A store that is open.
public struct OpenStore: Sendable {
  /// The store.
  public let store: SQLStore
  /// Where it is.
  public let url: StoreURL
  /// How a command that goes on has to name it; nil if it needs no naming.
  public let shown: String?
}
