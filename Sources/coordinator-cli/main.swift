import CommandSupport
import Glibc

signal(SIGPIPE, SIG_IGN)
do {
  if let via = try Via(Array(CommandLine.arguments.dropFirst())) { exit(try await via.run()) }
} catch {
  Failures.exit(with: error, of: CoordinatorCommand.self)
}
await CommandMain.run(CoordinatorCommand.self)
