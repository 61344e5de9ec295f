import ArgumentParser
import Coordinator

extension AgentsCommand {
  /// `coordinator agent start`.
  struct Start: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Starts the agents of hosts over SSH, and waits until they have reported to their store.",
      discussion: """
        An agent that is started goes on when the connection ends. For one that runs already nothing is done, which is said.

        EXAMPLE
          coordinator agent start s1 s2 s3
        """)

    @OptionGroup var nodes: NodeOptions

    func run() async throws { try await nodes.carryOut(.start) }
  }

  /// `coordinator agent stop`.
  struct Stop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Stops the agents of hosts over SSH; their running steps go on.",
      discussion: """
        The agent takes nothing new, gives running steps its --grace to end, and leaves the rest to their keeper: the next \
        agent of the host goes on with them. Exit code 7 if it has not ended in time.

        EXAMPLE
          coordinator agent stop s2
        """)

    @OptionGroup var nodes: NodeOptions

    func run() async throws { try await nodes.carryOut(.stop) }
  }

  /// `coordinator agent restart`.
  struct Restart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Starts the agents of hosts anew over SSH; no step is interrupted.",
      discussion: """
        EXAMPLE
          coordinator agent restart s1 s2
        """)

    @OptionGroup var nodes: NodeOptions

    func run() async throws { try await nodes.carryOut(.restart) }
  }

  /// `coordinator agent status`.
  struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Says over SSH how the agents of hosts stand, and where their logs are.",
      discussion: """
        live: it runs, and its store has heard of it. draining: as live, and takes nothing new. silent: it runs, but its \
        store has not heard of it. stopped: it does not run.

        EXAMPLE
          coordinator agent status s1 s2 s3 --json
        """)

    @OptionGroup var nodes: NodeOptions

    func run() async throws { try await nodes.carryOut(.status) }
  }
}

extension NodeOptions {
  fileprivate func carryOut(_ verb: NodeControl.Verb) async throws {
    var control = NodeControl(verb)
    control.isForUser = user
    control.patience = patience
    try await serve { [control] host, client, progress in
      try await control.carryOut(on: host, client: client, progress: progress)
    }
  }
}
