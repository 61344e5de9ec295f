import Agent
import ArgumentParser
import CommandSupport
import Coordinator
import Engine
import Model
import Storage

/// `coordinator agent`.
struct AgentsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "agent",
    abstract: "The agents that carry out submitted runs.",
    discussion: """
      EXAMPLE
        coordinator agent install s1 s2 s3 --store prod
        coordinator agent list
        coordinator agent drain s2 --reason "new memory" --deadline 2h
      """,
    subcommands: [
      Install.self, Upgrade.self, List.self, Start.self, Stop.self, Restart.self, Status.self, Drain.self,
      Undrain.self,
    ])

  /// `coordinator agent list`.
  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract:
        "Lists the agents of the store: whether they live, what they run, and when they were last seen.",
      discussion: """
        live: reports in time. draining: takes nothing new. silent: has missed two reports. gone: has not reported for \
        two of its lock times. stopped: has said goodbye.

        EXAMPLE
          coordinator agent list --store postgresql://eventor@db/eventor
          coordinator agent list --output csv --columns host,state,running
        """)

    @OptionGroup var list: ListOptions
    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let open = try await storeOptions.open()
      var table = Table([
        .init("host"), .init("instance"), .init("state"), .init("running", alignment: .right),
        .init("capacity", alignment: .right), .init("seen"), .init("pid", alignment: .right),
        .init("version"),
        .init("labels"), .init("drain"),
      ])
      for agent in try await open.store.agents() {
        let labels = agent.profile.labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let ago = TimeSpan(microseconds: agent.silentFor.microseconds / 1_000_000 * 1_000_000)
        table.append([
          .init(agent.identity.host), .init(agent.identity.instance),
          .init(agent.state.rawValue, style: agent.state == .live ? .good : .notable),
          .init(agent.running), .init(agent.profile.capacity),
          .init(ago == .zero ? "now" : "\(ago) ago", value: agent.seenAt.description),
          .init(Int(agent.identity.pid)), .init(agent.identity.version),
          .init(labels.joined(separator: " ")),
          .init(
            agent.drain.map { drain in
              let until = drain.deadline.map { ", until \($0)" } ?? ""
              return "by \(drain.by): \(drain.reason)\(until)"
            }),
        ])
      }
      try list.show(table)
    }
  }

  /// `coordinator agent drain`.
  struct Drain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lets a host take nothing new; what runs there is finished.",
      discussion: """
        The host stays drained, whether its agent is restarted or not, until it is undrained. With --deadline what \
        still runs then is stopped and given back: steps of groups go to other hosts, steps of this host wait.

        EXAMPLE
          coordinator agent drain s2 --reason "new memory" --deadline 2h
        """)

    @Argument(help: "The host, as its agent is called.")
    var host: String

    @Option(help: "Why; `why` and `agent list` show it.")
    var reason: String

    @Option(help: "After this long what still runs is stopped and given back.")
    var deadline: String?

    @OptionGroup var storeOptions: StoreOptions

    func validate() throws {
      if reason.isEmpty { throw ValidationError("--reason must say why") }
      if let deadline, TimeSpan(deadline) == nil {
        throw ValidationError("--deadline \(deadline): write a duration such as 2h")
      }
    }

    func run() async throws {
      let open = try await storeOptions.open()
      try await AgentsCommand.check(host, open.store)
      try await open.store.drain(
        host, reason: reason, within: deadline.flatMap { TimeSpan($0) }, by: Person.name)
      let running = try await open.store.agents().filter { $0.identity.host == host }
        .reduce(0) { $0 + $1.running }
      Say.line(
        "draining \(host); \(running) step\(running == 1 ? "" : "s") still run\(running == 1 ? "s" : "")")
    }
  }

  /// `coordinator agent undrain`.
  struct Undrain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lets a drained host take steps again.",
      discussion: """
        EXAMPLE
          coordinator agent undrain s2
        """)

    @Argument(help: "The host.")
    var host: String

    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let open = try await storeOptions.open()
      if try await open.store.undrain(host) { return Say.line("\(host) takes steps again") }
      try await AgentsCommand.check(host, open.store)
      Say.line("\(host) was not draining; nothing changes")
    }
  }

  /// A host that no agent was ever called is a slip.
  private static func check(_ host: String, _ store: SQLStore) async throws {
    let known = try await store.agents().map(\.identity.host)
    guard !known.contains(host) else { return }
    let near = Name.nearest(to: host, among: known).map { "; did you mean '\($0)'?" } ?? ""
    throw StoreError(
      .notFound, "no agent of host '\(host)' has ever registered here\(near)",
      hint: "`coordinator agent list` shows those that have")
  }
}
