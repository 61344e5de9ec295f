import ArgumentParser
import CommandSupport
import Coordinator
import Foundation
import Glibc
import Transport

/// The files that a command names, and that go along when it is carried out on another host.
///
/// They are found by parsing the command as it would be parsed here; what this version can't parse goes as it is, for
/// the other host to judge.
struct ViaFiles {
  /// A word of the command that names a file: the part before it, such as `key=@`, and the file's path here.
  struct Mention: Hashable {
    let place: Int
    let prefix: String
    let path: String
  }

  /// The words that name files which are here.
  let mentions: [Mention]
  private let run: RunCommand?

  /// The files in `words`.
  init(_ words: [String]) {
    let command = Self.parsed(words)
    run = command as? RunCommand
    var found: [Mention] = []
    for path in Set(command.map(Self.programs) ?? []) where Self.isFile(path) {
      // A word with this text may be something else, an option's value: another text in its place tells.
      for place in words.indices where words[place] == path {
        var others = words
        others[place] = "./no-such-file.yaml"
        let named = Self.parsed(others).map(Self.programs) ?? []
        if named.contains(others[place]) { found.append(Mention(place: place, prefix: "", path: path)) }
      }
    }
    if command is any TakesParameters {
      for (place, word) in words.enumerated() {
        guard let match = word.wholeMatch(of: /((?:--param=)?[A-Za-z0-9_.-]+=@)(.+)/) else { continue }
        let path = String(match.2)
        if Self.isFile(path) { found.append(Mention(place: place, prefix: String(match.1), path: path)) }
      }
    }
    mentions = found.sorted { $0.place < $1.place }
  }

  private static func parsed(_ words: [String]) -> (any ParsableCommand)? {
    try? CoordinatorCommand.parseAsRoot(words)
  }

  /// The program files that a command reads.
  private static func programs(of command: any ParsableCommand) -> [String] {
    switch command {
    case let command as RunCommand: [command.file]
    case let command as SubmitCommand: [command.program]
    case let command as ValidateCommand: command.files
    case let command as GraphCommand: [command.subject]
    case let command as ProgramCommand.Register: [command.file]
    default: []
    }
  }

  /// A pipe or a terminal is the command's input there as it is here, and can't be read twice.
  private static func isFile(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  /// Whether the other host has to keep this file: `run` keeps its store beside the program, and what goes on in the
  /// background reads everything again.
  private func stays(_ mention: Mention) -> Bool {
    guard let run else { return false }
    return mention.prefix.isEmpty || run.detach
  }

  /// Sends the files, and returns the command with their places on the host, and the directory to take away after it.
  func send(_ words: [String], over session: SSHSession) async throws -> (words: [String], passing: String?) {
    let staying = mentions.filter(stays)
    let others = mentions.filter { !stays($0) }
    let passing = others.isEmpty ? nil : try await makeDirectory("", on: session)
    do {
      var words = words
      if let passing { try await send(others, of: &words, to: passing, over: session) }
      if let program = staying.first(where: \.prefix.isEmpty) ?? staying.first {
        // It goes by its content, so that a second `run` finds the store of the first.
        let name = String(try LocalFile.digest(of: program.path).prefix(16))
        try await send(staying, of: &words, to: makeDirectory(name, on: session), over: session)
      }
      return (words, passing)
    } catch {
      // In a task of its own: this one may have been cancelled, and would do nothing any more.
      if let passing { await Task { await Self.takeAway(passing, over: session) }.value }
      throw error
    }
  }

  private func send(
    _ mentions: [Mention], of words: inout [String], to directory: String, over session: SSHSession
  ) async throws {
    var sent: [String: String] = [:]
    for mention in mentions {
      let remote: String
      if let known = sent[mention.path] {
        remote = known
      } else {
        // Files of one name from several directories get a directory each; messages then name them as here.
        let name = (mention.path as NSString).lastPathComponent
        let taken = Set(sent.values)
        remote =
          taken.contains("\(directory)/\(name)")
          ? "\(directory)/\(sent.count)-\(name)" : "\(directory)/\(name)"
        try await session.upload(Places.absolute(mention.path), to: remote, mode: 0o600)
        sent[mention.path] = remote
      }
      words[mention.place] = mention.prefix + remote
    }
  }

  /// A directory of the login user's own, which nobody else can read or have made before: one that stays, called `name`, or
  /// without a name one of its own.
  private func makeDirectory(_ name: String, on session: SSHSession) async throws -> String {
    let outcome = try await session.gather(
      .script(
        """
        umask 077
        if [ -n "$1" ]; then
          directory=${XDG_STATE_HOME:-$HOME/.local/state}/eventor/sent/$1
          mkdir -p "$directory"
        else
          directory=$(mktemp -d "${TMPDIR:-/tmp}/eventor-XXXXXX")
        fi && printf '%s\\n' "$directory"
        """, name), limit: 4096, within: Self.patience)
    guard outcome.end == .exited(0), outcome.text.hasPrefix("/") else {
      throw TransportError(
        .transfer, what: "no directory for the program can be made on \(session.peer.settings.host)",
        why: neutralised(String(outcome.errorText.prefix(300)), onOneLine: true),
        mend: "see to the space and the permissions of TMPDIR, /tmp and ~/.local/state there")
    }
    return outcome.text
  }

  /// Takes a directory of ``send(_:over:)`` away. What can't be, as the connection is gone, is left: the login user's alone.
  static func takeAway(_ directory: String, over session: SSHSession) async {
    _ = try? await session.gather(.script("rm -rf -- \"$1\"", directory), limit: 4096, within: patience)
  }

  /// How long the host may take for a directory.
  private static let patience = Duration.seconds(30)
}

/// Commands that take `--param NAME=@FILE`.
protocol TakesParameters {}

extension RunCommand: TakesParameters {}
extension SubmitCommand: TakesParameters {}
extension RecoverCommand: TakesParameters {}
extension RerunCommand: TakesParameters {}
