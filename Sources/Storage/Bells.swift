import Database
import Engine
import Model

extension SQLStore {
  /// At most so many agents are woken for the tasks of one queue: more would only get in each other's way.
  private static let mostForQueue = 8

  /// Notes whom a transition gives something to do: members of the queues in which tasks have become ready.
  ///
  /// - Parameter taken: Tasks that need nobody any more.
  func noteBells(
    _ changes: Changes, of run: LockedRun, by agent: Int64?, except taken: Set<Int64>, _ session: any Session
  ) throws {
    guard caller != nil, !run.isStandalone, let after = Self.afterCommit else { return }
    var counts: [String: Int] = [:]
    func count(_ placement: Placement) throws {
      if let name = try queue(of: placement, in: run, session) { counts[name, default: 0] += 1 }
    }
    for task in changes.tasks where task.form == .ready && !taken.contains(task.number) {
      try count(task.placement)
    }
    for change in changes.taskChanges where change.kind.isReady {
      guard let step = run.plan.steps[change.task.step]?.definition else { continue }
      if let group = step.group, step.host == nil {
        try count(.group(group))
      } else if let host = change.task.host {
        try count(.host(host))
      }
    }
    for (name, tasks) in counts {
      var entries = try waiters(of: name, session).filter { $0.agent != agent }
      let most = min(max(tasks, 1), Self.mostForQueue)
      // Which of many is left to chance, so that not always the same one is woken in vain.
      if entries.count > Self.mostForQueue { entries = Array(entries.shuffled().prefix(max(most, 4))) }
      after.ring(entries.map(\.address))
    }
  }

  /// Notes a few agents, whichever: something will be due that one of them must see to.
  func noteAny(_ session: any Session) throws { try note(limit: 4, session) }

  /// Notes all agents.
  func noteAll(_ session: any Session) throws { try note(limit: 256, session) }

  private func note(limit: Int, _ session: any Session) throws {
    guard caller != nil, let after = Self.afterCommit else { return }
    let rows = try session.query(
      """
      SELECT a.waiter FROM ev_agent a WHERE a.waiter IS NOT NULL AND \(raw: Fleet.isLive("a", session.dialect))
      ORDER BY a.heartbeat_at DESC LIMIT \(limit)
      """)
    after.ring(try rows.map { try $0.text(0) })
  }

  /// Notes all agents that hold something of a run: it was stopped, or somebody wants to see its output.
  func noteHolders(of run: Int64, _ session: any Session) throws {
    guard caller != nil, let after = Self.afterCommit else { return }
    let rows = try session.query(
      """
      SELECT DISTINCT a.waiter FROM ev_task t JOIN ev_agent a ON a.agent_key = t.holder
      WHERE t.run_key = \(run) AND t.open = 1 AND t.status = 'running' AND a.waiter IS NOT NULL
      """)
    after.ring(try rows.map { try $0.text(0) })
  }
}

extension Changes.TaskChange.Kind {
  fileprivate var isReady: Bool {
    switch self {
    case .ready, .lost, .returned: true
    case .broughtForward, .ended, .passed, .retried: false
    }
  }
}
