import Agent
import Foundation
public import Logging
import Model

/// Where runs are kept.
public struct StoreLocation: Sendable, Hashable, ExpressibleByStringLiteral {
  /// As `--store` of the commands takes it: `sqlite:PATH`, `postgresql://…`, `mysql://…`.
  public let url: String

  /// The store at `url`.
  public init(_ url: String) { self.url = url }

  /// The store at `value`.
  public init(stringLiteral value: String) { url = value }

  /// A store in memory, which is gone with the process.
  public static let memory = StoreLocation("sqlite::memory:")

  /// An SQLite file, made if it is not there.
  public static func file(_ path: String) -> StoreLocation { StoreLocation("sqlite:" + path) }
}

/// Which run is worked on.
public enum RunMode: Sendable, Hashable {
  /// A new one.
  case new
  /// One that is not over: the one named, or the newest of the program. What an earlier process left running is gone on with.
  case `continue`(String? = nil)
  /// One that is over, begun again: what had failed runs, what had succeeded is skipped, each by its own policy. The one
  /// named, or the newest of the program.
  case recover(String? = nil)
}

/// How a run is worked on.
public struct RunOptions: Sendable {
  /// Where it is kept.
  public var store = StoreLocation.memory
  /// The id of a new run; nil makes one.
  public var runID: String?
  /// The sequence in which a new run starts; nil: where the program says.
  public var sequence: String?
  /// Steps at once; nil is 4 for each core.
  public var maxConcurrent: Int?
  /// After so many passes over what has matured the work ends, though delays are left; nil: it ends with the run.
  public var maxLoops: Int?
  /// Whether only steps of this host are run, instead of taking every host for this one.
  public var isPinned = false
  /// Where logs of steps go; nil is `~/.local/state/eventor/logs`.
  public var logDirectory: String?
  /// Where the keeper of the steps has its files; nil is `~/.local/state/eventor/work`.
  public var workDirectory: String?
  /// What the engine itself says; nil: nothing.
  public var logger: Logger?

  /// The defaults.
  public init() {}

  /// The defaults, with runs kept in `store`.
  public init(store: StoreLocation) { self.store = store }

  /// The defaults, but for what `change` sets.
  public init(_ change: (inout RunOptions) -> Void) { change(&self) }

  var logs: String { logDirectory ?? StateDirectory.path + "/logs" }
  var work: String { workDirectory ?? StateDirectory.path + "/work" }
  var slots: Int { maxConcurrent ?? 4 * max(1, ProcessInfo.processInfo.activeProcessorCount) }
  var log: Logger { logger ?? Logger(label: "eventor") { _ in SwiftLogNoOpLogHandler() } }
}
