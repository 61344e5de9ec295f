import Database
public import Engine
public import Model

/// What people ask of a run that goes on.
extension SQLStore {
  /// Triggers an event from outside. A run that ended well goes on with it.
  public func trigger(_ event: String, in sequence: Sequence?, of run: String, by user: String) async throws
    -> Bool
  {
    try await write { session in
      var locked = try self.lock(run, session)
      let names = locked.plan.program.events.map(\.name)
      guard names.contains(event) else {
        let near = Name.nearest(to: event, among: names).map { "; did you mean '\($0)'?" } ?? ""
        throw StoreError(.invalid, "program '\(locked.plan.program.name)' has no event '\(event)'\(near)")
      }
      let place = try sequence ?? self.beginning(of: locked.state.key, session).sequence(in: locked.plan)
      if let outer = place.outer,
        try SQLLedger(session: session, run: locked.state).iterations(in: place).isEmpty
      {
        throw StoreError(
          .invalid, "no loop has an iteration in sequence '\(place)'", hint: "is it '\(outer)'?")
      }
      if locked.state.status.isOver {
        guard locked.state.status == .success else {
          throw StoreError(
            .conflict, "run \(run) has ended as \(locked.state.status.rawValue)",
            hint: "`coordinator recover \(run)` begins it again")
        }
        locked = try self.reopen(locked, by: user, session)
      }
      var isNew = false
      let changes = try self.transition(locked, session) {
        isNew = try $0.trigger(event, in: place, actor: user)
      }
      try self.keepWake(of: locked.after(changes), session)
      return isNew
    }
  }

  /// A run that ended well is running again, in the same recovery.
  private func reopen(_ run: LockedRun, by user: String, _ session: any Session) throws -> LockedRun {
    try session.execute(
      """
      UPDATE ev_run SET status = 'running', ended_at = NULL, deadline_at = NULL, queue_deadline_at = NULL
      WHERE run_key = \(run.state.key)
      """)
    try session.execute(
      """
      UPDATE ev_recovery SET status = 'running', ended_at = NULL
      WHERE run_key = \(run.state.key) AND recovery = \(run.state.recovery)
      """)
    try record([run.statusEntry(to: .running, by: user)], run.state, session)
    return try lock(run.state.id, session)
  }

  /// Nothing new starts, and what runs is stopped by whoever runs it.
  public func cancel(_ run: String, by user: String) async throws {
    try await write { session in
      let locked = try self.lock(run, session)
      try locked.requireGoing()
      try self.cancel(locked, by: user, session)
    }
  }

  func cancel(_ run: LockedRun, by user: String, _ session: any Session) throws {
    if run.state.verdict != nil { return }
    try record([run.statusEntry(to: .cancelled, by: user)], run.state, session)
    let changes = try transition(run, session) { try $0.stop(as: .cancelled, "cancelled by \(user)") }
    try keepWake(of: run.after(changes), session)
    try noteHolders(of: run.state.key, session)
  }

  /// Nothing new starts until it is resumed.
  public func pause(_ run: String, by user: String) async throws {
    try await change(run, from: .running, to: .paused, by: user)
  }

  /// Undoes a pause.
  public func resume(_ run: String, by user: String) async throws {
    try await change(run, from: .paused, to: .running, by: user)
  }

  private func change(_ run: String, from: RunStatus, to: RunStatus, by user: String) async throws {
    try await write { session in
      let locked = try self.lock(run, session)
      try locked.requireGoing()
      if locked.state.status == to { return }
      try session.execute("UPDATE ev_run SET status = \(to.rawValue) WHERE run_key = \(locked.state.key)")
      try session.execute(
        """
        UPDATE ev_recovery SET status = \(to.rawValue)
        WHERE run_key = \(locked.state.key) AND recovery = \(locked.state.recovery)
        """)
      try self.record([locked.statusEntry(to: to, by: user)], locked.state, session)
      guard to == .running else { return }
      // Agents that looked meanwhile did not see its tasks, and look no further back (`LookHorizon`).
      try session.execute(
        """
        UPDATE ev_task SET ready_at = \(locked.state.now.microseconds)
        WHERE run_key = \(locked.state.key) AND open = 1 AND status = 'ready'
        """)
      // Nor did advances keep the moment at which somebody is needed.
      try self.keepWake(of: try self.lock(run, session), session)
      try self.noteAll(session)
    }
  }

  /// Ends a task of a run that goes on, by hand.
  public func mark(_ mark: Replay.Mark, of run: String) async throws {
    try await write { session in
      let locked = try self.lock(run, session)
      try locked.requireGoing()
      let ledger = SQLLedger(session: session, run: locked.state)
      guard let task = try ledger.tasks([mark.step], in: [mark.sequence])[mark.sequence]?[mark.step] else {
        throw StoreError(
          .notFound, "run \(run) has no task \(mark.step)/\(mark.sequence) yet",
          hint: "`coordinator why \(run) \(mark.step)` says what it waits for")
      }
      guard task.status == .ready || task.status == .waiting else {
        throw StoreError(
          .conflict, "task \(mark.step)/\(mark.sequence) is \(task.status.rawValue)",
          hint: task.status == .running
            ? "wait for its end, or cancel the run" : "it can be marked when the run is over")
      }
      var outcome = Outcome(mark.status, message: "marked as \(mark.status.rawValue) by \(mark.by)")
      outcome.markedBy = mark.by
      let changes = try self.transition(locked, session) { try $0.end(task, outcome, chance: 0) }
      try self.keepWake(of: locked.after(changes), session)
    }
  }

  /// Ends a run whose agent is gone, as `failure`; what was running is given up.
  public func interrupt(_ run: String, because reason: String) async throws {
    try await write { session in
      let locked = try self.lock(run, session)
      try locked.requireGoing()
      let running = try session.query(
        """
        SELECT \(raw: TaskFact.columns) FROM ev_task
        WHERE run_key = \(locked.state.key) AND open = 1 AND status = 'running' ORDER BY no
        """
      ).map { try TaskFact($0) }
      let changes = try self.transition(locked, session) { transition in
        if locked.state.verdict == nil { try transition.stop(as: .failure, reason) }
        for task in running { try transition.lose(task, reason) }
      }
      try self.keepWake(of: locked.after(changes), session)
    }
  }
}

extension LockedRun {
  func requireGoing() throws {
    guard state.status.isOver else { return }
    throw StoreError(
      .conflict, "run \(state.id) is over: \(state.status.rawValue)",
      hint: "`coordinator recover` or `rerun` begin it again")
  }

  func statusEntry(to status: RunStatus, by actor: String) -> Changes.HistoryEntry {
    Changes.HistoryEntry(
      subject: .run, name: state.id, sequence: "", attempt: 0, from: state.status.rawValue,
      to: status.rawValue,
      actor: actor)
  }
}
