import Database
public import Engine
public import Model

/// What people do with schedules, and what is to be known of them.
extension SQLStore: ScheduleControl {
  /// Active schedules, ordered by program and name.
  public func schedules(of program: String?) async throws -> [ScheduleRecord] {
    try await read { session in try self.schedules(of: program, session) }
  }

  func schedules(of program: String?, _ session: any Session) throws -> [ScheduleRecord] {
    var sql: SQL = """
      SELECT \(raw: StoredSchedule.columns), s.last_at, s.last_run, s.late_at, s.missed_at, s.paused_by, s.paused_at,
        l.status, w.id, p.version
      FROM ev_schedule s LEFT JOIN ev_run l ON l.run_key = s.last_run_key LEFT JOIN ev_run w ON w.run_key = s.awaits
        LEFT JOIN ev_program p ON p.program_key = s.program_key
      WHERE s.active = 1
      """
    if let program { sql.append(" AND s.program = \(program)") }
    sql.append(" ORDER BY s.program, s.name")
    return try session.query(sql).map { try ScheduleRecord($0) }
  }

  /// The schedule called `name` or `PROGRAM/NAME`.
  public func schedule(named name: String) async throws -> ScheduleRecord {
    try await read { session in try self.schedule(named: name, session) }
  }

  private func schedule(named text: String, _ session: any Session) throws -> ScheduleRecord {
    let all = try schedules(of: nil, session)
    let found = all.filter { $0.schedule.name == text || $0.fullName == text }
    if found.count == 1 { return found[0] }
    guard found.isEmpty else {
      throw StoreError(
        .invalid, "several programs have a schedule '\(text)'",
        hint: "name one of \(found.map(\.fullName).joined(separator: ", "))")
    }
    let names = all.map { text.contains("/") ? $0.fullName : $0.schedule.name }
    let near = Name.nearest(to: text, among: names).map { "; did you mean '\($0)'?" } ?? ""
    throw StoreError(
      .notFound, "there is no schedule '\(text)'\(near)", hint: "`coordinator schedule list` shows them")
  }

  /// Nothing fires until it is resumed.
  public func pauseSchedule(_ name: String, by user: String) async throws -> (ScheduleRecord, isNew: Bool) {
    try await write { session in
      let found = try self.schedule(named: name, session)
      let changed = try session.execute(
        """
        UPDATE ev_schedule SET paused_by = \(user), paused_at = \(try session.clock()), due_at = NULL
        WHERE program = \(found.program) AND name = \(found.schedule.name) AND active = 1 AND paused_by IS NULL
        """)
      return (try self.schedule(named: found.fullName, session), changed == 1)
    }
  }

  /// Undoes a pause. What has become due meanwhile is due at once, and `catch_up` decides on it.
  public func resumeSchedule(_ name: String, by user: String) async throws -> (ScheduleRecord, MadeUpFirings?)
  {
    try await write { session in
      let found = try self.schedule(named: name, session)
      let changed = try session.execute(
        """
        UPDATE ev_schedule SET paused_by = NULL, paused_at = NULL, due_at = next_at
        WHERE program = \(found.program) AND name = \(found.schedule.name) AND active = 1
          AND paused_by IS NOT NULL
        """)
      let record = try self.schedule(named: found.fullName, session)
      return (record, changed == 1 ? try record.madeUp(now: session.clock()) : nil)
    }
  }

  /// Everything that is not as it should be. Schedules that are paused, and firings that wait for a run, are in order.
  public func lateSchedules() async throws -> [LateSchedule] {
    try await read { session in
      let now = try session.clock()
      let tolerance = Program.Schedule.tolerance.microseconds
      return try session.query(
        """
        SELECT s.program, s.name, s.next_at, s.awaits, s.paused_by, s.last_at, s.last_run, s.late_at, s.missed_at, r.id
        FROM ev_schedule s LEFT JOIN ev_run r ON r.run_key = s.last_run_key AND r.status IN ('running', 'paused')
        WHERE s.active = 1 ORDER BY s.program, s.name
        """
      ).flatMap { row in
        var faults: [(fault: LateSchedule.Fault, at: Int64, since: Int64)] = []
        let lastAt = try row.optionalInteger(5)
        if let next = try row.optionalInteger(2), next + tolerance < now, try row.optionalInteger(3) == nil,
          try row.optionalText(4) == nil
        {
          faults.append((.notFired, next, next + tolerance))
        }
        if let missed = try row.optionalInteger(8), missed > lastAt ?? .min {
          faults.append((.missed, missed, missed + tolerance))
        }
        if let late = try row.optionalInteger(7), late < now, let run = try row.optionalText(9) {
          faults.append((.notEnded(run: run), lastAt ?? late, late))
        }
        return try faults.map { fault, at, since in
          LateSchedule(
            program: try row.text(0), schedule: try row.text(1), fault: fault,
            firesAt: Timestamp(microseconds: at), since: Timestamp(microseconds: since))
        }
      }
    }
  }
}

extension ScheduleRecord {
  /// The most firings that are listed by name.
  private static let listed = 10

  fileprivate init(_ row: Row) throws {
    let stored = try StoredSchedule(row)
    let from = StoredSchedule.columnCount
    self.init(
      program: stored.program, version: try row.optionalText(from + 8) ?? "", schedule: stored.schedule,
      nextAt: Timestamp(microseconds: stored.nextAt ?? 0))
    nextLocal = try? schedule.timetable().local(at: nextAt.microseconds).time.description
    lastAt = try row.moment(from)
    lastRun = try row.optionalText(from + 1)
    lateAt = try row.moment(from + 2)
    missedAt = try row.moment(from + 3)
    pausedBy = try row.optionalText(from + 4)
    pausedAt = try row.moment(from + 5)
    lastStatus = try row.optionalText(from + 6).map { try RunStatus(stored: $0) }
    waitsFor = try row.optionalText(from + 7)
  }

  /// What `catch_up` makes of what is due at `now`, if no run keeps it waiting.
  fileprivate func madeUp(now: Int64) throws -> MadeUpFirings {
    let timetable = try schedule.timetable()
    var moments: [Int64] = []
    var next: Int64? = nextAt.microseconds
    while let first = next, first <= now, moments.count <= Self.listed {
      let facts = FiringDecision.Facts(
        schedule: schedule, first: Timestamp(microseconds: first),
        last: Timestamp(microseconds: timetable.last(from: first, before: now + 1)),
        now: Timestamp(microseconds: now))
      switch FiringDecision(facts) {
      case .leaveOut(let end):
        next = timetable.next(after: timetable.last(from: first, before: end.microseconds))
      case .carryOut(_, let at):
        moments.append(at.microseconds)
        next = timetable.next(after: at.microseconds)
      }
    }
    return MadeUpFirings(
      isDue: nextAt.microseconds <= now,
      firings: moments.prefix(Self.listed).map { moment in
        .init(at: Timestamp(microseconds: moment), local: timetable.local(at: moment).time.description)
      }, hasMore: moments.count > Self.listed)
  }
}
