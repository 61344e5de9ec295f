import CommandSupport
import Foundation
import Glibc
import Logging

/// SIGHUP: the configuration is read again by becoming the same program anew, in the same process. Steps go on: they
/// belong to their keeper, and the new agent goes on with them as after a crash.
enum Reload {
  /// Set for the new program, which then leaves the keepers of the old one, its children, to the kernel.
  static let marker = "EVENTOR_RELOADED"

  /// Whether the options and the configuration still make sense; says what doesn't.
  static func isPossible(_ log: Logger) -> Bool {
    do {
      let arguments = EnvironmentFlags.completed(
        Array(CommandLine.arguments.dropFirst()), for: AgentCommand.self)
      let command = try AgentCommand.parseAsRoot(arguments) as? AgentCommand
      _ = try command.map { try AgentSettings($0) }
      return true
    } catch {
      log.error("not reloaded: the configuration is wrong", metadata: ["error": "\(error)"])
      return false
    }
  }

  /// Replaces this program by itself.
  ///
  /// - Throws: ``CommandFailure`` if the kernel refuses; the steps have been handed over then.
  static func becomeAnew(_ log: Logger) throws {
    log.notice("reloading")
    if let descriptor = try OpenVault.handOn() { setenv("EVENTOR_KEY_FD", descriptor, 1) }
    setenv(marker, "1", 1)
    let arguments = CommandLine.arguments.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    execv("/proc/self/exe", arguments)
    throw CommandFailure(
      status: .failed, what: "can't start anew", why: String(cString: strerror(errno)),
      mend: "start the agent again")
  }

  /// Called at the start of the program.
  static func forgetFormerChildren() {
    guard getenv(marker) != nil else { return }
    unsetenv(marker)
    signal(SIGCHLD, SIG_IGN)
  }
}
