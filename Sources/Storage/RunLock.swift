import Database
import Engine
import Model

/// A run's row, locked for the transaction.
struct LockedRun {
  let state: RunState
  let programKey: Int64
  let plan: Plan
  let startedAt: Int64?
  let deadlineAt: Int64?
  let queueDeadlineAt: Int64?
  let isStandalone: Bool
  /// When the run next needs somebody to look at it, as its row says.
  let wakeAt: Int64?
  /// Whether the host for which it was locked drains.
  let isDrained: Bool
}

extension SQLStore {
  /// Locks the run, so that no other transition of it happens until the transaction ends, and then reads the
  /// database's clock.
  ///
  /// - Parameters:
  ///   - host: The host that is to take tasks of it; the answer says whether that drains.
  ///   - waits: Whether another's transaction in the run is waited for.
  /// - Throws: `RunIsBusy` if it is not; ``StoreError``.
  func lock(
    _ run: String, for host: String? = nil, waits: Bool = true, _ session: any Session
  ) throws -> LockedRun {
    let rows = try session.query(lockStatement(run, for: host, waits: waits, session.dialect))
    return try lockedRun(rows, run, waits: waits, session)
  }

  func lockStatement(_ run: String, for host: String?, waits: Bool, _ dialect: Dialect) -> SQL {
    let drained: SQL = host.map { "EXISTS (SELECT 1 FROM ev_drain WHERE host = \($0))" } ?? "1 = 0"
    return """
      SELECT run_key, id, status, recovery, active, failures, stopped, verdict, message, next_no, replay, local_host,
        unpinned, parameters, program_key, started_at, deadline_at, queue_deadline_at, standalone,
        \(raw: dialect.now), wake_at,
        CASE WHEN \(drained) THEN 1 ELSE 0 END
      FROM ev_run WHERE id = \(run)\(raw: waits ? dialect.forUpdate : dialect.forUpdateSkipLocked)
      """
  }

  /// The answer to ``lockStatement(_:for:waits:_:)``.
  func lockedRun(_ rows: [Row], _ run: String, waits: Bool, _ session: any Session) throws -> LockedRun {
    guard let row = rows.first else {
      if !waits, try !session.query("SELECT 1 FROM ev_run WHERE id = \(run)").isEmpty { throw RunIsBusy() }
      throw StoreError.noRun(run)
    }
    let parameters = try row.text(13)
    let programKey = try row.integer(14)
    let state = RunState(
      key: try row.integer(0), id: try row.text(1), status: try RunStatus(stored: row.text(2)),
      recovery: try row.int(3), active: try row.int(4), failures: try row.int(5), isStopped: try row.bool(6),
      verdict: try row.optionalText(7).map { try RunStatus(stored: $0) }, message: try row.optionalText(8),
      nextNumber: try row.integer(9), replay: try JSONText.decode(Replay.self, row.optionalText(10)),
      localHost: try row.text(11), isUnpinned: try row.bool(12),
      parameters: parameters == "{}" ? [:] : try JSONText.decode([String: JSONValue].self, parameters) ?? [:],
      now: Timestamp(microseconds: try row.integer(19)))
    return LockedRun(
      state: state, programKey: programKey, plan: try plan(programKey, session),
      startedAt: try row.optionalInteger(15), deadlineAt: try row.optionalInteger(16),
      queueDeadlineAt: try row.optionalInteger(17), isStandalone: try row.bool(18),
      wakeAt: try row.optionalInteger(20), isDrained: try row.bool(21))
  }

  func plan(_ programKey: Int64, _ session: any Session) throws -> Plan {
    try plans.value(of: programKey) { Plan(try program(programKey, session)) }
  }

  func program(_ programKey: Int64, _ session: any Session) throws -> Program {
    let rows = try session.query("SELECT content FROM ev_program WHERE program_key = \(programKey)")
    guard let row = rows.first, let program = try JSONText.decode(Program.self, row.text(0)) else {
      throw StoreError(
        .notFound, "the program of this run is not in the store", hint: "run `coordinator db check`")
    }
    return program
  }

  /// Makes one transition of a locked run, applies it, and notes whom it gives something to do: everybody but `agent`.
  /// The history is told at once, or by the caller, of what `chronicle` has been told.
  ///
  /// - Parameter taking: Says which of the tasks that it makes `agent` takes as they are made.
  @discardableResult
  func transition(
    _ run: LockedRun, by agent: Int64? = nil, told chronicle: Chronicle? = nil, _ session: any Session,
    taking: (Changes) throws -> Taking? = { _ in nil }, _ happen: (inout Transition) throws -> Void
  ) throws -> Changes {
    var transition = Transition(
      of: run.state, plan: run.plan, ledger: SQLLedger(session: session, run: run.state))
    try happen(&transition)
    let changes = try transition.finish()
    let taken = try taking(changes)
    let told = try apply(changes, of: run, by: agent, taking: taken, session)
    if let chronicle { chronicle.add(told) } else { try record(told, run.state, session) }
    try noteBells(changes, of: run, by: agent, except: taken?.numbers ?? [], session)
    return changes
  }
}

extension StoreError {
  static func noRun(_ run: String) -> StoreError {
    StoreError(.notFound, "there is no run '\(run)' in this store", hint: "`coordinator runs` lists them")
  }
}

extension LockedRun {
  /// The same row after a transition of the same transaction.
  func after(_ changes: Changes) -> LockedRun {
    LockedRun(
      state: changes.run, programKey: programKey, plan: plan, startedAt: startedAt, deadlineAt: deadlineAt,
      queueDeadlineAt: queueDeadlineAt, isStandalone: isStandalone, wakeAt: wakeAt,
      isDrained: isDrained)
  }
}
