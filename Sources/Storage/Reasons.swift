import Database
public import Engine
import Model

extension SQLStore {
  /// Why each task that isn't running is not, one true reason each.
  public func reasons(for run: String, step: String?) async throws -> [WaitReason] {
    try await read { session in try Reasons(store: self, session: session).reasons(for: run, step: step) }
  }
}

/// Finds the reason for each task that waits, and for a step that was asked about by name and has no task.
struct Reasons {
  let store: SQLStore
  let session: any Session

  /// What keeps a run that goes on from going on, in words; nothing while something runs.
  func waitingFor(_ run: String) throws -> [String] {
    var seen: [String] = []
    for reason in try reasons(for: run, step: nil, limit: 200)
    where reason.code != .running && reason.code != .ready {
      if !seen.contains(reason.message) { seen.append(reason.message) }
    }
    return seen
  }

  func reasons(for run: String, step: String?, limit: Int = 10_000) throws -> [WaitReason] {
    let facts = try Facts(run, store, session)
    if let step, facts.plan.steps[step] == nil, facts.plan.loops[step] == nil {
      let near = Name.nearest(to: step, among: facts.plan.steps.keys).map { "; did you mean '\($0)'?" } ?? ""
      throw StoreError(.invalid, "program '\(facts.plan.program.name)' has no step '\(step)'\(near)")
    }
    var sql: SQL = """
      SELECT \(raw: TaskFact.columns), wait_code, host_group, queue FROM ev_task
      WHERE run_key = \(facts.state.key) AND recovery = \(facts.state.recovery)
      """
    if let step {
      sql.append(" AND step = \(step)")
    } else {
      sql.append(" AND open = 1")
    }
    sql.append(" ORDER BY ready_at, no LIMIT \(limit)")
    let rows = try session.query(sql)
    var reasons = try rows.map {
      try reason(
        TaskFact($0), code: $0.optionalText(10), group: $0.optionalText(11), queue: $0.optionalText(12), facts
      )
    }
    if reasons.isEmpty, let step { reasons = [try unstarted(step, facts)] }
    if step == nil { reasons += try delays(facts) }
    return reasons
  }

  private struct Facts {
    let state: RunState
    let plan: Plan
    let isStandalone: Bool
    let tendedAt: Int64?
    let tender: String?
    let tenderHost: String?
    let tenderHasLeft: Bool
    /// What runs on hosts whose agents do not report, by number.
    let silent: [Int64: AgentReasons.Silence]

    init(_ run: String, _ store: SQLStore, _ session: any Session) throws {
      let rows = try session.query(
        """
        SELECT r.run_key, r.status, r.recovery, r.stopped, r.verdict, r.message, r.program_key, r.standalone,
          r.tended_at, a.agent_key, a.stopped_at, r.local_host, r.unpinned, \(raw: session.dialect.now),
          \(raw: AgentIdentity.columns("a"))
        FROM ev_run r LEFT JOIN ev_agent a ON a.agent_key = r.tended_by WHERE r.id = \(run)
        """)
      guard let row = rows.first else { throw StoreError.noRun(run) }
      state = RunState(
        key: try row.integer(0), id: run, status: try RunStatus(stored: row.text(1)),
        recovery: try row.int(2),
        active: 0, failures: 0, isStopped: try row.bool(3),
        verdict: try row.optionalText(4).map { try RunStatus(stored: $0) }, message: try row.optionalText(5),
        nextNumber: 0, replay: nil, localHost: try row.text(11), isUnpinned: try row.bool(12),
        parameters: [:],
        now: Timestamp(microseconds: try row.integer(13)))
      plan = try store.plan(try row.integer(6), session)
      isStandalone = try row.bool(7)
      tendedAt = try row.optionalInteger(8)
      let agent = try row.optionalInteger(9).map { _ in try AgentIdentity(row, from: 14) }
      tenderHost = agent?.host
      tender = agent.map { "process \($0.pid) on \($0.host)" }
      tenderHasLeft = try row.optionalInteger(10) != nil || agent.map(store.isGone) ?? false
      silent = isStandalone ? [:] : try AgentReasons(session: session).silences(in: state.key)
    }
  }

  private func reason(
    _ task: TaskFact, code: String?, group: String?, queue: String?, _ facts: Facts
  ) throws -> WaitReason {
    func say(_ code: WaitReason.Code, _ message: String, _ mend: String) -> WaitReason {
      WaitReason(step: task.step, sequence: task.sequence, code: code, message: message, mend: mend)
    }
    let name = "\(task.step)/\(task.sequence)"
    switch task.status {
    case .running:
      guard let silence = facts.silent[task.number] else {
        return say(.running, "\(name) is running on \(task.host ?? "?")", "nothing to do")
      }
      return say(
        .noAgent, "\(name) was running on \(silence.host), whose agent \(silence.sentence)",
        "start the agent on \(silence.host), which goes on with it or records its end; "
          + "`coordinator cancel \(facts.state.id)` gives it up")
    case .success, .failure, .cancelled:
      return say(
        .ended, "\(name) has ended as \(task.status.rawValue)",
        "`coordinator rerun \(facts.state.id) --step \(task.step)` runs it again")
    case .waiting, .ready: break
    }
    if facts.state.status == .paused {
      return say(.paused, "the run is paused", "`coordinator resume \(facts.state.id)`")
    }
    if task.status == .waiting, let due = task.dueAt {
      let left = TimeSpan(microseconds: max(0, due.microseconds - facts.state.now.microseconds))
      if code == "retry" {
        return say(
          .retry, "\(name) is tried again at \(due) (attempt \(task.attempt), in \(left.roughly))", "wait")
      }
      return say(.delayed, "\(name) is delayed until \(due) (in \(left.roughly))", "wait")
    }
    if code == "resource" { return try resource(task, name, facts) }
    guard facts.isStandalone else {
      return try AgentReasons(session: session).reason(task, group: group, queue: queue, plan: facts.plan)
    }
    return try ready(task, group: group, facts)
  }

  /// A ready task of a standalone run waits for the command that works on it.
  private func ready(_ task: TaskFact, group: String?, _ facts: Facts) throws -> WaitReason {
    func say(_ code: WaitReason.Code, _ message: String, _ mend: String) -> WaitReason {
      WaitReason(step: task.step, sequence: task.sequence, code: code, message: message, mend: mend)
    }
    let run = facts.state.id
    let isTended = facts.tendedAt.map { facts.state.now.microseconds - $0 < 60_000_000 } ?? false
    guard isTended, !facts.tenderHasLeft else {
      let last = facts.tender.map { "; the last was \($0)" } ?? ""
      return say(
        .noDriver, "nobody is working on this standalone run\(last)",
        "`coordinator run FILE --continue --run-id \(run)`, or `coordinator recover \(run)`")
    }
    let here = facts.tenderHost ?? facts.state.localHost
    if !facts.state.isUnpinned, let host = task.host, host != here {
      return say(
        .noAgent, "waiting for an agent on \(host)", "run it without --pin, or start an agent on \(host)")
    }
    if !facts.state.isUnpinned, task.host == nil, let members = facts.plan.steps[task.step]?.groupHosts,
      !members.contains(here)
    {
      return say(
        .noAgent, "waiting for an agent on a host of group \(group ?? "?")",
        "run it without --pin, or start an agent on \(members.joined(separator: " or "))")
    }
    return try full(task, facts)
  }

  private func full(_ task: TaskFact, _ facts: Facts) throws -> WaitReason {
    let running = try session.query(
      """
      SELECT step, sequence FROM ev_task
      WHERE run_key = \(facts.state.key) AND open = 1 AND status = 'running' ORDER BY started_at, no LIMIT 3
      """)
    guard !running.isEmpty else {
      return WaitReason(
        step: task.step, sequence: task.sequence, code: .ready,
        message: "\(task.step)/\(task.sequence) is about to start",
        mend: "nothing to do")
    }
    let names = try running.map { "\(try $0.text(0))/\(try $0.text(1))" }.joined(separator: ", ")
    return WaitReason(
      step: task.step, sequence: task.sequence, code: .slotsFull,
      message: "all slots are taken, among others by \(names)",
      mend: "wait, or allow more with --max-concurrent")
  }

  private func resource(_ task: TaskFact, _ name: String, _ facts: Facts) throws -> WaitReason {
    let rows = try session.query(
      """
      SELECT r.resource_key, r.name, r.scope, r.used, r.capacity, k.amount, r.sensor, r.sensor_free,
        r.sensor_message
      FROM ev_ticket k
      JOIN ev_resource r ON r.resource_key = k.resource_key
      WHERE k.run_key = \(facts.state.key) AND k.task_no = \(task.number) ORDER BY r.resource_key LIMIT 1
      """)
    guard let row = rows.first else {
      return WaitReason(
        step: task.step, sequence: task.sequence, code: .resourceShort,
        message: "\(name) waits for a resource", mend: "wait")
    }
    let holders = try session.query(
      """
      SELECT u.id, t.step, t.sequence FROM ev_hold h JOIN ev_run u ON u.run_key = h.run_key
      LEFT JOIN ev_task t ON t.run_key = h.run_key AND t.no = h.task_no
      WHERE h.resource_key = \(try row.integer(0)) ORDER BY h.run_key, h.task_no LIMIT 3
      """)
    let names = try holders.map { holder in
      let id = try holder.text(0)
      let held =
        try holder.optionalText(1).map { "\($0)/\((try? holder.text(2)) ?? "")" } ?? "what the run keeps"
      return id == facts.state.id ? held : "\(held) of run \(id)"
    }.joined(separator: ", ")
    let (used, capacity) = (try row.integer(3), try row.integer(4))
    if Demand.isLimit(scope: try row.text(2)) {
      let what =
        try row.text(1) == "*" ? "max_concurrent of the run" : "max_concurrent of group \(row.text(1))"
      return WaitReason(
        step: task.step, sequence: task.sequence, code: .limitReached,
        message: "\(what) is reached (\(used) of \(capacity)): \(names)", mend: "wait, or raise the limit")
    }
    if used + (try row.integer(5)) <= capacity, try row.optionalText(6) != nil {
      let free = try row.optionalInteger(7)
      if free.map({ $0 < (try? row.integer(5)) ?? 1 }) ?? true {
        let said =
          try free.map { "its sensor says \($0) are free" }
          ?? row.optionalText(8).map { "its sensor failed: \($0)" } ?? "its sensor has not answered yet"
        return WaitReason(
          step: task.step, sequence: task.sequence, code: .resourceShort,
          message: "resource \(try row.text(1)) is short outside: \(said)", mend: "wait")
      }
    }
    let queue = used + (try row.integer(5)) <= capacity ? "; others are before it in the queue" : ""
    return WaitReason(
      step: task.step, sequence: task.sequence, code: .resourceShort,
      message: "resource \(try row.text(1)) is short: \(used) of \(capacity) held by \(names)\(queue)",
      mend: "wait, or raise its capacity")
  }

  // MARK: What has no task

  private func delays(_ facts: Facts) throws -> [WaitReason] {
    try session.query(
      "SELECT target, sequence, due_at FROM ev_delay WHERE run_key = \(facts.state.key) ORDER BY due_at, no LIMIT 1000"
    ).map { row in
      let due = Timestamp(microseconds: try row.integer(2))
      let left = TimeSpan(microseconds: max(0, due.microseconds - facts.state.now.microseconds))
      return WaitReason(
        step: try row.text(0), sequence: Sequence(try row.text(1)), code: .delayed,
        message: "\(try row.text(0))/\(try row.text(1)) is delayed until \(due) (in \(left.roughly))",
        mend: "wait")
    }
  }

  /// A step without a task: what would have to be raised, and how much of it was.
  private func unstarted(_ step: String, _ facts: Facts) throws -> WaitReason {
    let plan = facts.plan
    func say(_ code: WaitReason.Code, _ message: String, _ mend: String) -> WaitReason {
      WaitReason(step: step, sequence: nil, code: code, message: message, mend: mend)
    }
    if facts.state.status.isOver || facts.state.isStopped {
      let why = facts.state.message.map { ": \($0)" } ?? ""
      let code: WaitReason.Code = facts.state.status.isOver ? .runOver : .runStopped
      let state = facts.state.status.isOver ? "over (\(facts.state.status.rawValue))" : "stopped"
      let events = starters(of: step, plan).map { display($0, plan) }.joined(separator: " or ")
      return say(
        code, "the run is \(state)\(why); \(events.isEmpty ? step : events) was not raised",
        "`coordinator recover \(facts.state.id)`")
    }
    let starters = starters(of: step, plan)
    guard let event = starters.first else {
      return say(
        .eventNotRaised, "nothing in the program starts \(step)", "give it on:, after: or an association")
    }
    if let delay = try session.query(
      "SELECT due_at FROM ev_delay WHERE run_key = \(facts.state.key) AND target = \(step) ORDER BY due_at LIMIT 1"
    ).first {
      return say(
        .delayed, "\(step) is delayed until \(Timestamp(microseconds: try delay.integer(0)))", "wait")
    }
    var message = "waits for \(starters.map { display($0, plan) }.joined(separator: " or "))"
    if let condition = plan.expressions[event] {
      var raised: [String] = []
      for operand in condition.operands {
        let found = try session.query(
          """
          SELECT sequence FROM ev_event WHERE run_key = \(facts.state.key) AND event = \(operand)
            AND recovery = \(facts.state.recovery) LIMIT 1
          """)
        if !found.isEmpty { raised.append(display(operand, plan)) }
      }
      message += ", of which \(raised.isEmpty ? "nothing" : raised.joined(separator: ", ")) has been raised"
    }
    if plan.program.events.contains(where: { $0.name == event && $0.external }) {
      return say(.eventNotRaised, message, "`coordinator trigger \(facts.state.id) \(event)`")
    }
    return say(.eventNotRaised, message, "look at what raises it: `coordinator graph \(facts.state.id)`")
  }

  private func starters(of node: String, _ plan: Plan) -> [String] {
    plan.launches.filter { $0.value.contains { $0.target.name == node } }.map(\.key).sorted()
  }

  private func display(_ event: String, _ plan: Plan) -> String {
    if let condition = plan.expressions[event] { return describe(condition) }
    return Plan.isInternal(event) ? "the success of \(event.dropFirst(4))" : event
  }

  private func describe(_ condition: Expression) -> String {
    switch condition {
    case .event(let name): Plan.isInternal(name) ? "success of \(name.dropFirst(4))" : name
    case .all(let parts):
      parts.map { part in
        if case .any = part { return "(\(describe(part)))" }
        return describe(part)
      }.joined(separator: " and ")
    case .any(let parts): parts.map { describe($0) }.joined(separator: " or ")
    }
  }
}

extension TimeSpan {
  /// Whole seconds, or tenths below ten.
  fileprivate var roughly: String {
    let tenths = (seconds * 10).rounded() / 10
    return tenths < 10
      ? "\(tenths)s" : TimeSpan(microseconds: Int64(seconds.rounded()) * 1_000_000).description
  }
}
