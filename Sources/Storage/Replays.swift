import Database
public import Engine
import Model

/// Recovery, rerun and marks on runs that are over: a new recovery in which the graph is replayed (rules 9 and 10).
extension SQLStore {
  /// Begins a new recovery and returns its number.
  public func replay(_ request: ReplayRequest, of run: String, by user: String) async throws -> Int {
    try await write { session in
      let former = try self.lock(run, session)
      let replay = try self.replay(request, of: former, session)
      let state = former.state
      let parameters = state.parameters.merging(request.parameters) { _, new in new }
      let config = former.plan.program.config
      let now = state.now.microseconds
      try session.execute(
        """
        UPDATE ev_run SET recovery = recovery + 1, status = 'running', active = 0, failures = 0, stopped = 0,
          verdict = NULL, message = NULL, ended_at = NULL, started_at = NULL, wake_at = NULL,
          standalone = \(request.isStandalone ?? former.isStandalone),
          unpinned = \(request.isUnpinned ?? state.isUnpinned),
          replay = \(try JSONText.encode(replay)), parameters = \(try JSONText.encode(parameters)),
          deadline_at = \(config.timeout.map { now + $0.microseconds }),
          queue_deadline_at = \(config.queueTimeout.map { now + $0.microseconds })
        WHERE run_key = \(state.key)
        """)
      let locked = try self.lock(run, session)
      let kind = request.marks.isEmpty ? request.kind.rawValue : "mark"
      try self.open(recovery: locked.state.recovery, of: locked, kind: kind, by: user, session)
      let beginning = try self.beginning(of: state.key, session)
      let changes = try self.transition(locked, session) { try $0.begin(beginning, actor: user) }
      try self.keepWake(of: locked.after(changes), session)
      try fault(.replayBeforeCommit, session)
      return locked.state.recovery
    }
  }

  /// What a replay would do, if everything that runs succeeded. Writes nothing.
  public func plan(_ request: ReplayRequest, of run: String, by user: String) async throws -> [PlannedTask] {
    try await write { session in
      // A write transaction for its lock; nothing is written.
      let former = try self.lock(run, session)
      let replay = try self.replay(request, of: former, session)
      let state = former.state
      let next = RunState(
        key: state.key, id: state.id, status: .running, recovery: state.recovery + 1, active: 0, failures: 0,
        isStopped: false, verdict: nil, message: nil, nextNumber: state.nextNumber, replay: replay,
        localHost: state.localHost, isUnpinned: request.isUnpinned ?? state.isUnpinned,
        parameters: state.parameters.merging(request.parameters) { _, new in new }, now: state.now)
      var rehearsal = Rehearsal(
        of: request, on: next, plan: former.plan, earlier: SQLLedger(session: session, run: next))
      return try rehearsal.tasks(from: self.beginning(of: state.key, session))
    }
  }

  private func replay(_ request: ReplayRequest, of run: LockedRun, _ session: any Session) throws -> Replay {
    guard run.state.status.isOver else {
      throw StoreError(
        .conflict, "run \(run.state.id) is not over: \(run.state.status.rawValue)",
        hint: "wait for its end, or `coordinator cancel \(run.state.id)`")
    }
    for mark in request.marks { _ = try sequences(of: mark.step, [mark.sequence], run, session) }
    guard request.kind == .rerun else { return Replay(kind: .recover, marks: request.marks) }
    var roots: [(step: String, sequence: Sequence)] = []
    for step in request.steps {
      let found = try sequences(of: step, request.sequence.map { [$0] }, run, session)
      roots += found.map { (step, $0) }
    }
    return Replay(
      kind: .rerun, rerun: RerunSet(roots: roots, only: request.only, in: run.plan), marks: request.marks)
  }

  /// The sequences in which a step has had a task, in any recovery; those of `wanted` if that is given.
  private func sequences(
    of step: String, _ wanted: [Sequence]?, _ run: LockedRun, _ session: any Session
  ) throws -> [Sequence] {
    guard run.plan.steps[step] != nil else {
      let near = Name.nearest(to: step, among: run.plan.steps.keys).map { "; did you mean '\($0)'?" } ?? ""
      throw StoreError(.invalid, "program '\(run.plan.program.name)' has no step '\(step)'\(near)")
    }
    let rows = try session.query(
      "SELECT DISTINCT sequence FROM ev_task WHERE run_key = \(run.state.key) AND step = \(step)")
    let found = try rows.map { Sequence(try $0.text(0)) }.sorted()
    // A foreach step named with the sequence of its loop means all of its iterations.
    let isForEach = run.plan.loops[step]?.isForEach == true
    let chosen = found.filter { sequence in
      guard let wanted else { return true }
      return wanted.contains(sequence) || isForEach && sequence.outer.map(wanted.contains) == true
    }
    guard !chosen.isEmpty else {
      let place = wanted?.first.map { " in sequence \($0)" } ?? ""
      throw StoreError(
        .notFound, "step '\(step)' has had no task\(place) in run \(run.state.id)",
        hint: "`coordinator tasks \(run.state.id)` lists its tasks")
    }
    return chosen
  }
}
