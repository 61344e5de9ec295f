public import Model

/// Steps without an action: there is nothing to carry out, so whoever may take one ends it in the very transition that
/// makes it or finds it ready, and what follows from it is decided there too. No lock is needed, as nothing happens
/// between its taking and its end.
extension Transition {
  /// The most tasks that one transition passes, so that a chain of a million is not gone through in one transaction.
  ///
  /// Fewer than iterations are opened in one: so a loop of steps without an action that is cut off there leaves one of them
  /// ready, in its place in line, and is not left to whoever comes by.
  public static let passesAtOnce = iterationsAtOnce - 1

  /// Has tasks without an action end as they are made.
  ///
  /// - Parameter host: At which host a task placed there is passed; nil if it is not for whoever makes this transition.
  public mutating func passEmptySteps(at host: @escaping (Placement) throws -> String?) {
    guard plan.hasEmptySteps, changes.run.status == .running else { return }
    passingHost = host
  }

  /// Ends `task`, which is ready, at `host` if there is nothing to carry out. False if there is, or enough was passed.
  public mutating func pass(_ task: TaskFact, at host: String) throws -> Bool {
    guard let step = plan.steps[task.step], isPassed(step) else { return false }
    passAllowance -= 1
    changes.taskChanges.append(.init(task: task, kind: .passed(at: host), releases: nil))
    let taken = TaskFact(
      number: task.number, step: task.step, sequence: task.sequence, scope: task.scope, status: task.status,
      dueAt: nil, attempt: task.attempt, losses: task.losses, host: host, fence: task.fence + 1)
    record(taken, to: TaskStatus.success.rawValue, host)
    begunUnstarted[task.scope, default: 0] += 1
    try left(task.scope)
    try raiseEnd(
      of: step, at: Place(sequence: task.sequence, scope: task.scope), as: .success, skipped: false,
      fileTriggers: [], host: host, isRepeated: false)
    try settle()
    return true
  }

  /// Where a task of `step` that is made now is passed; nil if it is not.
  func passingHost(of step: Plan.Step, _ placement: Placement) throws -> String? {
    guard isPassed(step) else { return nil }
    return try passingHost?(placement)
  }

  private func isPassed(_ step: Plan.Step) -> Bool {
    passAllowance > 0 && step.isEmpty && !plan.hasDemands(step) && !changes.run.isStopped
      && changes.run.status == .running
  }

  /// Learns of what `target` leads to in `sequence` past steps that may be passed, which will all be asked for.
  mutating func lookAhead(from target: Plan.Target, in sequence: Sequence) throws {
    guard passingHost != nil, passAllowance > 0 else { return }
    let names = plan.names(ledTo: [target], pastEmptySteps: true, limit: 64)
    let newEvents = names.events.filter { events[Key(name: $0, sequence: sequence)] == nil }
    let newSteps = names.steps.filter { tasks[Key(name: $0, sequence: sequence)] == nil }
    guard newEvents.count + newSteps.count > 1 else { return }
    let found = try ledger.found(newEvents, newSteps, in: sequence)
    Self.learn([sequence: found.events], newEvents, [sequence], into: &events)
    Self.learn([sequence: found.tasks], newSteps, [sequence], into: &tasks)
  }
}

extension Plan.Step {
  /// Whether its success raises nothing.
  var isUnheard: Bool { triggers.success.isEmpty && triggers.complete.isEmpty && successMarker == nil }
}

extension RunLedger {
  /// The events and tasks of `sequence` that are there.
  public func found(_ events: [String], _ steps: [String], in sequence: Sequence) throws -> (
    events: [String: EventFact], tasks: [String: TaskFact]
  ) {
    (
      events.isEmpty ? [:] : try triggered(events, in: [sequence])[sequence] ?? [:],
      steps.isEmpty ? [:] : try tasks(steps, in: [sequence])[sequence] ?? [:]
    )
  }
}
