import Database

/// Schedules in the store as a whole: retention and consistency.
extension SQLStore {
  /// Forgets firings decided on before a moment, and schedules that no program has had since.
  func purgeFirings(before moment: Int64, _ session: any Session) throws {
    try session.execute("DELETE FROM ev_firing WHERE decided_at < \(moment)")
    try session.execute(
      "DELETE FROM ev_schedule WHERE active = 0 AND (last_at IS NULL OR last_at < \(moment)) AND paused_by IS NULL"
    )
  }

  /// Active schedules are those of registered programs, and are looked at when they are due.
  func scheduleFaults(_ session: any Session) throws -> [String] {
    let orphans = try session.query(
      """
      SELECT s.program, s.name FROM ev_schedule s LEFT JOIN ev_program p ON p.program_key = s.program_key
      WHERE s.active = 1 AND (p.program_key IS NULL OR p.removed = 1 OR p.name <> s.program)
      """
    ).map { "schedule \(try $0.text(0))/\(try $0.text(1)) is active, and its program is not registered" }
    let forgotten = try session.query(
      """
      SELECT s.program, s.name FROM ev_schedule s
      WHERE s.active = 1 AND (s.next_at IS NULL OR (s.paused_by IS NULL AND (s.due_at IS NULL OR s.due_at <> s.next_at))
          OR (s.paused_by IS NOT NULL AND s.due_at IS NOT NULL))
        OR s.active = 0 AND s.due_at IS NOT NULL
      """
    ).map { "schedule \(try $0.text(0))/\(try $0.text(1)) would not be looked at when it is due" }
    return orphans + forgotten
  }
}
