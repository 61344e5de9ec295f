import Agent
public import ArgumentParser
public import CommandSupport
import Documents
import Foundation
import Glibc
import Logging
import Model

/// The daemon of a node.
struct AgentCommand: AsyncParsableCommand, RunsSteps {
  static let configuration = CommandConfiguration(
    commandName: "eventor-agent",
    abstract: "Carries out the steps of this host for all runs of one or more stores.",
    discussion: """
      Runs in the foreground and logs to standard error. SIGTERM takes nothing more, waits --grace for running steps and \
      hands the rest over: they go on, and the next agent of this host goes on with them. A second SIGTERM hands over at \
      once. SIGHUP reads the configuration again without disturbing a step.

      EXAMPLE
        eventor-agent --store postgresql://eventor@db1/eventor --label os=linux
        eventor-agent --store prod --store test --max-concurrent 16 --log-format json
      """,
    version: CommandMain.version)

  @Option(help: "A store: a URL, or a tag of the configuration. Repeatable.")
  var store: [String] = []

  @Option(help: "The configuration file.")
  var config: String?

  @Option(help: "The name of this host, as programs name it (default: the short host name).")
  var host: String?

  @Option(help: "Tells apart agents of one host that serve one store.")
  var instance = "1"

  @Option(help: "Steps at once, over all stores (default: 4 for each core).")
  var maxConcurrent: Int?

  @Option(help: "KEY=VALUE by which groups with match: find this agent. Repeatable.")
  var label: [String] = []

  @Option(help: "Where the agent keeps its own files (default: ~/.local/state/eventor/work).")
  var workDir: String?

  @Option(help: "Where the steps' logs go (default: ~/.local/state/eventor/logs).")
  var logDir: String?

  @Option(help: "How long a lock on a task lasts unless it is renewed (default: 30s).")
  var lockFor: String?

  @Option(help: "About how often an idle agent looks for work when nothing wakes it (default: 1s).")
  var poll: String?

  @Option(help: "How long running steps are waited for at SIGTERM before they are handed over (default: 5s).")
  var grace: String?

  @Flag(help: "Do what is ready, and end.")
  var once = false

  @OptionGroup var key: KeyOptions

  @Option(help: "How much is logged: debug, info, notice, warning, error.")
  var logLevel = "info"

  @Option(help: "text or json: one object a line.")
  var logFormat: StandardErrorLog.Format = .text

  func validate() throws {
    if let maxConcurrent, maxConcurrent < 1 {
      throw ValidationError("--max-concurrent must be at least 1")
    }
    guard Logger.Level(rawValue: logLevel) != nil else {
      throw ValidationError("--log-level \(logLevel): use debug, info, notice, warning or error")
    }
    for text in label where Self.pair(text) == nil {
      throw ValidationError("--label \(text): write KEY=VALUE")
    }
    for (flag, text) in [("lock-for", lockFor), ("poll", poll), ("grace", grace)] {
      guard let text else { continue }
      guard let span = TimeSpan(text), flag == "grace" || span > .zero else {
        throw ValidationError("--\(flag) \(text): write a duration such as 30s")
      }
    }
    if let host, !AgentSettings.isHostName(host) {
      throw ValidationError("--host \(host): use 1 to 128 characters without spaces or slashes")
    }
    if !AgentSettings.isHostName(instance) {
      throw ValidationError("--instance \(instance): use 1 to 128 characters without spaces or slashes")
    }
  }

  // Set once by the main thread before there is another, read after; a command itself holds only what is parsed.
  private nonisolated(unsafe) static var settings: AgentSettings?

  func launchKeeper() throws {
    Reload.forgetFormerChildren()
    let settings = try AgentSettings(self)
    try settings.launchKeepers()
    Self.settings = settings
  }

  func run() async throws {
    guard let settings = Self.settings else {
      throw CommandFailure(status: .bug, what: "the agent has no settings")
    }
    try await AgentService(settings).run()
  }

  static func pair(_ text: String) -> (key: String, value: String)? {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, Name.isValid(parts[0]) else { return nil }
    return (parts[0], parts[1])
  }
}

extension StandardErrorLog.Format: ExpressibleByArgument {}
