import Database
public import Engine
public import Model

/// Which schedules a program has: those of the version that was last registered for it.
extension SQLStore {
  /// Stores a program version and makes its schedules those of the program, in one transaction.
  public func registerWithSchedules(
    _ program: Program, by user: String
  ) async throws -> (ProgramVersion, [ScheduleRecord]) {
    let content = try ProgramContent(program)
    return try await write { session in
      let version = try self.register(content, by: user, session)
      try self.activate(program.schedule ?? [], of: program, version.key, session)
      return (version, try self.schedules(of: program.name, session))
    }
  }

  /// The schedules of a program are these from now on.
  private func activate(
    _ schedules: [Program.Schedule], of program: Program, _ programKey: Int64, _ session: any Session
  ) throws {
    try refuseUnfit(schedules, program)
    let now = try session.clock()
    // Rows first, so that two who register at once wait for each other here, in the order of names.
    let sorted = schedules.sorted { $0.name < $1.name }
    try session.insert(
      into: "ev_schedule",
      columns: [
        "program", "name", "program_key", "active", "cron", "timezone", "event", "catch_up", "overlap",
      ],
      rows: sorted.map { schedule in
        [
          .text(program.name), .text(schedule.name), .integer(programKey), .integer(0), .text(""), .text(""),
          .text(schedule.event), .text(schedule.catchUp.rawValue), .text(schedule.overlap.rawValue),
        ]
      }, ignoringConflicts: true)
    let rows = try session.query(
      """
      SELECT \(raw: StoredSchedule.columns) FROM ev_schedule s WHERE s.program = \(program.name)
      ORDER BY s.name\(raw: session.dialect.forUpdate)
      """)
    for former in try rows.map({ try StoredSchedule($0) }) {
      if let schedule = schedules.first(where: { $0.name == former.schedule.name }) {
        try write(schedule, in: former, programKey, now, session)
      } else {
        try session.execute(
          """
          UPDATE ev_schedule SET active = 0, next_at = NULL, due_at = NULL, awaits = NULL
          WHERE schedule_key = \(former.key)
          """)
      }
    }
  }

  /// What is due stays due if it is due by the same clock and line.
  private func write(
    _ schedule: Program.Schedule, in former: StoredSchedule, _ programKey: Int64, _ now: Int64,
    _ session: any Session
  ) throws {
    let isSame =
      former.isActive && former.schedule.cron == schedule.cron
      && former.schedule.timeZone == schedule.timeZone
    guard let next = try isSame ? former.nextAt : schedule.timetable().next(after: now) else {
      throw StoreError(.invalid, "schedule '\(schedule.name)': its cron line names no time to come")
    }
    try session.execute(
      """
      UPDATE ev_schedule SET program_key = \(programKey), active = 1, cron = \(schedule.cron),
        timezone = \(schedule.timeZone), event = \(schedule.event), catch_up = \(schedule.catchUp.rawValue),
        overlap = \(schedule.overlap.rawValue), late_after = \(schedule.lateAfter?.microseconds),
        next_at = \(next), due_at = \(former.isPaused ? nil : next), awaits = \(isSame ? former.awaits : nil)
      WHERE schedule_key = \(former.key)
      """)
  }

  /// Refuses schedules that could never start a run. Files are checked before; programs of the Swift library are not.
  private func refuseUnfit(_ schedules: [Program.Schedule], _ program: Program) throws {
    guard let first = schedules.first else { return }
    if let parameter = program.parametersNoScheduleCanGive.first {
      throw StoreError(
        .invalid, "schedule '\(first.name)' can't start a run: parameter '\(parameter.name)' is required",
        hint: "give it a default")
    }
    if let secret = program.parameters.first(where: \.secret) {
      throw StoreError(
        .invalid, "schedule '\(first.name)' can't start a run: parameter '\(secret.name)' is secret",
        hint: "nobody is there to say which secret it is; let the step read it from a file")
    }
    for schedule in schedules { _ = try schedule.timetable() }
  }

  /// The schedules of a program that is removed end; their rows are locked before anything else is looked at, so
  /// that no firing comes between.
  func removeSchedules(of program: String, _ session: any Session) throws {
    try session.execute("DELETE FROM ev_schedule WHERE program = \(program)")
  }
}
