import Database
import Engine
import Model

/// Why a ready task of a submitted run has not been taken: what is known of the agents that could take it.
struct AgentReasons {
  let session: any Session

  /// An agent that takes from a queue, or has done so.
  private struct Candidate {
    let key: Int64
    let name: String
    let isLive: Bool
    let silence: Int64
    let capacity: Int
    let held: Int
    let drain: (by: String, reason: String)?
    let hasLeft: Bool
  }

  /// An agent that holds a task and does not report.
  struct Silence {
    let host: String
    /// What it does instead.
    let sentence: String
  }

  /// The tasks of a run that agents hold which do not report, by number. Index: ev_task_open.
  func silences(in run: Int64) throws -> [Int64: Silence] {
    let rows = try session.query(
      """
      SELECT t.no, a.host, \(raw: session.dialect.now) - a.heartbeat_at, a.stopped_at
      FROM ev_task t JOIN ev_agent a ON a.agent_key = t.holder
      WHERE t.run_key = \(run) AND t.open = 1 AND t.status = 'running'
        AND NOT (\(raw: Fleet.isLive("a", session.dialect)))
      """)
    let silences = try rows.map { row in
      let ago = TimeSpan(microseconds: max(0, try row.integer(2)) / 1_000_000 * 1_000_000)
      let hasLeft = try row.optionalInteger(3) != nil
      return (
        try row.integer(0),
        Silence(
          host: try row.text(1), sentence: hasLeft ? "has stopped" : "has not reported for \(ago)")
      )
    }
    return Dictionary(silences) { first, _ in first }
  }

  /// The reason for `task`, which waits in `queue`.
  func reason(_ task: TaskFact, group: String?, queue: String?, plan: Plan) throws -> WaitReason {
    func say(_ code: WaitReason.Code, _ message: String, _ mend: String) -> WaitReason {
      WaitReason(step: task.step, sequence: task.sequence, code: code, message: message, mend: mend)
    }
    let candidates = try queue.map(candidates(of:)) ?? []
    let live = candidates.filter(\.isLive)
    guard !live.isEmpty else {
      let (place, mend) = place(task, group, plan)
      return say(.noAgent, "waiting for an agent \(place)", "\(mend)\(lastSeen(candidates))")
    }
    let willing = live.filter { $0.drain == nil }
    guard let first = willing.first else {
      let drained = live.compactMap { agent in agent.drain.map { "\(agent.name) (by \($0.by): \($0.reason))" }
      }
      return say(
        .draining, "draining: \(drained.joined(separator: ", "))",
        "`coordinator agent undrain HOST`, or start an agent on another host that may take it")
    }
    guard willing.contains(where: { $0.held < $0.capacity }) else {
      let holders = try session.query(
        """
        SELECT t.step, t.sequence, r.id FROM ev_task t JOIN ev_run r ON r.run_key = t.run_key
        WHERE t.holder = \(first.key) ORDER BY t.started_at, t.no LIMIT 3
        """
      ).map { "\(try $0.text(0))/\(try $0.text(1)) of run \(try $0.text(2))" }
      let names = willing.map { "\($0.name) (\($0.held) of \($0.capacity))" }.joined(separator: ", ")
      return say(
        .slotsFull, "all slots are taken on \(names), among others by \(holders.joined(separator: ", "))",
        "wait, or allow more with --max-concurrent")
    }
    return say(.ready, "\(task.step)/\(task.sequence) is about to start", "nothing to do")
  }

  private func candidates(of queue: String) throws -> [Candidate] {
    try session.query(
      """
      SELECT a.agent_key, a.host, a.instance, CASE WHEN \(raw: Fleet.isLive("a", session.dialect)) THEN 1 ELSE 0 END,
        \(raw: session.dialect.now) - a.heartbeat_at, a.capacity, d.drained_by, d.reason, a.stopped_at,
        (SELECT COUNT(*) FROM ev_task t WHERE t.holder = a.agent_key)
      FROM ev_member m JOIN ev_agent a ON a.agent_key = m.agent_key
      JOIN ev_seat s ON s.agent_key = a.agent_key LEFT JOIN ev_drain d ON d.host = a.host
      WHERE m.queue = \(queue) ORDER BY a.host, a.instance
      """
    ).map { row in
      let (host, instance) = (try row.text(1), try row.text(2))
      return Candidate(
        key: try row.integer(0), name: instance == "1" ? host : "\(host) (\(instance))",
        isLive: try row.bool(3), silence: max(0, try row.integer(4)),
        capacity: Int(try row.optionalInteger(5) ?? 0), held: try row.int(9),
        drain: try row.optionalText(6).map { ($0, try row.optionalText(7) ?? "") },
        hasLeft: try row.optionalInteger(8) != nil)
    }
  }

  /// Where it waits for an agent, and how to get one.
  private func place(_ task: TaskFact, _ group: String?, _ plan: Plan) -> (String, String) {
    if let host = task.host, group == nil { return ("on \(host)", "start an agent on \(host)") }
    let members = plan.program.groups.first { $0.name == group }
    let labels = (members?.match ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    if let hosts = members?.hosts, !hosts.isEmpty {
      return ("on a host of group \(group ?? "?")", "start an agent on \(hosts.joined(separator: " or "))")
    }
    let wanted = labels.joined(separator: ", ")
    return (
      "with the labels of group \(group ?? "?") (\(wanted))",
      "start an agent with " + labels.map { "--label \($0)" }.joined(separator: " ")
    )
  }

  private func lastSeen(_ candidates: [Candidate]) -> String {
    guard let last = candidates.min(by: { $0.silence < $1.silence }) else {
      return "; none has ever registered"
    }
    let ago = TimeSpan(microseconds: last.silence / 1_000_000 * 1_000_000)
    return "; the last, on \(last.name), \(last.hasLeft ? "said goodbye" : "was seen") \(ago) ago"
  }
}
