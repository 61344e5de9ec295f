import Database
import Engine
import Model

/// `db check`: whether the rows fit together, and the present is what the history leads to (rule 17).
extension SQLStore {
  /// What does not fit together, in sentences; nothing if all does.
  public func check() async throws -> [String] {
    try await read { session in
      try session.allowFullScans()
      return try self.countFaults(session) + self.statusFaults(session) + self.holdFaults(session)
        + self.partFaults(session) + self.taskFaults(session) + self.runFaults(session)
        + self.missingFaults(session) + self.scheduleFaults(session)
    }
  }

  /// `ev_run.active` is what is left of the run.
  private func countFaults(_ session: any Session) throws -> [String] {
    try session.query(
      """
      SELECT r.id, r.active,
        (SELECT COUNT(*) FROM ev_task t WHERE t.run_key = r.run_key AND t.recovery = r.recovery AND t.open = 1)
        + (SELECT COUNT(*) FROM ev_delay d WHERE d.run_key = r.run_key AND d.recovery = r.recovery)
        + (SELECT COUNT(*) FROM ev_loop l WHERE l.run_key = r.run_key AND l.recovery = r.recovery
            AND l.status = 'running')
      FROM ev_run r
      """
    ).compactMap { row in
      let (active, counted) = (try row.integer(1), try row.integer(2))
      return active == counted
        ? nil : "run \(try row.text(0)): counts \(active) things not over, and has \(counted)"
    }
  }

  /// Runs that are over have nothing open; runs that go on have something left.
  private func statusFaults(_ session: any Session) throws -> [String] {
    let open = try session.query(
      """
      SELECT r.id, t.step, t.sequence FROM ev_run r JOIN ev_task t ON t.run_key = r.run_key
      WHERE t.open = 1 AND r.status IN ('success', 'failure', 'cancelled')
      """
    ).map { "run \(try $0.text(0)) is over, and its task \(try $0.text(1))/\(try $0.text(2)) is not" }
    let stuck = try session.query(
      "SELECT id FROM ev_run WHERE status IN ('running', 'paused') AND active <= 0"
    ).map { "run \(try $0.text(0)) goes on, and has nothing left to do" }
    let lapsed = try session.query(
      """
      SELECT r.id, t.step, t.sequence FROM ev_run r JOIN ev_task t ON t.run_key = r.run_key
      WHERE (t.status = 'running' AND (t.holder IS NULL OR t.open IS NULL))
        OR (t.status IN ('success', 'failure', 'cancelled') AND (t.open IS NOT NULL OR t.holder IS NOT NULL))
      """
    ).map {
      "run \(try $0.text(0)): the lock of task \(try $0.text(1))/\(try $0.text(2)) does not fit its status"
    }
    return open + stuck + lapsed
  }

  /// `ev_resource.used` is what is held.
  private func holdFaults(_ session: any Session) throws -> [String] {
    try session.query(
      """
      SELECT r.name, r.used, COALESCE((SELECT SUM(h.amount) FROM ev_hold h WHERE h.resource_key = r.resource_key), 0)
      FROM ev_resource r
      """
    ).compactMap { row in
      let (used, held) = (try row.integer(1), try row.integer(2))
      return used == held ? nil : "resource \(try row.text(0)): \(used) in use, and \(held) held"
    }
  }

  /// What a task points at is there.
  private func partFaults(_ session: any Session) throws -> [String] {
    let results = try session.query(
      """
      SELECT r.id, t.step, t.sequence FROM ev_task t JOIN ev_run r ON r.run_key = t.run_key
      WHERE t.result_no IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM ev_result s WHERE s.run_key = t.run_key AND s.no = t.result_no)
      """
    ).map { "run \(try $0.text(0)): the result of task \(try $0.text(1))/\(try $0.text(2)) is missing" }
    let tickets = try session.query(
      """
      SELECT r.id, t.step, t.sequence FROM ev_task t JOIN ev_run r ON r.run_key = t.run_key
      WHERE t.open = 1 AND t.status = 'waiting' AND t.wait_code = 'resource'
        AND NOT EXISTS (SELECT 1 FROM ev_ticket k WHERE k.run_key = t.run_key AND k.task_no = t.no)
      """
    ).map { "run \(try $0.text(0)): task \(try $0.text(1))/\(try $0.text(2)) waits, and queues for nothing" }
    return results + tickets
  }

  /// The last transition of each task leads to its status. The last ones are found in one pass over the history:
  /// looking each up would cost the square of a long run.
  private func taskFaults(_ session: any Session) throws -> [String] {
    var faults: [String] = []
    try session.each(
      """
      SELECT r.id, t.step, t.sequence, t.status, h.to_status FROM ev_task t
      JOIN ev_run r ON r.run_key = t.run_key
      LEFT JOIN (\(raw: Self.lastEntries) WHERE subject = 'task' GROUP BY run_key, name, sequence, recovery) m
        ON m.run_key = t.run_key AND m.name = t.step AND m.sequence = t.sequence AND m.recovery = t.recovery
      LEFT JOIN ev_history h ON h.run_key = m.run_key AND h.history_key = m.last_key
      """
    ) { row in
      let (status, last) = (try row.text(3), try row.optionalText(4))
      // Queueing for a resource is not a transition of its own: the task is as ready as it was.
      let isSame = last == status || (status == "waiting" && last == "ready")
      if !isSame {
        faults.append(
          "run \(try row.text(0)): task \(try row.text(1))/\(try row.text(2)) is \(status), "
            + "and its history ends with \(last ?? "nothing")")
      }
    }
    return faults
  }

  private static let lastEntries =
    "SELECT run_key, name, sequence, recovery, MAX(history_key) AS last_key FROM ev_history"

  /// The last transition of each run leads to its status; a run that was cancelled goes on until its tasks end.
  private func runFaults(_ session: any Session) throws -> [String] {
    try session.query(
      """
      SELECT r.id, r.status, h.to_status, r.verdict FROM ev_run r
      LEFT JOIN (SELECT run_key, MAX(history_key) AS last_key FROM ev_history WHERE subject = 'run' GROUP BY run_key) m
        ON m.run_key = r.run_key
      LEFT JOIN ev_history h ON h.run_key = m.run_key AND h.history_key = m.last_key
      """
    ).compactMap { row in
      let (status, last) = (try row.text(1), try row.optionalText(2))
      let isEnding =
        try last == "cancelled" && row.optionalText(3) == last && !RunStatus(stored: status).isOver
      return status == last || isEnding
        ? nil : "run \(try row.text(0)) is \(status), and its history ends with \(last ?? "nothing")"
    }
  }

  /// Everything that the history says has come about is there.
  private func missingFaults(_ session: any Session) throws -> [String] {
    let parts: [(subject: String, table: String, name: String)] = [
      ("task", "ev_task", "step"), ("event", "ev_event", "event"), ("loop", "ev_loop", "name"),
    ]
    return try parts.flatMap { subject, table, name in
      try session.query(
        """
        SELECT r.id, h.name, h.sequence FROM ev_history h JOIN ev_run r ON r.run_key = h.run_key
        WHERE h.subject = \(subject) AND h.from_status = '' AND NOT EXISTS (SELECT 1 FROM \(identifier: table) x
          WHERE x.run_key = h.run_key AND x.\(identifier: name) = h.name AND x.sequence = h.sequence
            AND x.recovery = h.recovery)
        """
      ).map {
        "run \(try $0.text(0)): \(subject) \(try $0.text(1))/\(try $0.text(2)) is in the history, and missing"
      }
    }
  }
}
