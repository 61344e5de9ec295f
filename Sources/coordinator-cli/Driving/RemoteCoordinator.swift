import CommandSupport
import Coordinator
import Transport

/// The coordinator of another host, over a session with that.
struct RemoteCoordinator {
  /// A command that can begin: its files are there.
  struct Prepared {
    let command: RemoteCommand
    /// A directory to take away after it.
    let passing: String?
  }

  let host: Destination
  let session: SSHSession

  /// Where it is looked for; the script says nothing if it is nowhere.
  private static let search = """
    for path in "$(command -v coordinator)" "$HOME/.local/bin/coordinator" /usr/local/bin/coordinator \
    /opt/eventor/bin/coordinator; do
      [ -x "$path" ] && printf '%s' "$path" && exit 0
    done
    """

  /// Finds the coordinator there, and sends the files that `words` name.
  ///
  /// Not in one with the command, whose exit code may be any that a shell has for one that is not there.
  ///
  /// - Throws: ``CommandFailure`` with `.notFound` if there is none; ``TransportError``, `CancellationError`.
  func prepare(_ files: ViaFiles, for words: [String]) async throws -> Prepared {
    let found = try await session.gather(.script(Self.search), limit: 4096, within: .seconds(30))
    guard !found.output.isEmpty else {
      throw CommandFailure(
        status: .notFound, what: "there is no coordinator on \(host)",
        mend: "install it there, where PATH, ~/.local/bin, /usr/local/bin or /opt/eventor/bin has it")
    }
    let (words, passing) = try await files.send(words, over: session)
    // The coordinator becomes the process that is called, and so gets its signals.
    return Prepared(
      command: RemoteCommand(bytes: [found.output] + words.map { Array($0.utf8) }), passing: passing)
  }

  /// Takes away what was sent for a command that is over, or was never begun.
  func tidy(_ prepared: Prepared) async {
    if let passing = prepared.passing { await ViaFiles.takeAway(passing, over: session) }
  }
}
