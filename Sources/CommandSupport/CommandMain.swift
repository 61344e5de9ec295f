public import ArgumentParser
import Foundation
import Glibc
import Synchronization

/// A command that runs steps itself, with an agent inside it.
public protocol RunsSteps {
  /// Forks the keeper that starts the steps.
  func launchKeeper() throws
}

/// What the executables' `main` does.
public enum CommandMain {
  /// The version of all of them.
  public static let version = "0.1.0"

  /// Parses the arguments, carries the command out, and ends the process.
  ///
  /// Parsing, and forking the keeper for commands that run steps, come first: before there is a thread or a connection.
  ///
  /// - Parameter given: The arguments; nil: those of this process.
  public static func run<Root: ParsableCommand>(_ root: Root.Type, _ given: [String]? = nil) async -> Never {
    signal(SIGPIPE, SIG_IGN)
    #if FAULT_POINTS
    FaultPlan.install()
    #endif
    let arguments = EnvironmentFlags.completed(
      given ?? Array(CommandLine.arguments.dropFirst()), for: root)
    do {
      var command = try root.parseAsRoot(arguments)
      if let steps = command as? any RunsSteps { try steps.launchKeeper() }
      if let asynchronous = command as? any AsyncParsableCommand {
        try await carryOut(asynchronous)
      } else {
        try command.run()
      }
      await finish()
      exit(0)
    } catch {
      await finish()
      Failures.exit(with: error, of: root)
    }
  }

  private static let last = Mutex<[@Sendable () async -> Void]>([])

  /// Has `body` done before the process ends, however the command went: what it began and does not wait for itself.
  public static func atEnd(_ body: @escaping @Sendable () async -> Void) { last.withLock { $0.append(body) } }

  private static func finish() async {
    for body in last.withLock({ $0 }) { await body() }
  }

  /// A call on the opened existential, which finds the asynchronous `run()` where a plain one would find the other.
  private static func carryOut<Command: AsyncParsableCommand>(_ command: Command) async throws {
    var command = command
    try await command.run()
  }
}
