import Database
public import Engine
import Model

/// What an idle agent asks, once a poll: everything it could do, in one statement.
///
/// Each part is served by an index and bounded, so that a look costs the same however much history there is. Indexes:
/// ev_task_in_line (one short range for each queue), ev_run_waking, ev_task_held, ev_task_expiring. No part begins with what
/// runs or tasks are by their state: while some transaction stays open, that has entries of all that have ended.
extension SQLStore {
  private enum Kind: Int {
    case now = 0
    case waking = 2
    case ticket, stopped, followed, expired, firing, sensor, queue, drained
    /// A task of the agent's first queue; those of its other queues are counted up from here.
    case candidate = 100
  }

  /// How many runs that are due one look shows.
  private static let mostDue = 16

  /// Whether the store is a file: SQLite lets one connection write at a time.
  public var hasOneWriter: Bool { pool.url.kind == .sqlite }

  /// Looks at everything that could be done by the agent.
  public func look(agent: Int64, queues: AgentQueues, limit: Int, horizon: LookHorizon) async throws -> Look {
    let began = ContinuousClock.now
    let widens = horizon.widenedAt.map { began - $0 >= Self.widensEvery } ?? true
    var bounds = horizon
    let margin = widens ? Self.margins.long : Self.margins.short
    bounds.ready = horizon.ready.map { $0 - margin }
    bounds.expired = horizon.expired.map { $0 - margin }
    return try await pool.run(on: .read) { [bounds] session in
      let rows = try session.query(self.lookStatement(agent, queues, limit, bounds, session.dialect))
      var look = try self.look(rows, queues, limit, horizon)
      if widens { look.horizon.widenedAt = began }
      return look
    }
  }

  /// One statement of all parts: a kind, an id, a number, and a second number for the order.
  private func lookStatement(
    _ agent: Int64, _ queues: AgentQueues, _ limit: Int, _ horizon: LookHorizon, _ d: Dialect
  ) -> SQL {
    // A subquery: PostgreSQL evaluates it once, where the bare clock would be asked for every row.
    let now: SQL = "(SELECT \(raw: d.now))"
    var parts: [SQL] = []
    if limit > 0 {
      for (position, queue) in queues.names.enumerated() {
        // A limit that the planner knows: it would take an unknown one for a tenth of all that is ready, and sort that.
        for range in ranges(horizon, queues) {
          parts.append(
            """
            SELECT \(raw: String(Kind.candidate.rawValue + position)) AS kind, r.id AS id, t.ready_at AS moment,
              t.ordering AS place FROM ev_task t
            \(raw: run(of: "t", "r.status = 'running' AND r.stopped = 0", d))
            WHERE t.queue = \(queue) AND t.status = 'ready'\(range)
            ORDER BY t.ordering, t.ready_at, t.run_key, t.no LIMIT \(raw: String(limit))
            """)
        }
      }
      // Whoever is first in line for something of which some is free.
      parts.append(
        """
        SELECT 3 AS kind, r.id AS id, MIN(k.since) AS moment, MIN(k.ordering) AS place FROM ev_resource x
        JOIN ev_ticket k ON k.resource_key = x.resource_key
        \(raw: run(of: "k", "r.status = 'running' AND r.stopped = 0", d))
        WHERE x.used < x.capacity AND k.queue IN \(list: queues.names)
        GROUP BY r.id ORDER BY place, moment LIMIT \(Self.mostDue)
        """)
    }
    parts.append(
      """
      SELECT 2 AS kind, id, wake_at AS moment, 0 AS place FROM ev_run
      WHERE wake_at IS NOT NULL ORDER BY wake_at LIMIT \(Self.mostDue)
      """)
    parts.append(stopped(agent, now, d))
    parts.append(
      """
      SELECT 5 AS kind, r.id AS id, 0 AS moment, 0 AS place FROM ev_follow f
      \(raw: run(of: "f", "1 = 1", d))
      WHERE f.until_at > \(now) AND \(hasHeld("f", by: agent, now))
      """)
    parts.append(
      """
      SELECT 6 AS kind, '' AS id, lock_until AS moment, 0 AS place FROM ev_task
      WHERE holder IS NOT NULL AND kept = 0 AND lock_until >= \(horizon.expired ?? 0) AND lock_until < \(now)
      ORDER BY lock_until LIMIT 1
      """)
    parts.append(
      """
      SELECT 6 AS kind, '' AS id, 0 AS moment, 0 AS place FROM ev_run r
      WHERE \(raw: Fleet.isStopping("r")) AND r.standalone = 0 AND EXISTS
        (SELECT 1 FROM ev_task t WHERE t.run_key = r.run_key AND t.open = 1 AND t.status = 'running'
          AND t.lock_until < \(now) LIMIT 1 OFFSET 0) LIMIT 1
      """)
    parts.append("SELECT 7 AS kind, '' AS id, (\(nextFiring(d))) AS moment, 0 AS place")
    parts.append(
      """
      SELECT 8 AS kind, '' AS id, MIN(sensor_due) AS moment, 0 AS place FROM ev_resource
      WHERE sensor_due IS NOT NULL
      """)
    parts.append("SELECT 9 AS kind, '' AS id, COUNT(*) AS moment, 0 AS place FROM ev_queue")
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

  /// Joins the run of a task or a ticket, where that fulfils `condition`.
  ///
  /// Differs by necessity: MySQL would begin with the few runs, and sort all tasks that are ready, and PostgreSQL with
  /// all that were ever in such a state. By the task as many runs are read as are shown.
  private func run(of alias: String, _ condition: String, _ d: Dialect) -> String {
    switch d.kind {
    case .postgresql:
      "CROSS JOIN LATERAL (SELECT id FROM ev_run r WHERE r.run_key = \(alias).run_key AND \(condition) OFFSET 0) r"
    case .mysql: "STRAIGHT_JOIN ev_run r ON r.run_key = \(alias).run_key AND \(condition)"
    case .sqlite: "CROSS JOIN ev_run r ON r.run_key = \(alias).run_key AND \(condition)"
    }
  }

  /// Runs that are being stopped while the agent holds tasks of theirs.
  ///
  /// Differs by necessity: PostgreSQL, which would go over what all tasks ever held by anybody have left, begins with those
  /// runs, of which it has an index; the others with the tasks that the agent holds.
  private func stopped(_ agent: Int64, _ now: SQL, _ d: Dialect) -> SQL {
    guard d.kind == .postgresql else {
      return """
        SELECT DISTINCT 4 AS kind, r.id AS id, 0 AS moment, 0 AS place FROM ev_task t
        \(raw: run(of: "t", Fleet.isStopping("r"), d)) WHERE t.holder = \(agent) AND t.lock_until > \(now)
        """
    }
    return """
      SELECT 4 AS kind, r.id AS id, 0 AS moment, 0 AS place FROM ev_run r
      WHERE \(raw: Fleet.isStopping("r")) AND \(hasHeld("r", by: agent, now))
      """
  }

  /// Whether an agent holds a task of a run; by what runs in that run. Terms that no index serves keep the planner from what
  /// the agent holds, or held, elsewhere, and so does the OFFSET from doing it for all runs at once.
  private func hasHeld(_ alias: String, by agent: Int64, _ now: SQL) -> SQL {
    """
    EXISTS (SELECT 1 FROM ev_task t WHERE t.run_key = \(raw: alias).run_key AND t.open = 1 AND t.status = 'running'
      AND COALESCE(t.holder, 0) = \(agent) AND COALESCE(t.lock_until, 0) > \(now) LIMIT 1 OFFSET 0)
    """
  }

  /// The parts of a queue in which tasks are looked for: with a horizon one for each side of the default priority, whose
  /// place is 0, and one for that.
  private func ranges(_ horizon: LookHorizon, _ queues: AgentQueues) -> [SQL] {
    // SQLite takes no more than 500 parts.
    guard let ready = horizon.ready, queues.names.count <= 128 else { return [""] }
    return [" AND t.ordering < 0", " AND t.ordering = 0 AND t.ready_at >= \(ready)", " AND t.ordering > 0"]
  }

  /// How much further back than what was seen a look goes, in microseconds: what was under way then may have come since. What
  /// takes longer than the shorter of the two is seen by the next look that keeps the longer one.
  private static let margins: (short: Int64, long: Int64) = (2_000_000, 30_000_000)
  private static let widensEvery = Duration.seconds(5)

  private func look(
    _ rows: [Row], _ queues: AgentQueues, _ limit: Int, _ horizon: LookHorizon
  ) throws -> Look {
    var look = Look()
    look.limit = limit
    var now: Int64 = 0
    var oldestLock: Int64?
    var candidates: [(run: String, place: Int64, since: Int64)] = []
    var seen = [(count: Int, oldest: Int64?)](repeating: (0, nil), count: queues.names.count)
    for row in rows {
      let (number, id, moment) = (try row.int(0), try row.text(1), try row.optionalInteger(2))
      let queue = number - Kind.candidate.rawValue
      guard queue < 0 else {
        candidates.append((id, try row.integer(3), moment ?? 0))
        seen[queue].count += 1
        if try row.integer(3) == 0 { seen[queue].oldest = min(seen[queue].oldest ?? .max, moment ?? 0) }
        continue
      }
      switch Kind(rawValue: number) {
      case .now: now = moment ?? 0
      case .ticket: candidates.append((id, try row.integer(3), moment ?? 0))
      case .waking:
        guard let moment else { continue }
        if moment <= now {
          look.due.append(id)
        } else {
          look.nextDue = min(look.nextDue ?? .max, moment - now)
        }
      case .stopped: look.stopped.append(id)
      case .followed: look.followed.append(id)
      case .expired:
        look.hasExpired = true
        if let moment, moment > 0 { oldestLock = min(oldestLock ?? .max, moment) }
      case .firing: look.nextFiring = moment.map { max(0, $0 - now) }
      case .sensor: look.nextSensor = moment.map { max(0, $0 - now) }
      case .queue: look.hasNewQueues = (moment ?? 0) > queues.count
      case .drained: look.isDraining = true
      case .candidate, nil: break
      }
    }
    look.horizon = horizon
    if !look.hasExpired { look.horizon.expired = now }
    if let oldestLock { look.horizon.expired = min(look.horizon.expired ?? .max, oldestLock) }
    // Where the limit cut off what is of the default priority, it is not known how old that is.
    if limit > 0, seen.allSatisfy({ $0.count < limit || $0.oldest != nil }) {
      look.horizon.ready = min(now, seen.compactMap(\.oldest).min() ?? now)
    }
    candidates.sort { ($0.place, $0.since) < ($1.place, $1.since) }
    for candidate in candidates.prefix(limit) {
      if look.candidates.last?.run == candidate.run {
        look.candidates[look.candidates.count - 1].tasks += 1
        look.candidates[look.candidates.count - 1].last = candidate.place
      } else {
        look.candidates.append(
          Look.Candidate(run: candidate.run, tasks: 1, first: candidate.place, last: candidate.place))
      }
    }
    return look
  }
}
