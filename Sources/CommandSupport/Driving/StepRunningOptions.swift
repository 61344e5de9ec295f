import Agent
public import ArgumentParser
import Coordinator
public import Documents
import Foundation
import Glibc
import Model

/// How a command runs steps: the options of `run`, `recover` and `rerun`.
public struct StepRunningOptions: ParsableArguments {
  /// Tasks at once.
  @Option(help: "Tasks at once (default: 4 for each core).")
  public var maxConcurrent: Int?

  /// Where the steps' logs go.
  @Option(help: "Where the steps' logs go (default: ~/.local/state/eventor/logs).")
  public var logDir: String?

  /// Where the agent keeps its own files.
  @Option(help: "Where the agent keeps its own files (default: ~/.local/state/eventor/work).")
  public var workDir: String?

  /// Whether only steps of this host are run.
  @Flag(help: "Run only steps of this host, instead of taking every host for this one.")
  public var pin = false

  /// The number of embedded agents.
  @Option(help: "The number of embedded agents; one serves a standalone run.")
  public var agents = 1

  /// Whether only warnings and the recap are shown.
  @Flag(help: "No progress, only warnings and the recap.")
  public var quiet = false

  /// None said.
  public init() {}

  /// What is wrong with the options by themselves.
  public func validate() throws {
    if let maxConcurrent, maxConcurrent < 1 {
      throw ValidationError("--max-concurrent must be at least 1")
    }
    if agents != 1 { throw ValidationError("--agents must be 1: a standalone run has one embedded agent") }
  }

  /// Tasks at once.
  public func slots(_ configuration: Configuration) -> Int {
    maxConcurrent ?? configuration.maxConcurrent ?? 4 * max(1, ProcessInfo.processInfo.activeProcessorCount)
  }

  /// Where logs of steps go.
  public func logDirectory(_ configuration: Configuration) -> String {
    Places.absolute(logDir ?? configuration.logDirectory ?? Places.state + "/logs")
  }

  /// Where the agent keeps its own files.
  public func workDirectory(_ configuration: Configuration) -> String {
    Places.absolute(workDir ?? configuration.workDirectory ?? Places.state + "/work")
  }

  // Set once by the main thread before there is another, read after.
  /// The keeper that was forked before anything else began, with what goes with it.
  nonisolated(unsafe) static var place: EmbeddedPlace?

  /// Forks the keeper of this process, with a journal of its own in the work directory.
  public func launchKeeper(_ configuration: Configuration) throws {
    let directory = workDirectory(configuration)
    try Places.make(directory)
    Self.place = try EmbeddedPlace(in: directory)
  }
}
