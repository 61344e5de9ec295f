import Database
public import Engine
public import Model

/// What people look at: runs, tasks, loops, events, outputs and history.
extension SQLStore {
  /// The id of the run whose id is, or begins with, `text`; the newest run for `latest`.
  public func runID(matching text: String) async throws -> String {
    try await read { session in
      if text == "latest" {
        guard let row = try session.query("SELECT id FROM ev_run ORDER BY run_key DESC LIMIT 1").first else {
          throw StoreError(.notFound, "there is no run in this store yet")
        }
        return try row.text(0)
      }
      if try !session.query("SELECT 1 FROM ev_run WHERE id = \(text)").isEmpty { return text }
      // A range, not LIKE: the index on ids serves it, and `_` in an id is no wild card.
      let rows = try session.query(
        "SELECT id FROM ev_run WHERE id >= \(text) AND id < \(text + "~") ORDER BY id LIMIT 2")
      guard let first = rows.first, !text.isEmpty else { throw StoreError.noRun(text) }
      guard rows.count == 1 else {
        throw StoreError(.invalid, "'\(text)' fits several runs", hint: "give more of the id")
      }
      return try first.text(0)
    }
  }

  /// Everything about a run, in its newest recovery or the one given.
  public func report(on run: String, recovery: Int?, allAttempts: Bool) async throws -> RunReport {
    try await read { session in
      let rows = try session.query("\(raw: Self.runSelect) WHERE r.id = \(run)")
      guard let row = rows.first else { throw StoreError.noRun(run) }
      let key = try row.integer(0)
      var record = try RunRecord(row)
      if let recovery, recovery != record.recovery {
        try record.show(recovery: recovery, key, session)
      }
      let tasks = try self.tasks(of: key, recovery: record.recovery, allAttempts: allAttempts, session)
      if !record.status.isOver {
        record.waitingFor = try Reasons(store: self, session: session).waitingFor(run)
      }
      return RunReport(
        run: record, tasks: tasks, loops: try self.loops(of: key, recovery: record.recovery, session),
        events: try self.events(of: key, recovery: record.recovery, session))
    }
  }

  /// How a run stands in its newest recovery, with its first `failures` failed tasks.
  public func summary(of run: String, failures: Int) async throws -> RunSummary {
    try await read { session in
      let rows = try session.query("\(raw: Self.runSelect) WHERE r.id = \(run)")
      guard let row = rows.first else { throw StoreError.noRun(run) }
      let key = try row.integer(0)
      var record = try RunRecord(row)
      if !record.status.isOver {
        record.waitingFor = try Reasons(store: self, session: session).waitingFor(run)
      }
      var counts: [TaskStatus: Int] = [:]
      var skipped = 0
      for row in try session.query(
        """
        SELECT status, skipped, COUNT(*) FROM ev_task
        WHERE run_key = \(key) AND recovery = \(record.recovery) GROUP BY status, skipped
        """)
      {
        let status = try TaskStatus(stored: row.text(0))
        counts[status, default: 0] += try row.int(2)
        if status == .success, try row.bool(1) { skipped += try row.int(2) }
      }
      let failed = try session.query(
        """
        \(raw: Self.taskSelect) WHERE t.run_key = \(key) AND t.recovery = \(record.recovery)
          AND t.status = 'failure' ORDER BY t.ready_at, t.no LIMIT \(failures)
        """)
      return RunSummary(
        run: record, counts: counts, skipped: skipped, failures: try failed.map { try TaskRecord($0) })
    }
  }

  /// Runs, newest first.
  public func runs(_ filter: RunFilter) async throws -> [RunRecord] {
    try await read { session in
      var sql: SQL = "\(raw: Self.runSelect) WHERE 1 = 1"
      if let program = filter.program { sql.append(" AND r.program = \(program)") }
      if let status = filter.status { sql.append(" AND r.status = \(status.rawValue)") }
      if let since = filter.since {
        sql.append(" AND r.created_at >= \(try session.clock() - since.microseconds)")
      }
      sql.append(" ORDER BY r.run_key DESC LIMIT \(max(0, filter.limit))")
      return try session.query(sql).map { try RunRecord($0) }
    }
  }

  /// A left join, though every run has its program: MariaDB would start from the few programs and sort all runs.
  private static let runSelect =
    """
    SELECT r.run_key, r.id, r.program, p.version, r.status, r.recovery, r.standalone, r.parameters, r.created_at,
      r.started_at, r.ended_at, r.created_by, r.message
    FROM ev_run r LEFT JOIN ev_program p ON p.program_key = r.program_key
    """

  // MARK: Parts

  private static let taskSelect =
    """
    SELECT t.no, t.step, t.sequence, t.recovery, t.attempt, t.host, t.status, t.exit_code, t.signal_name, t.message,
      t.skipped, t.due_at, t.ready_at, t.started_at, t.ended_at, t.max_rss, t.cpu, t.log_path, r.result,
      n.fraction, n.message, n.noted_at
    FROM ev_task t LEFT JOIN ev_result r ON r.run_key = t.run_key AND r.no = t.result_no
      LEFT JOIN ev_note n ON n.run_key = t.run_key AND n.no = t.no AND n.attempt = t.attempt
    """

  private func tasks(
    of key: Int64, recovery: Int, allAttempts: Bool, _ session: any Session
  ) throws -> [TaskRecord] {
    var records: [(number: Int64, task: TaskRecord)] = []
    try session.each(
      """
      \(raw: Self.taskSelect) WHERE t.run_key = \(key) AND t.recovery = \(recovery) ORDER BY t.ready_at, t.no
      """
    ) { row in records.append((try row.integer(0), try TaskRecord(row))) }
    guard allAttempts else { return records.map(\.task) }
    var earlier: [Int64: [TaskRecord]] = [:]
    let current = Dictionary(uniqueKeysWithValues: records.map { ($0.number, $0.task) })
    try session.each(
      """
      SELECT a.no, a.attempt, a.status, a.superseded, a.host, a.started_at, a.ended_at, a.exit_code, a.signal_name,
        a.message, a.max_rss, a.cpu, a.log_path
      FROM ev_attempt a WHERE a.run_key = \(key) ORDER BY a.no, a.attempt
      """
    ) { row in
      let number = try row.integer(0)
      guard var task = current[number] else { return }
      try task.become(attempt: row)
      earlier[number, default: []].append(task)
    }
    return records.flatMap { (earlier[$0.number] ?? []) + [$0.task] }
  }

  private func loops(of key: Int64, recovery: Int, _ session: any Session) throws -> [LoopRecord] {
    try session.query(
      """
      SELECT name, sequence, recovery, status, total, ended FROM ev_loop
      WHERE run_key = \(key) AND recovery = \(recovery) ORDER BY no
      """
    ).map { row in
      LoopRecord(
        loop: try row.text(0), sequence: Sequence(try row.text(1)), recovery: try row.int(2),
        status: try LoopStatus(stored: row.text(3)), iterations: try row.int(4), ended: try row.int(5))
    }
  }

  private func events(of key: Int64, recovery: Int, _ session: any Session) throws -> [EventRecord] {
    var events: [EventRecord] = []
    try session.each(
      """
      SELECT event, sequence, recovery, triggered_at FROM ev_event
      WHERE run_key = \(key) AND recovery = \(recovery) ORDER BY no
      """
    ) { row in
      let name = try row.text(0)
      if Plan.isInternal(name) { return }
      events.append(
        EventRecord(
          event: name, sequence: Sequence(try row.text(1)), recovery: try row.int(2),
          triggeredAt: Timestamp(microseconds: try row.integer(3))))
    }
    return events
  }

  /// The kept output of attempts, in the order they started.
  public func outputs(of run: String, _ filter: OutputFilter) async throws -> [OutputRecord] {
    try await read { session in
      guard let row = try session.query("SELECT run_key, recovery FROM ev_run WHERE id = \(run)").first else {
        throw StoreError.noRun(run)
      }
      let key = try row.integer(0)
      let tasks = try self.numbered(of: key, recovery: row.int(1), filter, session)
      return try tasks.map { number, source, task in
        let rows = try session.query(
          """
          SELECT tail, total_bytes FROM ev_output
          WHERE run_key = \(key) AND no = \(task.skipped ? source : number) AND attempt = \(task.attempt)
          """)
        let tail = try rows.first.map { Outcome.Tail(text: try $0.text(0), totalBytes: try $0.integer(1)) }
        return OutputRecord(task: task, tail: tail)
      }
    }
  }

  /// Tasks with their numbers, and the number of the task whose output a repeated one shows.
  private func numbered(
    of key: Int64, recovery: Int, _ filter: OutputFilter, _ session: any Session
  ) throws -> [(Int64, Int64, TaskRecord)] {
    var sql: SQL = "\(raw: Self.taskSelect) WHERE t.run_key = \(key) AND t.recovery = \(recovery)"
    if let step = filter.step { sql.append(" AND t.step = \(step)") }
    if let sequence = filter.sequence { sql.append(" AND t.sequence = \(sequence.text)") }
    sql.append(" ORDER BY t.ready_at, t.no")
    var found: [(Int64, Int64, TaskRecord)] = []
    for row in try session.query(sql) {
      let (number, task) = (try row.integer(0), try TaskRecord(row))
      var source = number
      if task.skipped {
        let earlier = try session.query(
          """
          SELECT no FROM ev_task WHERE run_key = \(key) AND step = \(task.step) AND sequence = \(task.sequence.text)
            AND recovery < \(recovery) AND skipped = 0 AND status IN ('success', 'failure')
          ORDER BY recovery DESC LIMIT 1
          """)
        source = try earlier.first?.integer(0) ?? number
      }
      if let attempt = filter.attempt, attempt != task.attempt {
        let rows = try session.query(
          """
          SELECT no, attempt, status, superseded, host, started_at, ended_at, exit_code, signal_name, message, max_rss,
            cpu, log_path
          FROM ev_attempt WHERE run_key = \(key) AND no = \(source) AND attempt = \(attempt)
          """)
        guard let row = rows.first else { continue }
        var earlier = task
        try earlier.become(attempt: row)
        found.append((source, source, earlier))
      } else {
        found.append((number, source, task))
      }
    }
    return found
  }

  /// The transitions of a run that were recorded after the one numbered `last`, oldest first, and the number of the newest.
  /// Those of one run are recorded under its lock, so none comes later with a smaller number.
  public func history(of run: String, after last: Int64) async throws -> (
    records: [HistoryRecord], last: Int64
  ) {
    try await read { session in
      guard let row = try session.query("SELECT run_key FROM ev_run WHERE id = \(run)").first else {
        throw StoreError.noRun(run)
      }
      let rows = try session.query(
        """
        SELECT happened_at, recovery, subject, name, sequence, attempt, from_status, to_status, actor, token,
          history_key
        FROM ev_history WHERE run_key = \(try row.integer(0)) AND history_key > \(last) ORDER BY history_key
        """)
      return (try rows.map { try HistoryRecord($0) }, try rows.last?.integer(10) ?? last)
    }
  }

  /// The transitions of a run, oldest first.
  public func history(of run: String) async throws -> [HistoryRecord] {
    try await read { session in
      guard let row = try session.query("SELECT run_key FROM ev_run WHERE id = \(run)").first else {
        throw StoreError.noRun(run)
      }
      return try session.query(
        """
        SELECT happened_at, recovery, subject, name, sequence, attempt, from_status, to_status, actor, token
        FROM ev_history WHERE run_key = \(try row.integer(0)) ORDER BY history_key
        """
      ).map { try HistoryRecord($0) }
    }
  }
}

extension RunRecord {
  /// From the columns of `runSelect`.
  fileprivate init(_ row: Row) throws {
    self.init(
      id: try row.text(1), program: try row.text(2), version: try row.text(3),
      status: try RunStatus(stored: row.text(4)), recovery: try row.int(5), isStandalone: try row.bool(6),
      parameters: try JSONText.decode([String: JSONValue].self, row.text(7)) ?? [:],
      createdAt: Timestamp(microseconds: try row.integer(8)), startedAt: try row.moment(9),
      endedAt: try row.moment(10), createdBy: try row.text(11), message: try row.optionalText(12),
      waitingFor: [])
  }

  /// Shows an earlier recovery instead of the newest.
  fileprivate mutating func show(recovery wanted: Int, _ key: Int64, _ session: any Session) throws {
    let rows = try session.query(
      """
      SELECT status, message, parameters, started_at, ended_at FROM ev_recovery
      WHERE run_key = \(key) AND recovery = \(wanted)
      """)
    guard let row = rows.first else {
      throw StoreError(
        .notFound, "run \(id) has no recovery \(wanted)", hint: "the newest is \(recovery)")
    }
    recovery = wanted
    status = try RunStatus(stored: row.text(0))
    message = try row.optionalText(1)
    parameters = try JSONText.decode([String: JSONValue].self, row.text(2)) ?? [:]
    startedAt = try row.moment(3)
    endedAt = try row.moment(4)
  }
}

extension TaskRecord {
  /// From the columns of `taskSelect`.
  fileprivate init(_ row: Row) throws {
    self.init(
      step: try row.text(1), sequence: Sequence(try row.text(2)), recovery: try row.int(3),
      attempt: try row.int(4),
      host: try row.optionalText(5), status: try TaskStatus(stored: row.text(6)),
      exitCode: try row.optionalInt(7),
      signal: try row.optionalText(8), result: try row.optionalText(18).map { JSONText.value($0) },
      message: try row.optionalText(9), skipped: try row.bool(10), dueAt: try row.moment(11),
      readyAt: try row.moment(12), startedAt: try row.moment(13), endedAt: try row.moment(14),
      maxResidentKiB: try row.optionalInt(15), cpuMicroseconds: try row.optionalInteger(16),
      logPath: try row.optionalText(17))
    if let at = try row.moment(21) {
      note = TaskNote(fraction: try row.optionalReal(19), message: try row.optionalText(20), at: at)
    }
  }

  /// Shows an earlier attempt of the same task.
  fileprivate mutating func become(attempt row: Row) throws {
    attempt = try row.int(1)
    status = try TaskStatus(stored: row.text(2))
    superseded = try row.bool(3)
    host = try row.optionalText(4)
    startedAt = try row.moment(5)
    endedAt = try row.moment(6)
    exitCode = try row.optionalInt(7)
    signal = try row.optionalText(8)
    message = try row.optionalText(9)
    maxResidentKiB = try row.optionalInt(10)
    cpuMicroseconds = try row.optionalInteger(11)
    logPath = try row.optionalText(12)
    result = nil
    dueAt = nil
    note = nil
  }
}

extension HistoryRecord {
  fileprivate init(_ row: Row) throws {
    self.init(
      at: Timestamp(microseconds: try row.integer(0)),
      entry: Changes.HistoryEntry(
        subject: Changes.HistoryEntry.Subject(rawValue: try row.text(2)) ?? .run, name: try row.text(3),
        sequence: try row.text(4), attempt: try row.int(5), from: try row.text(6), to: try row.text(7),
        actor: try row.text(8), token: try row.integer(9)),
      recovery: try row.int(1), token: try row.integer(9))
  }
}

extension Row {
  func moment(_ column: Int) throws -> Timestamp? {
    try optionalInteger(column).map { Timestamp(microseconds: $0) }
  }
}
