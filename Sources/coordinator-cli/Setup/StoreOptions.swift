import Agent
import ArgumentParser
import Coordinator
import Database
import Documents
import Drivers
import Engine
import Foundation
import Glibc
import Logging
import Model
import Storage

/// Where the store is, and how much is said: the options of nearly every command.
struct StoreOptions: ParsableArguments {
  @Option(
    help: "The store: a URL such as sqlite:PATH or postgresql://user@host/db, or a tag of the configuration.")
  var store: String?

  @Option(help: "The configuration file.")
  var config: String?

  @Option(help: "How much is logged to standard error: debug, info, notice, warning, error.")
  var logLevel: String?

  /// The configuration, or its defaults where there is no file.
  func configuration() throws -> Configuration {
    try Configuration.found(explicit: config)
  }

  /// What was asked for, resolved to a URL: the option, the configuration, or `fallback`.
  func url(fallback: String? = nil) throws -> (text: String, url: StoreURL) {
    let configuration = try configuration()
    let (text, url) = try configuration.located(
      store ?? configuration.store ?? fallback ?? "sqlite:" + Places.state + "/eventor.db", as: "store")
    if let store, store == text, url.password != nil,
      getenv("EVENTOR_STORE").map({ String(cString: $0) }) != store
    {
      Say.warning(
        "the password in --store shows in the list of processes; put the URL into the configuration")
    }
    return (text, url)
  }

  /// Opens the store and brings its schema up to date.
  ///
  /// - Parameters:
  ///   - fallback: The store if none was asked for.
  ///   - makes: Whether an SQLite file that is not there is made.
  func open(fallback: String? = nil, makes: Bool = false) async throws -> OpenStore {
    let (text, url) = try url(fallback: fallback)
    if url.kind == .sqlite, !url.isMemory, let path = url.path {
      if !makes, !FileManager.default.fileExists(atPath: path) {
        throw CommandFailure(
          status: .database, what: "there is no store at \(path)",
          mend: "name the store with --store, or begin a run: coordinator run FILE")
      }
      if makes, store == nil { try Places.make((path as NSString).deletingLastPathComponent) }
    }
    let pool = Pool(url: url, driver: Drivers.driver(for: url))
    let store = SQLStore(pool: pool, isGone: Takeover.isGone)
    try await store.migrate()
    return OpenStore(store: store, url: url, shown: self.store ?? (fallback == nil ? nil : text))
  }

  /// The logger for what is not an answer. Without --log-level it is nearly silent: `run` shows progress instead.
  func logger(_ label: String, quiet: Logger.Level = .error) throws -> Logger {
    var logger = Logger(label: label) { StandardErrorLog(label: $0) }
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
struct OpenStore: Sendable {
  let store: SQLStore
  let url: StoreURL
  /// How a command that goes on has to name it; nil if it needs no naming.
  let shown: String?
}

/// Directories of this user.
enum Places {
  static var home: String? { ProcessInfo.processInfo.environment["HOME"].flatMap { $0.isEmpty ? nil : $0 } }

  /// `$XDG_STATE_HOME/eventor`, or `~/.local/state/eventor`.
  static var state: String {
    if let base = ProcessInfo.processInfo.environment["XDG_STATE_HOME"], base.hasPrefix("/") {
      return base + "/eventor"
    }
    return (home ?? "/var/lib") + "/.local/state/eventor"
  }

  /// Makes a directory that nobody else can read, with those above it.
  static func make(_ path: String) throws {
    guard !path.isEmpty else { return }
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o711])
    } catch {
      throw CommandFailure(
        status: .failed, what: "can't make the directory \(path)", why: "\(String(cString: strerror(errno)))",
        mend: "choose another with --work-dir, --log-dir or --store")
    }
  }
}

/// Who is typing: `user@host`.
enum Person {
  static var name: String {
    let entry = getpwuid(getuid()).map { String(cString: $0.pointee.pw_name) }
    return (entry ?? "uid\(getuid())") + "@" + ProcessInfo.processInfo.hostName.split(separator: ".")[0]
  }
}
