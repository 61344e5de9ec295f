import Database
public import Engine
import Model

/// Firing what is due (rule 16): each firing once, whoever and how many look.
extension SQLStore {
  /// How long nobody tells that a run has ended for which a firing waits.
  private static let recheck: Int64 = 5_000_000

  /// Fires what is due, for at most `limit` schedules.
  public func fireSchedules(limit: Int, host: String) async throws -> ScheduleFirings {
    var result = ScheduleFirings()
    for due in try await dueSchedules(limit: limit) {
      do {
        result.firings += try await write { session in try self.fire(due.key, host: host, session) }
      } catch let error as StoreError {
        unfitSchedules.note(due.key)
        result.problems.append(
          .init(program: due.program, schedule: due.name, message: "\(error)"))
      }
    }
    return result
  }

  /// Microseconds until something may be due.
  public func nextScheduleDue() async throws -> Int64? {
    try await read { session in
      let rows = try session.query(
        "SELECT (\(self.nextFiring(session.dialect))), \(raw: session.dialect.now)")
      guard let row = rows.first, let next = try row.optionalInteger(0) else { return nil }
      return max(0, try next - row.integer(1))
    }
  }

  /// The moment at which something may be due, as a query of one number. The clock is asked in a query of its own:
  /// PostgreSQL would not look up in an index what may change from row to row. With an OFFSET it looks runs up one by one,
  /// where it would go over all that ever went on.
  func nextFiring(_ d: Dialect) -> SQL {
    """
    SELECT MIN(CASE WHEN \(raw: Self.isAwaiting) THEN (SELECT \(raw: d.now)) + \(Self.recheck) ELSE s.due_at END)
    FROM ev_schedule s WHERE s.due_at IS NOT NULL\(unfitSchedules.exclusion)
    """
  }

  private static let isAwaiting = """
    EXISTS (SELECT 1 FROM ev_run r WHERE r.run_key = s.awaits AND r.status IN ('running', 'paused') LIMIT 1 OFFSET 0)
    """

  /// Schedules that are due, the longest due first.
  private func dueSchedules(limit: Int) async throws -> [(key: Int64, program: String, name: String)] {
    try await read { session in
      try session.query(
        """
        SELECT s.schedule_key, s.program, s.name FROM ev_schedule s
        WHERE s.due_at <= (SELECT \(raw: session.dialect.now))\(self.unfitSchedules.exclusion)
          AND NOT \(raw: Self.isAwaiting)
        ORDER BY s.due_at, s.schedule_key LIMIT \(max(0, limit))
        """
      ).map { (try $0.integer(0), try $0.text(1), try $0.text(2)) }
    }
  }

  /// Decides on what is due of one schedule, under the lock of its row. One that another agent is at is left to it.
  private func fire(_ key: Int64, host: String, _ session: any Session) throws -> [ScheduleFirings.Firing] {
    let rows = try session.query(
      """
      SELECT \(raw: StoredSchedule.columns), \(raw: session.dialect.now) FROM ev_schedule s
      WHERE s.schedule_key = \(key) AND s.due_at IS NOT NULL\(raw: session.dialect.forUpdateSkipLocked)
      """)
    guard let row = rows.first else { return [] }
    let stored = try StoredSchedule(row)
    let former = try goingRun(stored.lastRunKey, session)
    if stored.awaits != nil, former != nil { return [] }
    var firing = ScheduleTurn(
      stored: stored, timetable: try stored.schedule.timetable(), former: former,
      now: try row.integer(StoredSchedule.columnCount), host: host)
    try firing.decide(self, session)
    return firing.firings
  }

  /// The run, if it still goes.
  private func goingRun(_ key: Int64?, _ session: any Session) throws -> String? {
    guard let key else { return nil }
    return try session.query(
      "SELECT id FROM ev_run WHERE run_key = \(key) AND status IN ('running', 'paused')"
    ).first?.text(0)
  }
}
