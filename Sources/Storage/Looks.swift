import Database
public import Engine
import Model

/// What an idle agent asks, once a poll: everything it could do, in one statement.
///
/// Each part is served by an index and bounded, so that a look costs the same however much history there is. Indexes:
/// ev_task_queued (one short range for each queue), ev_run_waking, ev_task_held, ev_task_expiring.
extension SQLStore {
  private enum Kind: Int {
    case now = 0
    case candidate, waking, ticket, stopped, followed, expired, firing, sensor, queue, drained
  }

  /// How many runs that are due one look shows.
  private static let mostDue = 16

  /// Looks at everything that could be done by the agent.
  public func look(agent: Int64, queues: AgentQueues, free: Int) async throws -> Look {
    try await pool.run { session in
      let rows = try session.query(self.lookStatement(agent, queues, free: free, session.dialect))
      return try self.look(rows, queues, free: free)
    }
  }

  /// One statement of all parts: a kind, an id, a number, and a second number for the order.
  private func lookStatement(_ agent: Int64, _ queues: AgentQueues, free: Int, _ d: Dialect) -> SQL {
    // A subquery: PostgreSQL evaluates it once, where the bare clock would be asked for every row.
    let now: SQL = "(SELECT \(raw: d.now))"
    // MySQL would begin with the few runs, and sort all tasks that are ready; by the queue it reads as many as it shows.
    let inOrder = d.kind == .mysql ? "STRAIGHT_JOIN" : "JOIN"
    var parts: [SQL] = []
    if free > 0 {
      for queue in queues.names {
        parts.append(
          """
          SELECT 1 AS kind, r.id AS id, t.ready_at AS moment, t.ordering AS place FROM ev_task t
          \(raw: inOrder) ev_run r ON r.run_key = t.run_key
          WHERE t.queue = \(queue) AND t.open = 1 AND t.status = 'ready' AND r.status = 'running' AND r.stopped = 0
          ORDER BY t.ordering, t.ready_at, t.run_key, t.no LIMIT \(min(free, Self.mostCandidates))
          """)
      }
      // Whoever is first in line for something of which some is free.
      parts.append(
        """
        SELECT 3 AS kind, r.id AS id, MIN(k.since) AS moment, MIN(k.ordering) AS place FROM ev_resource x
        JOIN ev_ticket k ON k.resource_key = x.resource_key JOIN ev_run r ON r.run_key = k.run_key
        WHERE x.used < x.capacity AND k.queue IN \(list: queues.names) AND r.status = 'running' AND r.stopped = 0
        GROUP BY r.id ORDER BY place, moment LIMIT \(Self.mostDue)
        """)
    }
    parts.append(
      """
      SELECT 2 AS kind, id, wake_at AS moment, 0 AS place FROM ev_run
      WHERE wake_at IS NOT NULL ORDER BY wake_at LIMIT \(Self.mostDue)
      """)
    parts.append(
      """
      SELECT DISTINCT 4 AS kind, r.id AS id, 0 AS moment, 0 AS place FROM ev_task t JOIN ev_run r ON r.run_key = t.run_key
      WHERE t.holder = \(agent) AND r.verdict IS NOT NULL
      """)
    parts.append(
      """
      SELECT 5 AS kind, r.id AS id, 0 AS moment, 0 AS place FROM ev_follow f JOIN ev_run r ON r.run_key = f.run_key
      WHERE f.until_at > \(now) AND EXISTS (SELECT 1 FROM ev_task t WHERE t.run_key = f.run_key AND t.holder = \(agent))
      """)
    parts.append(
      """
      SELECT 6 AS kind, '' AS id, lock_until AS moment, 0 AS place FROM ev_task
      WHERE holder IS NOT NULL AND kept = 0 AND lock_until < \(now) ORDER BY lock_until LIMIT 1
      """)
    parts.append(
      """
      SELECT 6 AS kind, '' AS id, t.lock_until AS moment, 0 AS place FROM ev_run r
      JOIN ev_task t ON t.run_key = r.run_key
      WHERE r.status = 'running' AND r.verdict IS NOT NULL AND r.standalone = 0 AND t.open = 1
        AND t.status = 'running' AND t.lock_until < \(now) LIMIT 1
      """)
    parts.append("SELECT 7 AS kind, '' AS id, (\(nextFiring(d))) AS moment, 0 AS place")
    parts.append(
      """
      SELECT 8 AS kind, '' AS id, MIN(sensor_due) AS moment, 0 AS place FROM ev_resource
      WHERE sensor_due IS NOT NULL
      """)
    parts.append("SELECT 9 AS kind, '' AS id, MAX(queue_no) AS moment, 0 AS place FROM ev_queue")
    parts.append(
      """
      SELECT 10 AS kind, '' AS id, 0 AS moment, 0 AS place FROM ev_drain d JOIN ev_agent a ON a.host = d.host WHERE a.agent_key = \(agent)
      """)
    var sql: SQL = "SELECT 0 AS kind, '' AS id, \(now) AS moment, 0 AS place"
    for (position, part) in parts.enumerated() {
      // A part with an order of its own must be a table of its own on SQLite.
      sql.append(" UNION ALL SELECT * FROM (\(part)) p\(raw: String(position))")
    }
    return sql
  }

  /// More than an agent could start at once would only be looked at in vain.
  private static let mostCandidates = 64

  private func look(_ rows: [Row], _ queues: AgentQueues, free: Int) throws -> Look {
    var look = Look()
    var now: Int64 = 0
    var candidates: [(run: String, place: Int64, since: Int64)] = []
    for row in rows {
      let (id, moment) = (try row.text(1), try row.optionalInteger(2))
      switch Kind(rawValue: try row.int(0)) {
      case .now: now = moment ?? 0
      case .candidate, .ticket: candidates.append((id, try row.integer(3), moment ?? 0))
      case .waking:
        guard let moment else { continue }
        if moment <= now {
          look.due.append(id)
        } else {
          look.nextDue = min(look.nextDue ?? .max, moment - now)
        }
      case .stopped: look.stopped.append(id)
      case .followed: look.followed.append(id)
      case .expired: look.hasExpired = true
      case .firing: look.nextFiring = moment.map { max(0, $0 - now) }
      case .sensor: look.nextSensor = moment.map { max(0, $0 - now) }
      case .queue: look.hasNewQueues = (moment ?? 0) > queues.newest
      case .drained: look.isDraining = true
      case nil: break
      }
    }
    candidates.sort { ($0.place, $0.since) < ($1.place, $1.since) }
    for candidate in candidates.prefix(max(free, 1)) {
      if let known = look.candidates.firstIndex(where: { $0.run == candidate.run }) {
        look.candidates[known].tasks += 1
      } else {
        look.candidates.append((candidate.run, 1))
      }
    }
    return look
  }
}
