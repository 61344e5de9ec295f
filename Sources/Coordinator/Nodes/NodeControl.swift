public import Transport

/// Starting, stopping and looking after the agent of one host.
public struct NodeControl: Sendable {
  /// What is done.
  public enum Verb: String, Sendable {
    case start, stop, restart, status
  }

  /// What is done.
  public let verb: Verb
  /// Whether the login user's own agent is meant, and not whichever is found.
  public var isForUser = false
  /// How long a first heartbeat, or the agent's end, is waited for.
  public var patience = Duration.seconds(60)

  /// To do this.
  public init(_ verb: Verb) { self.verb = verb }

  /// Does it on one host.
  ///
  /// - Throws: ``TransportError``, ``NodeFailure``, `CancellationError`.
  public func carryOut(
    on host: String, client: SSHClient, progress: @escaping @Sendable (String) -> Void
  ) async throws -> NodeReport {
    try await NodeAccess.with(host, client: client, mode: isForUser ? "user" : "found", account: "") { node in
      let facts = try await node.look()
      guard facts["eventor-agent"] != nil, facts["configuration"] != nil else {
        throw NodeFailure(
          .notFound, what: "\(host) has no agent to \(verb.rawValue)",
          why: "none is installed for \(facts.user)",
          mend: "coordinator agent install \(host)" + (isForUser ? " --user" : ""))
      }
      switch verb {
      case .status:
        let beat = try await node.beat()
        return NodeReport(facts, beat)
      case .stop:
        let seconds = Int(patience.components.seconds)
        let hasRun = try await node.stop(atOnce: false, within: max(1, seconds))
        var report = NodeReport(facts, .stopped)
        if hasRun { report.changes = ["stopped the agent\(facts.pid.map { " (pid \($0))" } ?? "")"] }
        report.pid = nil
        report.age = nil
        return report
      case .start, .restart:
        var wasStopped = false
        if verb == .restart { wasStopped = try await node.stop(atOnce: true) }
        let isStarted = try await node.start()
        let beat = try await node.awaitHeartbeat(log: facts.log, patience: patience)
        var report = NodeReport(facts, beat)
        if isStarted { report.age = nil }
        report.changes =
          wasStopped ? ["started the agent anew"] : isStarted ? ["started the agent"] : []
        if !isStarted { report.notes.append("it ran already") }
        return report
      }
    }
  }
}

/// Reaching a node, and leaving it again.
enum NodeAccess {
  static func with(
    _ host: String, client: SSHClient, mode: String, account: String,
    _ body: (NodeHost) async throws -> NodeReport
  ) async throws -> NodeReport {
    try await client.withSession(Destination(host)) { session in
      var report = try await body(NodeHost(session: session, name: host, mode: mode, account: account))
      report.notes += session.peer.settings.notes
      if session.peer.isNewKey {
        report.notes.append("its host key \(session.peer.hostKey.fingerprint) is stored")
      }
      return report
    }
  }
}
