import Secrets
public import Transport

/// From a bare host with sshd to a live agent: programs, configuration, credentials, and what starts it at boot.
///
/// Every part is compared first, so a second time changes nothing, and one that was broken off is gone on with. What is
/// sent is tried on the host before it takes the place of what runs; a step is never ended.
public struct NodeInstallation: Sendable {
  /// What is sent.
  public let programs: NodePrograms
  /// The store that the agents serve; nil for an upgrade, which leaves configuration and credentials alone.
  public let store: NodeStore?
  /// A configuration for the nodes, in place of the one that is made; replaces what they have.
  public var configuration: [UInt8]?
  /// Whether the agents are the login users' own.
  public var isForUser = false
  /// Who the agents of whole hosts run as; nil for the account they have, or `eventor`.
  public var account: String?
  /// How long a first heartbeat is waited for.
  public var patience = Duration.seconds(60)

  /// An installation of `programs`, or with no `store` an upgrade to them.
  public init(_ programs: NodePrograms, store: NodeStore?) {
    self.programs = programs
    self.store = store
  }

  /// Does it on one host.
  ///
  /// - Throws: ``TransportError``, ``NodeFailure``, `CancellationError`.
  public func carryOut(
    on host: String, client: SSHClient, progress: @escaping @Sendable (String) -> Void
  ) async throws -> NodeReport {
    try await NodeAccess.with(
      host, client: client, mode: store == nil && !isForUser ? "found" : isForUser ? "user" : "system",
      account: account ?? ""
    ) { node in
      var changes: [String] = []
      let facts = try await node.look()
      if let machine = facts["machine"], machine != programs.machine {
        throw NodeFailure(
          .cannotRun, what: "the programs do not run on \(host)",
          why: "they are for \(programs.machine), and it is \(machine)",
          mend: "say with --from where programs for \(machine) are")
      }
      let missing = programs.missing(facts)
      if !missing.isEmpty {
        let isNew = facts["coordinator"] == nil && facts["eventor-agent"] == nil
        try await send(missing, to: node, facts, progress)
        // What was sent runs there: only now does the former agent end. It hands over what its keeper goes on with.
        if facts.pid != nil { _ = try await node.stop(atOnce: true) }
        _ = try await node.ask("place")
        changes.append((isNew ? "installed " : "replaced ") + missing.joined(separator: " and "))
      } else if store != nil, facts["configuration"] == nil || facts["account_missing"] != nil {
        _ = try await node.ask("prepare")
        _ = try await node.ask("place")
      }
      let settled = try await settle(node, facts)
      changes += settled.changes
      let credentials = try await hand(store, to: node)
      changes += credentials
      let mustRestart = settled.isRead || !credentials.isEmpty
      if mustRestart, missing.isEmpty, facts.pid != nil { _ = try await node.stop(atOnce: true) }
      if store == nil, facts.pid == nil {
        var report = NodeReport(facts, .stopped)
        report.changes = changes
        report.notes = settled.notes + ["it did not run, and was not started"]
        return report
      }
      progress("\(host): starts its agent, and waits for it to report")
      if try await node.start() {
        changes.append(facts.pid == nil ? "started the agent" : "started the agent anew")
      }
      let beat = try await node.awaitHeartbeat(log: facts.log, patience: patience)
      var report = NodeReport(facts, beat)
      report.changes = changes
      report.notes = settled.notes
      if changes.isEmpty { report.notes.insert("nothing to do", at: 0) } else { report.age = nil }
      return report
    }
  }

  private func send(
    _ names: [String], to node: NodeHost, _ facts: NodeFacts, _ progress: @Sendable (String) -> Void
  ) async throws {
    _ = try await node.ask("prepare")
    for name in names {
      progress("\(node.name): is sent \(name)")
      try await node.session.upload(
        programs.folder + "/" + name, to: "\(facts.bin)/.eventor-new/\(name)", mode: 0o755)
    }
    _ = try await node.ask("try")
  }

  /// What ``settle`` did.
  private struct Settled {
    var changes: [String] = []
    var notes: [String] = []
    /// Whether the agent has to be started anew to see it.
    var isRead = false
  }

  /// Configuration, and what starts the agent now and at boot.
  private func settle(_ node: NodeHost, _ facts: NodeFacts) async throws -> Settled {
    var settled = Settled()
    if let store {
      let wanted = configuration ?? Array(NodeFiles.configuration(store, facts).utf8)
      let path = facts.etc + "/eventor.yaml"
      if facts["configuration"] == nil || (configuration != nil && !Self.is(facts["configuration"], wanted)) {
        try await node.session.upload(bytes: wanted, to: path, mode: 0o600)
        settled.changes.append(facts["configuration"] == nil ? "configured it" : "replaced its configuration")
        settled.isRead = true
      } else if !Self.is(facts["configuration"], wanted) {
        settled.notes.append("keeps its own \(path)")
      }
    }
    let starting: (path: String, bytes: [UInt8], mode: UInt32, former: String?) =
      facts.hasSystemd
      ? (
        "\(facts["units"] ?? "")/eventor-agent.service", Array(NodeFiles.unit(facts).utf8), 0o644,
        facts["unit"]
      )
      : (facts.bin + "/eventor-agent-start", Array(NodeFiles.starter(facts).utf8), 0o755, facts["starter"])
    var isStarterNew = false
    if !Self.is(starting.former, starting.bytes) {
      if facts.hasSystemd, let units = facts["units"] {
        _ = try await node.session.gather(
          .script("mkdir -p \"$1\"", units), limit: 4096, within: NodeHost.patience)
      }
      try await node.session.upload(bytes: starting.bytes, to: starting.path, mode: starting.mode)
      settled.changes.append("wrote \(starting.path)")
      isStarterNew = true
    }
    var boot = facts["boot"]
    if isStarterNew || !settled.changes.isEmpty || boot == nil {
      let former = boot
      boot = try await node.ask("settle")["boot"]
      if let boot, former == nil { settled.changes.append("it starts at boot, by \(boot)") }
    }
    if boot == nil || (boot == "cron" && facts["cron"] == nil) {
      settled.notes.append("nothing starts it at boot: the host has neither systemd nor cron")
    }
    return settled
  }

  /// Seals the store's secrets for the node's own key; returns what that changed.
  private func hand(_ store: NodeStore?, to node: NodeHost) async throws -> [String] {
    guard let store, !store.secrets.isEmpty else { return [] }
    let answer = try await node.ask("key")["key"] ?? ""
    let sealed: SealedExport
    do {
      sealed = try SealedExport(store.secrets, for: PublicKey(answer))
    } catch {
      throw NodeFailure(
        .failed, what: "can't seal credentials for \(node.name)", why: "\(error)",
        mend: "see there: coordinator secret list --public-key")
    }
    let answers = try await node.ask("import", input: Array("\(sealed)\n".utf8))
    let changed = answers.credentials.filter { !$0.hasPrefix("unchanged:") }
    return changed.isEmpty ? [] : ["sealed credentials for its key"]
  }

  private static func `is`(_ digest: String?, _ bytes: [UInt8]) -> Bool {
    digest == LocalFile.digest(of: bytes)
  }
}
