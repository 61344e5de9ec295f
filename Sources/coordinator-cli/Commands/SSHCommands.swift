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

    @OptionGroup var hosts: HostsOptions

    func run() async throws {
      let client = try hosts.client()
      var checks: [HostCheck] = []
      var notes: Set<String> = []
      await FanOut.run(hosts.hosts, width: hosts.parallel) { host in
        // Nothing here cancels a check; one that were cancelled would have nothing to tell.
        try? await HostCheck.run(host, client: client) { Date().timeIntervalSince1970 }
      } each: { _, check in
        guard let check else { return }
        checks.append(check)
        if case .success(let finding) = check.result {
          for note in finding.peer.settings.notes where notes.insert(note).inserted { Say.warning(note) }
        }
        if !hosts.json { Say.line(HostCheckView.line(check)) }
      }
      if hosts.json { Say.out(JSONObject([("hosts", checks.map { HostCheckView.object($0) })]).document) }
      if checks.contains(where: { !$0.isWell }) { throw ExitCode(ExitStatus.ssh.rawValue) }
      if checks.contains(where: \.lacksStore) { throw ExitCode(ExitStatus.database.rawValue) }
    }
  }
}
