import ArgumentParser
import CommandSupport
import Coordinator
import Foundation

extension AgentsCommand {
  /// `coordinator agent install`.
  struct Install: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Brings hosts that have nothing but sshd to a live agent.",
      discussion: """
        Over SSH each host is sent coordinator and eventor-agent, a configuration that names the store, and the store's \
        password, sealed for a key that the host makes itself; what starts the agent at boot is set up (systemd, else \
        cron), the agent started, and its first report to the store waited for. What is there already is left, so a \
        second time changes nothing, and says so. A configuration that a host has is kept.

        As root the programs go to /usr/local/bin, the configuration to /etc/eventor, everything else to /var/lib/eventor, \
        and the agent runs as the account eventor. With --user they go to ~/.local/bin, ~/.config/eventor and \
        ~/.local/state/eventor, and no root is needed.

        EXAMPLE
          coordinator agent install s1 s2 s3 --store prod --accept-new
          coordinator agent install ann@lab1 --user --store postgresql://eventor@db/eventor
        """)

    @OptionGroup var nodes: NodeOptions

    @OptionGroup var programs: NodeProgramOptions

    @Option(
      help:
        "Who the agent runs as; made if there is no such account. root, if steps have user: (default: eventor)."
    )
    var runAs: String?

    @Option(help: "A configuration for the hosts, sent as it is, in place of one that is made.")
    var nodeConfig: String?

    @OptionGroup var storeOptions: StoreOptions

    func validate() throws {
      if nodes.user, runAs != nil {
        throw ValidationError(
          "--run-as needs root, which --user is there to do without: leave one of them out")
      }
      if let runAs, runAs.wholeMatch(of: /[a-z_][a-z0-9_-]{0,31}/) == nil {
        throw ValidationError("--run-as \(runAs): that is no name of an account")
      }
    }

    func run() async throws {
      let store = try await storeOptions.storeForNodes()
      var installation = NodeInstallation(try programs.read(), store: store)
      installation.configuration = try nodeConfig.map { path in
        guard let data = FileManager.default.contents(atPath: path) else {
          throw CommandFailure(
            status: .notFound, what: path, why: "it can't be read",
            mend: "name a file that is there with --node-config")
        }
        return Array(data)
      }
      installation.isForUser = nodes.user
      installation.account = runAs
      installation.patience = nodes.patience
      try await nodes.serve { [installation] host, client, progress in
        try await installation.carryOut(on: host, client: client, progress: progress)
      }
    }
  }

  /// `coordinator agent upgrade`.
  struct Upgrade: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Replaces the programs of installed agents, without interrupting a step.",
      discussion: """
        The new programs are sent and tried first; then the agent ends and hands its running steps over to their keeper, \
        the programs are replaced, and the new agent goes on with the steps. With --rolling one host is done after the \
        other, each only when the one before has reported to its store; after a failure the rest are left as they are.

        EXAMPLE
          coordinator agent upgrade s1 s2 s3 --rolling
          coordinator agent upgrade s1 --from ./eventor-0.2
        """)

    @OptionGroup var nodes: NodeOptions

    @OptionGroup var programs: NodeProgramOptions

    @Flag(help: "One host after the other, each when the one before lives again.")
    var rolling = false

    func run() async throws {
      var installation = NodeInstallation(try programs.read(), store: nil)
      installation.isForUser = nodes.user
      installation.patience = nodes.patience
      try await nodes.serve(inTurn: rolling) { [installation] host, client, progress in
        try await installation.carryOut(on: host, client: client, progress: progress)
      }
    }
  }
}

/// Which programs hosts are sent.
struct NodeProgramOptions: ParsableArguments {
  @Option(
    help: "The directory of coordinator and eventor-agent for the hosts (default: that of this program).")
  var from: String?

  func read() throws -> NodePrograms {
    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return try NodePrograms(in: from.map(Places.absolute) ?? (own as NSString).deletingLastPathComponent)
  }
}
