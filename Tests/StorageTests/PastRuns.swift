import Database

/// A store as it is after years: finished runs, written straight into the tables.
enum PastRuns {
  static let runs = 1000
  static let tasksPerRun = 100
  /// A moment, in microseconds since 1970, after everything in them.
  static let end: Int64 = 1_700_000_000_000_000

  /// Tables that grow with every run that has been, or that any number of other runs may fill at the moment.
  static let growing: Set<String> = [
    "ev_run", "ev_recovery", "ev_task", "ev_event", "ev_history", "ev_iteration", "ev_loop", "ev_output",
    "ev_result",
    "ev_attempt", "ev_delay", "ev_hold", "ev_ticket",
  ]

  /// Fills a migrated store; the runs are of the program with key `program`.
  static func write(program: Int64, _ session: any Session) throws {
    let dialect = session.dialect
    func joined(_ word: String, _ column: String) -> String {
      dialect.kind == .sqlite ? "'\(word)' || \(column)" : "CONCAT('\(word)', \(column))"
    }
    try session.executeScript("CREATE TABLE numbers (n BIGINT NOT NULL PRIMARY KEY)")
    try session.begin(.write)
    try session.insert(into: "numbers", columns: ["n"], rows: (0..<runs).map { [.integer(Int64($0))] })
    // Keys far from those of the runs to come; times in the past.
    let (key, at) = ("1000000 + r.n", "1600000000000000 + r.n * 1000000")
    let perTask = "FROM numbers r CROSS JOIN numbers t WHERE t.n < \(tasksPerRun)"
    let perTenth = "FROM numbers r CROSS JOIN numbers t WHERE t.n < \(tasksPerRun / 10)"
    let statements = [
      """
      INSERT INTO ev_run (run_key, id, program_key, program, status, recovery, standalone, unpinned, local_host,
        parameters, active, failures, stopped, next_no, created_by, created_at, started_at, ended_at, tended_by, tended_at)
      SELECT \(key), \(joined("past-", "r.n")), \(program), 't', 'success', 0, 1, 1, 'here', '{}', 0, 0, 0, 1000,
        'u', \(at), \(at), \(at) + 5, r.n, \(at) FROM numbers r
      """,
      """
      INSERT INTO ev_recovery (run_key, recovery, kind, status, parameters, actor, started_at, ended_at)
      SELECT \(key), 0, 'submit', 'success', '{}', 'u', \(at), \(at) + 5 FROM numbers r
      """,
      """
      INSERT INTO ev_task (run_key, no, recovery, step, sequence, scope, status, attempt, losses, ordering, host,
        demands, ready_at, started_at, ended_at, agent, fence, skipped, result_no)
      SELECT \(key), t.n, 0, \(joined("s", "t.n")), '1', 0, 'success', 1, 0, 0, 'here', 0, \(at), \(at), \(at) + 5,
        1, 1, 0, t.n \(perTask)
      """,
      """
      INSERT INTO ev_event (run_key, event, sequence, recovery, no, scope, hosts, triggered_at, first_at, outside)
      SELECT \(key), \(joined("e", "t.n")), '1', 0, t.n, 0, 'here', \(at), \(at), 0 \(perTask)
      """,
      """
      INSERT INTO ev_history (run_key, happened_at, recovery, subject, name, sequence, attempt, from_status, to_status,
        actor, token)
      SELECT \(key), \(at), 0, 'task', \(joined("s", "t.n")), '1', 1, 'running', 'success', 'here', 1 \(perTask)
      """,
      """
      INSERT INTO ev_attempt (run_key, no, attempt, status, superseded, fence, started_at)
      SELECT \(key), t.n, 1, 'failure', 0, 1, \(at) \(perTenth)
      """,
      "INSERT INTO ev_output (run_key, no, attempt, tail, total_bytes) SELECT \(key), t.n, 1, 'x', 1 \(perTenth)",
      "INSERT INTO ev_result (run_key, no, result) SELECT \(key), t.n, '1' \(perTenth)",
      """
      INSERT INTO ev_loop (run_key, no, recovery, name, sequence, scope, hosts, status, total, range_start, next_index,
        in_progress, ended, failed, started_at, ended_at)
      SELECT \(key), t.n, 0, \(joined("l", "t.n")), '1', 0, 'here', 'success', 9, 1, 10, 0, 9, 0, \(at), \(at) \(perTenth)
      """,
      """
      INSERT INTO ev_iteration (run_key, no, recovery, loop_no, loop_name, position, sequence, status, active, failed,
        repeated)
      SELECT \(key), t.n, 0, 1, 'l1', t.n, \(joined("1/", "t.n")), 'success', 0, 0, 0 \(perTenth)
      """,
      // These three are empty of what is over, but other runs may fill them while ours goes on.
      """
      INSERT INTO ev_delay (run_key, no, recovery, kind, target, sequence, scope, hosts, due_at)
      SELECT \(key), t.n, 0, 'step', 's1', '1', 0, 'here', \(at) \(perTenth)
      """,
      "INSERT INTO ev_hold (resource_key, run_key, task_no, amount) SELECT 5000 + t.n, \(key), t.n, 1 \(perTenth)",
      """
      INSERT INTO ev_ticket (resource_key, run_key, task_no, amount, ordering, since)
      SELECT 5000 + t.n, \(key), t.n, 1, 0, \(at) \(perTenth)
      """,
      """
      INSERT INTO ev_agent (host, instance, incarnation, pid, process_start, boot_id, journal, version, embedded,
        started_at, heartbeat_at, stopped_at)
      SELECT \(joined("h", "r.n")), 'i', \(joined("x", "r.n")), 1, 1, 'b', 'j', '1', 1, 1, 1, 1 FROM numbers r
      """,
    ]
    for statement in statements { try session.execute(SQL(text: statement)) }
    try session.commit()
    try session.executeScript("DROP TABLE numbers")
    switch dialect.kind {
    case .sqlite, .postgresql: try session.executeScript("ANALYZE")
    case .mysql: _ = try session.query(SQL(text: "ANALYZE TABLE " + growing.sorted().joined(separator: ", ")))
    }
  }
}
