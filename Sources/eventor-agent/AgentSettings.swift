import Agent
import CommandSupport
import Database
import Documents
import Foundation
import Glibc
import Logging
import Model

/// What an agent was asked for, by its options and its configuration, and the keepers that were forked for it.
struct AgentSettings {
  /// One of its stores.
  struct Store {
    let url: StoreURL
    /// A directory for this store alone: two stores may have runs of the same name.
    let directory: String
    let logs: String
    let keeper: Keeper
    let journal: String
  }

  let host: String
  let instance: String
  let incarnation = UUID().uuidString
  let capacity: Int
  let labels: [String: String]
  let lockFor: TimeSpan
  let poll: Duration
  let grace: Duration
  let retention: TimeSpan?
  let once: Bool
  let log: Logger
  /// Opens a secret of this host's vault, for the environment of steps; blocks.
  let openSecret: @Sendable (String) throws -> String
  private let urls: [StoreURL]
  private let work: String
  private let logs: String
  // Set once by the main thread before there is another, read after.
  nonisolated(unsafe) static var stores: [Store] = []
  // As above: where steps with limits get a cgroup, if this process may make one.
  nonisolated(unsafe) static var cgroups: CgroupTree?

  /// A host name that can stand in a store: no spaces, which separate names there.
  static func isHostName(_ name: String) -> Bool {
    (1...128).contains(name.utf8.count) && !name.contains { $0.isWhitespace || $0 == "/" || $0 == "\0" }
  }

  init(_ command: AgentCommand) throws {
    var options = StoreOptions()
    options.config = command.config
    let configuration = try options.configuration()
    host = command.host ?? configuration.host ?? LocalHost.name
    instance = command.instance
    capacity =
      command.maxConcurrent ?? configuration.maxConcurrent
      ?? 4 * max(1, ProcessInfo.processInfo.activeProcessorCount)
    let given = command.label.compactMap { AgentCommand.pair($0) }
    labels = configuration.labels.merging(given.map { ($0.key, $0.value) }) { _, new in new }
    lockFor = command.lockFor.flatMap { TimeSpan($0) } ?? configuration.lockFor ?? TimeSpan(seconds: 30)
    let poll = command.poll.flatMap { TimeSpan($0) } ?? configuration.poll ?? TimeSpan(seconds: 1)
    self.poll = .microseconds(poll.microseconds)
    let grace = command.grace.flatMap { TimeSpan($0) } ?? configuration.grace ?? TimeSpan(seconds: 5)
    self.grace = .microseconds(grace.microseconds)
    retention = configuration.retention
    once = command.once
    var log = Logger(label: "eventor-agent") { [format = command.logFormat] label in
      StandardErrorLog(label: label, format: format)
    }
    log.logLevel = Logger.Level(rawValue: command.logLevel) ?? .info
    self.log = log
    work = Places.absolute(command.workDir ?? configuration.workDirectory ?? Places.state + "/work")
    logs = Places.absolute(command.logDir ?? configuration.logDirectory ?? Places.state + "/logs")
    let texts =
      command.store.isEmpty
      ? [configuration.store ?? "sqlite:" + Places.state + "/eventor.db"] : command.store
    openSecret = { [offer = command.key.offer] name in
      try OpenVault.parameter(name, of: configuration, stores: texts, offer)
    }
    urls = try texts.map { text in
      let url = try configuration.located(text, as: "store", key: command.key.offer).url
      StoreOptions.warnOfPassword(in: command.store.first { $0 == text }, url)
      if url.isMemory {
        throw CommandFailure(
          status: .usage, what: "an agent can't serve \(url)", why: "nobody else can reach that database",
          mend: "name a file or a server")
      }
      return url
    }
    guard Set(urls).count == urls.count else {
      throw CommandFailure(status: .usage, what: "--store names one store twice", mend: "name each once")
    }
    guard TimeSpan(seconds: 1) <= lockFor else {
      throw CommandFailure(
        status: .usage, what: "lock_for \(lockFor)", why: "a lock is renewed three times in its life",
        mend: "use 1s or more")
    }
  }

  /// Forks a keeper for each store, before there is a thread or a connection.
  func launchKeepers() throws {
    // The keepers are to be where this process is.
    Self.cgroups = try? CgroupTree.prepare()
    for url in urls {
      let directory = "\(work)/agent-\(Self.name(of: url))"
      try Places.make(directory)
      let journal = "\(directory)/\(incarnation).journal"
      let logs = urls.count > 1 ? "\(logs)/\(Self.name(of: url))" : logs
      Self.stores.append(
        Store(
          url: url, directory: directory, logs: logs, keeper: try Keeper.launch(journal: journal),
          journal: journal))
    }
  }

  /// The same for the same store, whichever way its options are written; FNV-1a, for a directory's name.
  private static func name(of url: StoreURL) -> String {
    let place = url.path.map { Places.absolute($0) } ?? "\(url.endpoints)/\(url.database ?? "")"
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in "\(url.kind) \(place) \(url.options["schema"] ?? "")".utf8 {
      hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
    }
    return String(hash, radix: 16)
  }
}
