import Database

/// The row of `wl_workload` as one transaction sees it.
struct Recorded: Sendable {
  let state: WorkloadState
  /// Whose turn it is.
  let claim: Int64?
  /// The database's clock, in microseconds since 1970.
  let now: Int64
}

// Reading what is recorded, and taking part in it. Called within transactions.
extension Session {
  /// What is recorded, or nil where nothing is set up. With `locking` nobody else changes it before the commit.
  func recorded(locking: Bool = false) throws(DatabaseError) -> Recorded? {
    let rows = try query(
      """
      SELECT version, created_at, total, size, updates, compressible, seed, filled, next_document, runs,
        run_updates, run_done, run_revisions, run_started_at, run_spent, resumed_at, claim, holder,
        \(raw: dialect.now)
      FROM wl_workload WHERE id = 1\(raw: locking ? dialect.forUpdate : "")
      """)
    guard let row = rows.first else { return nil }
    let (last, count) = try lastRun()
    let runs = try row.int(9)
    var open: WorkloadState.Open?
    if let updates = try row.optionalInt(10) {
      open = WorkloadState.Open(
        number: runs + 1, startedAt: try row.integer(13), spent: max(0, try row.integer(14)),
        updates: updates,
        done: try row.int(11), revisions: try row.int(12))
    }
    var holder: WorkloadState.Holder?
    if let name = try row.optionalText(17), let since = try row.optionalInteger(15) {
      holder = WorkloadState.Holder(name: name, since: since)
    }
    let state = WorkloadState(
      parameters: try parameters(row), seed: try row.integer(6), version: try row.int(0),
      created: try row.integer(1), start: try row.int(8), runs: runs, filled: try row.optionalInt(7),
      last: last,
      open: open, holder: holder, historyCount: count)
    return Recorded(state: state, claim: try row.optionalInteger(16), now: try row.integer(18))
  }

  private func parameters(_ row: Row) throws(DatabaseError) -> WorkloadParameters {
    do {
      return try WorkloadParameters(
        total: try row.int(2), size: try row.int(3), updatesPerRun: try row.int(4),
        compressible: try row.int(5))
    } catch {
      if let error = error as? DatabaseError { throw error }
      throw DatabaseError(
        .corrupt, code: "wl_workload", message: "the recorded workload can't be: \(error)",
        hint: "restore a backup, or set it up anew with --force")
    }
  }

  private func lastRun() throws(DatabaseError) -> (WorkloadState.Ended?, count: Int) {
    let rows = try query(
      """
      SELECT run, started_at, spent, first_document, updates, revisions, errors,
        (SELECT COUNT(*) FROM wl_history)
      FROM wl_history ORDER BY run DESC LIMIT 1
      """)
    guard let row = rows.first else { return (nil, 0) }
    return (try WorkloadState.Ended(row), try row.int(7))
  }

  /// The runs that are over and still remembered, newest first.
  func history() throws(DatabaseError) -> [WorkloadState.Ended] {
    try query(
      """
      SELECT run, started_at, spent, first_document, updates, revisions, errors
      FROM wl_history ORDER BY run DESC
      """
    ).map { row throws(DatabaseError) in try WorkloadState.Ended(row) }
  }

  /// What is recorded, if the turn still is the one of `claim`; locks it.
  ///
  /// - Throws: ``WorkloadError`` (`takenOver`) if it is another's, or the workload was set up anew.
  func recorded(claimedBy claim: Int64) throws -> Recorded {
    guard let recorded = try recorded(locking: true), recorded.claim == claim else {
      throw WorkloadError(
        .takenOver,
        "another program works on these documents now: the connection was lost for too long; "
          + "execute again to go on with what is left")
    }
    return recorded
  }

  /// Writes down whose turn it is, and opens a run unless one is open; locks the row.
  ///
  /// - Returns: What is recorded then; nil where nothing is set up.
  func claim(_ claim: Int64, holder: String, opensRun: Bool) throws(DatabaseError) -> Recorded? {
    guard let found = try recorded(locking: true) else { return nil }
    try execute(
      """
      UPDATE wl_workload SET claim = \(claim), holder = \(String(holder.prefix(255))),
        resumed_at = \(raw: dialect.now)
      WHERE id = 1
      """)
    if opensRun, found.state.open == nil {
      try execute(
        """
        UPDATE wl_workload SET run_updates = updates, run_done = 0, run_revisions = 0, run_spent = 0,
          run_started_at = resumed_at
        WHERE id = 1
        """)
    }
    return try recorded()
  }

  /// Nobody works on the documents any more, if it was `claim`.
  func dismiss(_ claim: Int64) throws(DatabaseError) {
    try execute("UPDATE wl_workload SET holder = NULL WHERE id = 1 AND claim = \(claim)")
  }
}

extension WorkloadState.Ended {
  /// Reads `run, started_at, spent, first_document, updates, revisions, errors`.
  fileprivate init(_ row: Row) throws(DatabaseError) {
    self.init(
      number: try row.int(0), startedAt: try row.integer(1), spent: max(0, try row.integer(2)),
      start: try row.int(3), updates: try row.int(4), revisions: try row.int(5), errors: try row.int(6))
  }
}
