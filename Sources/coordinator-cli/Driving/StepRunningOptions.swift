import Agent
import ArgumentParser
import CommandSupport
import Coordinator
import Documents
import Foundation
import Glibc
import Model

/// How a command runs steps: the options of `run`, `recover` and `rerun`.
struct StepRunningOptions: ParsableArguments {
  @Option(help: "Tasks at once (default: 4 for each core).")
  var maxConcurrent: Int?

  @Option(help: "Where the steps' logs go (default: ~/.local/state/eventor/logs).")
  var logDir: String?

  @Option(help: "Where the agent keeps its own files (default: ~/.local/state/eventor/work).")
  var workDir: String?

  @Flag(help: "Run only steps of this host, instead of taking every host for this one.")
  var pin = false

  @Option(help: "The number of embedded agents; one serves a standalone run.")
  var agents = 1

  @Flag(help: "No progress, only warnings and the recap.")
  var quiet = false

  /// What is wrong with the options by themselves.
  func validate() throws {
    if let maxConcurrent, maxConcurrent < 1 {
      throw ValidationError("--max-concurrent must be at least 1")
    }
    if agents != 1 { throw ValidationError("--agents must be 1: a standalone run has one embedded agent") }
  }

  func slots(_ configuration: Configuration) -> Int {
    maxConcurrent ?? configuration.maxConcurrent ?? 4 * max(1, ProcessInfo.processInfo.activeProcessorCount)
  }

  func logDirectory(_ configuration: Configuration) -> String {
    Places.absolute(logDir ?? configuration.logDirectory ?? Places.state + "/logs")
  }

  func workDirectory(_ configuration: Configuration) -> String {
    Places.absolute(workDir ?? configuration.workDirectory ?? Places.state + "/work")
  }

  /// Forks the keeper of this process, with a journal of its own in the work directory.
  func launchKeeper(_ configuration: Configuration) throws {
    let directory = workDirectory(configuration)
    try Places.make(directory)
    let incarnation = UUID().uuidString
    let journal = "\(directory)/\(incarnation).journal"
    // Before the keeper, which is to be where this process is.
    let cgroups = try? CgroupTree.prepare()
    KeeperSlot.current = KeeperSlot(
      keeper: try Keeper.launch(journal: journal), journal: journal, incarnation: incarnation,
      cgroups: cgroups)
  }
}

/// The keeper that was forked before anything else began.
struct KeeperSlot: Sendable {
  let keeper: Keeper
  let journal: String
  let incarnation: String
  /// Where steps with limits get a cgroup, if this process may make one.
  let cgroups: CgroupTree?

  // Set once by the main thread before there is another, read after.
  nonisolated(unsafe) static var current: KeeperSlot?
}
