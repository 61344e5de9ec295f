import ArgumentParser
import CommandSupport
import Coordinator
import Foundation
import Transport

/// `coordinator ssh`.
struct SSHCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ssh",
    abstract: "Hosts over SSH.",
    discussion: """
      EXAMPLE
        coordinator ssh check s1 s2 s3
      """,
    subcommands: [Check.self])

  /// `coordinator ssh check`.
  struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Reaches each host, and says how it was reached and what is found there.",
      discussion: """
        Hosts are reached as ssh would: by ~/.ssh/config, the ssh-agent, key files and known_hosts. A host key that is \
        not known is refused, unless --accept-new stores it; a changed one is always refused. The coordinator of each \
        host is asked whether it reaches the store of its configuration. One line for each host, in the order they were \
        named; exit code 5 if one was not reached, else 4 if the store of one can't be used from there.

        EXAMPLE
          coordinator ssh check s1 admin@s2 s3:2222
          coordinator ssh check s1 s2 --accept-new --json
        """)

    @Argument(help: "Hosts: names of ~/.ssh/config, or [user@]host[:port].")
    var hosts: [String]

    @Flag(help: "Print one JSON document.")
    var json = false

    @Option(help: "How many hosts are reached at a time.")
    var parallel = 16

    @OptionGroup var ssh: SSHOptions

    func validate() throws {
      if parallel < 1 { throw ValidationError("--parallel must be at least 1") }
    }

    func run() async throws {
      let client = try ssh.client()
      for host in hosts { _ = try client.settings(for: Destination(host)) }
      var checks: [HostCheck] = []
      var notes: Set<String> = []
      await FanOut.run(hosts, width: parallel) { host in
        // Nothing here cancels a check; one that were cancelled would have nothing to tell.
        try? await HostCheck.run(host, client: client) { Date().timeIntervalSince1970 }
      } each: { _, check in
        guard let check else { return }
        checks.append(check)
        if case .success(let finding) = check.result {
          for note in finding.peer.settings.notes where notes.insert(note).inserted { Say.warning(note) }
        }
        if !json { Say.line(HostCheckView.line(check)) }
      }
      if json { Say.out(JSONObject([("hosts", checks.map { HostCheckView.object($0) })]).document) }
      if checks.contains(where: { !$0.isWell }) { throw ExitCode(ExitStatus.ssh.rawValue) }
      if checks.contains(where: \.lacksStore) { throw ExitCode(ExitStatus.database.rawValue) }
    }
  }
}
