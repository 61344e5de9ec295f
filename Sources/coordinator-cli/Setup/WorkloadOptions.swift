import Agent
import ArgumentParser
public import CommandSupport
import Coordinator
import Database
import Documents
import Drivers
import Foundation
import Glibc
import Model
import Runtime
public import Workload

/// Which database keeps changing: the argument of every `workload` command.
struct WorkloadOptions: ParsableArguments {
  @Argument(
    help:
      "The database: a URL such as sqlite:PATH or postgresql://user@host/db, or a tag of the configuration.")
  var database: String

  @Option(help: "The configuration file.")
  var config: String?

  @OptionGroup var key: KeyOptions

  /// The database's URL.
  ///
  /// - Parameter makes: Whether an SQLite file may be missing.
  func url(makes: Bool = false) async throws -> StoreURL {
    let configuration = try Configuration.found(explicit: config)
    let (text, url) = try await SerialWorker(name: "vault").run { [database, offer = key.offer] in
      try configuration.located(database, as: "database", key: offer)
    }
    if text == database, url.password != nil {
      Say.warning(
        "the password in the URL shows in the list of processes; put the URL under databases: in the configuration"
      )
    }
    if !makes, !Self.isThere(url) {
      throw WorkloadError(
        .notSetUp, "db \(url) not found: did you run `coordinator workload setup` first?")
    }
    return url
  }

  /// False for an SQLite file that is missing. Opening it would make it.
  static func isThere(_ url: StoreURL) -> Bool {
    guard url.kind == .sqlite, !url.isMemory, let path = url.path else { return true }
    return FileManager.default.fileExists(atPath: path)
  }
}

extension WorkloadDatabase {
  /// The workload at `url`, worked on in the name of this process.
  convenience init(at url: StoreURL) {
    self.init(url: url, driver: Drivers.driver(for: url), holder: "\(Person.name) (process \(getpid()))")
  }
}

/// What to do while another program works on the documents.
struct WorkloadTurnOptions: ParsableArguments {
  @Flag(help: "Wait while another program works on the documents, instead of saying which.")
  var wait = false

  @Option(help: "With --wait: give up after this long (exit code 7).")
  var timeout: String?

  func patience() throws -> WorkloadPatience {
    guard let timeout else { return wait ? .forever : .none }
    guard wait else {
      throw CommandFailure(
        status: .usage, what: "--timeout", why: "nothing is waited for", mend: "add --wait")
    }
    guard let span = TimeSpan(timeout) else {
      throw CommandFailure(
        status: .usage, what: "--timeout \(timeout)", mend: "write a duration such as 90s or 2h")
    }
    return .upTo(.microseconds(span.microseconds))
  }
}

extension WorkloadError: ReportedFailure {
  /// The exit code it leads to.
  public var status: ExitStatus {
    switch kind {
    case .invalid: .usage
    case .exists, .busy, .takenOver: .failed
    case .notSetUp: .notFound
    case .timedOut: .timedOut
    }
  }
}
