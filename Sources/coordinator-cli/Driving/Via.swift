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
  /// The hosts, in the order they were named.
  let hosts: [Destination]
  /// The command for them, without what is meant for this side.
  let words: [String]
  private let options: SSHOptions

  /// What `arguments`, or `EVENTOR_VIA`, ask for; nil if the command is carried out here.
  init?(_ arguments: [String]) throws {
    var (words, ours, hosts) = ([String](), [String](), [String]())
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
          throw CommandFailure(
            status: .usage, what: parts[0], why: "its value is missing",
            mend: parts[0] == "--via" ? "name a host: --via s1" : "see `coordinator ssh check --help`")
        }
        if parts[0] == "--via" { hosts.append(value) } else { ours += [parts[0], value] }
      case "--accept-new": ours.append(word)
      default: words.append(word)
      }
    }
    if hosts.isEmpty, let named = ProcessInfo.processInfo.environment["EVENTOR_VIA"], !named.isEmpty {
      hosts = [named]
    }
    guard !hosts.isEmpty else { return nil }
    if let twice = Dictionary(grouping: hosts, by: { $0 }).first(where: { $0.value.count > 1 })?.key {
      throw CommandFailure(
        status: .usage, what: "--via \(twice)", why: "the host is named twice", mend: "name each once")
    }
    self.hosts = try hosts.map { try Destination($0) }
    self.words = words
    options = try SSHOptions.parse(ours)
  }

  /// Carries the command out there; returns its exit code.
  func run() async throws -> Int32 {
    let client = try options.client()
    if hosts.count > 1 { return try await ViaMany(hosts: hosts, words: words, client: client).run() }
    return try await run(on: hosts[0], client)
  }

  /// Carries it out on one host, with its streams, signals and exit code passed through.
  private func run(on host: Destination, _ client: SSHClient) async throws -> Int32 {
    let session = try await client.connect(host)
    for note in session.peer.settings.notes { Say.warning(note) }
    let control = RemoteControl()
    let call = RemoteCoordinator(host: host, session: session)
    let preparing = Task { [words] in try await call.prepare(ViaFiles(words), for: words) }
    let interrupts = try Interrupts([SIGINT, SIGTERM, SIGHUP]) { signal, _ in
      // Until the command has begun there is nothing there to be told; then there is nothing here to be ended.
      preparing.cancel()
      control.send(signal == SIGINT ? .interrupt : signal == SIGHUP ? .hangUp : .terminate)
    }
    defer { interrupts.stop() }
    let result: Result<RemoteEnd, any Error>
    do {
      let prepared = try await preparing.value
      do {
        result = .success(
          try await session.execute(
            prepared.command, input: .descriptor(STDIN_FILENO), output: .descriptor(STDOUT_FILENO),
            error: .descriptor(STDERR_FILENO), control: control))
      } catch {
        result = .failure(error)
      }
      await call.tidy(prepared)
    } catch {
      result = .failure(error)
    }
    await session.close()
    return Int32(truncatingIfNeeded: try result.get().code)
  }
}
