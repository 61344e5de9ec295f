import ArgumentParser
import Coordinator
import Glibc

// Parsing, and forking the keeper for commands that run steps, come first: before there is a thread or a connection.
signal(SIGPIPE, SIG_IGN)
#if FAULT_POINTS
FaultPlan.install()
#endif
let arguments = EnvironmentFlags.completed(
  Array(CommandLine.arguments.dropFirst()), for: CoordinatorCommand.self)
do {
  var command = try CoordinatorCommand.parseAsRoot(arguments)
  if let steps = command as? any RunsSteps { try steps.launchKeeper() }
  if let asynchronous = command as? any AsyncParsableCommand {
    try await carryOut(asynchronous)
  } else {
    try command.run()
  }
  exit(0)
} catch {
  Failures.exit(with: error)
}

/// A call on the opened existential, which finds the asynchronous `run()` where a plain one would find the other.
func carryOut<Command: AsyncParsableCommand>(_ command: Command) async throws {
  var command = command
  try await command.run()
}
