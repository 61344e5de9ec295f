import CommandSupport
import Foundation
import Glibc
import Runtime
import Transport

/// `--via HOST`: the same command, carried out by the coordinator of another host.
///
/// It is looked for before the arguments are parsed: what they mean is for the other host to say, whose version may be
/// another.
struct Via {
  /// The host.
  let host: Destination
  /// The command for it, without what is meant for this side.
  let words: [String]
  private let options: SSHOptions

  /// What `arguments`, or `EVENTOR_VIA`, ask for; nil if the command is carried out here.
  init?(_ arguments: [String]) throws {
    var (words, ours, host) = ([String](), [String](), [String]())
    var rest = arguments[...]
    while let word = rest.popFirst() {
      if word == "--" {
        words += [word] + rest
        break
      }
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      switch parts[0] {
      case "--via", "--ssh-config", "--ssh-timeout":
        guard let value = parts.count == 2 ? parts[1] : rest.popFirst() else {
          throw CommandFailure(status: .usage, what: parts[0], why: "its value is missing")
        }
        if parts[0] == "--via" { host.append(value) } else { ours += [parts[0], value] }
      case "--accept-new": ours.append(word)
      default: words.append(word)
      }
    }
    if host.isEmpty, let named = ProcessInfo.processInfo.environment["EVENTOR_VIA"], !named.isEmpty {
      host = [named]
    }
    guard let first = host.first else { return nil }
    guard host.count == 1 else {
      throw CommandFailure(
        status: .usage, what: "--via \(host.joined(separator: " --via "))", why: "one host can be named here")
    }
    self.host = try Destination(first)
    self.words = words
    options = try SSHOptions.parse(ours)
  }

  /// The coordinator there becomes the process that is called, and so gets its signals.
  private static let script = """
    for path in "$(command -v coordinator)" "$HOME/.local/bin/coordinator" /usr/local/bin/coordinator \
    /opt/eventor/bin/coordinator; do
      [ -x "$path" ] && exec "$path" "$@"
    done
    exit 127
    """

  /// Carries the command out there, with its streams, signals and exit code passed through; returns that code.
  func run() async throws -> Int32 {
    let session = try await options.client().connect(host)
    for note in session.peer.settings.notes { Say.warning(note) }
    let control = RemoteControl()
    let interrupts = try Interrupts([SIGINT, SIGTERM, SIGHUP]) { signal, _ in
      control.send(signal == SIGINT ? .interrupt : signal == SIGHUP ? .hangUp : .terminate)
    }
    defer { interrupts.stop() }
    let (words, passing) = try await ViaFiles(self.words).send(self.words, over: session)
    let command = RemoteCommand(["/bin/sh", "-c", Self.script, "coordinator"] + words)
    let end = try await session.execute(
      command, input: .descriptor(STDIN_FILENO), output: .descriptor(STDOUT_FILENO),
      error: .descriptor(STDERR_FILENO), control: control)
    if let passing {
      // What can't be taken away, as the connection is gone, is left: a program that anybody could have read here.
      _ = try? await session.gather(.script("rm -rf -- \"$1\"", passing), limit: 4096)
    }
    await session.close()
    if end == .exited(127) {
      throw CommandFailure(
        status: .notFound, what: "there is no coordinator on \(host)",
        mend: "install it there, where PATH, ~/.local/bin, /usr/local/bin or /opt/eventor/bin has it")
    }
    return Int32(end.code)
  }
}
