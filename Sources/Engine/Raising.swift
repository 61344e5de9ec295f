public import Model

/// Events: rules 1, 2 and 3 of the program's semantics.
extension Transition {
  /// Triggers `event` unless it was triggered in that sequence before, and queues what follows.
  mutating func raise(_ event: String, at place: Place, _ cause: Cause) throws {
    guard try fact(event: event, in: place.sequence) == nil else { return }
    let launches = plan.launches[event] ?? []
    let now = changes.run.now
    var firstAt = now
    if changes.run.recovery > 0, launches.contains(where: { $0.delay > .zero }) {
      firstAt = try ledger.firstTriggered(event, in: place.sequence) ?? now
    }
    changes.events.append(
      .init(
        number: number(), event: event, sequence: place.sequence, scope: place.scope, hosts: cause.hosts,
        firstAt: firstAt, isFromOutside: cause.isFromOutside))
    events[Key(name: event, sequence: place.sequence)] = .some(EventFact(hosts: cause.hosts))
    if !Plan.isInternal(event) {
      record(.event, event, place.sequence, 0, from: "", to: "triggered", cause.actor)
    }
    try noteUntil(event, place.scope)

    for launch in launches {
      let due = firstAt + launch.delay
      queue.add(.launch(launch.target, place, cause, due: due > now ? due : nil))
    }
    for dependent in plan.dependents[event] ?? [] {
      guard try fact(event: dependent, in: place.sequence) == nil,
        let condition = plan.expressions[dependent],
        try holds(condition, in: place.sequence, near: event)
      else { continue }
      var hosts: Set<String> = []
      for (_, fact) in try facts(events: condition.operands, in: place.sequence) {
        hosts.formUnion(fact.hosts)
      }
      queue.add(.raise(dependent, place, Cause(hosts: hosts.sorted(), actor: "expression")))
    }
  }

  /// A replay raises again what somebody triggered from outside in earlier recoveries: at the top level when it
  /// begins, inside an iteration when that opens.
  mutating func raiseFromOutside(at place: Place?) throws {
    let known = try earlierFromOutside ?? ledger.earlierFromOutside()
    earlierFromOutside = known
    for (event, sequence) in known where place.map({ $0.sequence == sequence }) ?? (sequence.outer == nil) {
      let cause = Cause(hosts: [], actor: "replay", isFromOutside: true)
      queue.add(.raise(event, place ?? Place(sequence: sequence, scope: 0), cause))
    }
  }

  /// The end of a step: its triggers, those of its trigger file, and the judgement of a failure (rules 4 and 5).
  mutating func raiseEnd(
    of step: Plan.Step, at place: Place, as status: TaskStatus, skipped: Bool, fileTriggers: [FileTrigger],
    host: String?, isRepeated: Bool
  ) throws {
    let triggers = step.triggers
    if status == .success, step.isUnheard, fileTriggers.isEmpty, !skipped { return }
    let named = (status == .success ? triggers.success : triggers.failure) + triggers.complete
    let actor = "\(step.definition.name)/\(place.sequence)"
    let cause = Cause(hosts: host.map { [$0] } ?? [], actor: actor)
    for event in named + (skipped ? triggers.skipped : []) { queue.add(.raise(event, place, cause)) }
    if status == .success, let marker = step.successMarker { queue.add(.raise(marker, place, cause)) }
    var raisedByFile = false
    for trigger in fileTriggers where plan.isRaisable(trigger.event) {
      let sequence = trigger.sequence ?? place.sequence
      let scope = sequence == place.sequence ? place.scope : try scope(of: sequence)
      queue.add(.raise(trigger.event, Place(sequence: sequence, scope: scope), cause))
      raisedByFile = true
    }
    if status == .failure, named.isEmpty, !raisedByFile {
      try noteUnhandledFailure(in: place.scope, of: actor, isRepeated: isRepeated)
    }
  }

  /// A failure that raised nothing. It fails its iteration, and the run unless a loop answers for it.
  mutating func noteUnhandledFailure(in scope: Int64, of actor: String, isRepeated: Bool) throws {
    if try !failIteration(scope) { try failRun(actor, isRepeated: isRepeated) }
  }

  /// A failure of the run itself. A repeated one was judged in its own recovery: it stops nothing now.
  mutating func failRun(_ actor: String, isRepeated: Bool) throws {
    changes.run.failures += 1
    if plan.program.config.stopOnFailure, !isRepeated, !changes.run.isStopped {
      changes.run.message = changes.run.message ?? "stopped after the failure of \(actor)"
      try stop("not started: the run stopped after the failure of \(actor)")
    }
  }

  /// Nothing of the run that has not started ever will, in this recovery.
  mutating func stop(_ reason: String) throws {
    guard !changes.run.isStopped else { return }
    changes.run.isStopped = true
    changes.cancelsUnstarted = reason
    for (scope, count) in try ledger.unstarted() {
      try left(scope, count: count - begunUnstarted[scope, default: 0])
    }
    // What this very transition has made is not in the ledger yet.
    for position in changes.tasks.indices { try cancelNew(taskAt: position) }
    for delay in changes.delays { try left(delay.scope) }
    changes.delays = []
    let matured = changes.taskChanges.filter { $0.kind.makesReady }
    changes.taskChanges.removeAll { $0.kind.makesReady }
    for change in matured where change.task.status == .running { try end(lost: change) }
    for loop in try ledger.openLoops() where loops[loop.number] == nil { loops[loop.number] = loop }
    touchedLoops += loops.values.filter { !$0.status.isOver }.map(\.number)
  }

  private mutating func cancelNew(taskAt position: Int) throws {
    let task = changes.tasks[position]
    switch task.form {
    case .ready, .waiting:
      changes.tasks[position] = task.with(form: .cancelled)
      record(
        .task, task.step, task.sequence, 1, from: task.form.status.rawValue,
        to: TaskStatus.cancelled.rawValue,
        "engine")
      try left(task.scope)
    case .cancelled, .impossible, .repeated, .marked, .passed: break
    }
  }

  /// A task whose retry or return was decided in the transition that then stopped the run.
  private mutating func end(lost change: Changes.TaskChange) throws {
    if case .retried(let outcome, _) = change.kind {
      try end(change.task, outcome, chance: 0)
    } else {
      try end(
        change.task, Outcome(.cancelled, message: "its agent was lost and the run has stopped"), chance: 0)
    }
  }

  // MARK: Facts

  /// The event in that sequence, if it was triggered.
  mutating func fact(event: String, in sequence: Sequence) throws -> EventFact? {
    if passingHost != nil, events[Key(name: event, sequence: sequence)] == nil {
      try lookAhead(from: .event(event), in: sequence)
    }
    return try facts(events: [event], in: sequence)[event]
  }

  /// Those of `names` that were triggered in `sequence`; asks the ledger only for what is not yet known.
  mutating func facts(events names: [String], in sequence: Sequence) throws -> [String: EventFact] {
    let unknown = names.filter { events[Key(name: $0, sequence: sequence)] == nil }
    if !unknown.isEmpty {
      Self.learn(try ledger.triggered(unknown, in: [sequence]), unknown, [sequence], into: &events)
    }
    var facts: [String: EventFact] = [:]
    for name in names {
      if case .some(.some(let fact)) = events[Key(name: name, sequence: sequence)] { facts[name] = fact }
    }
    return facts
  }

  /// Whether `condition` is true in `sequence`.
  ///
  /// A join of thousands is asked for in growing pieces, the neighbours of `event` first: ends mostly come in the
  /// order in which steps were started, so the first piece nearly always shows one that is still missing.
  private mutating func holds(_ condition: Expression, in sequence: Sequence, near event: String) throws
    -> Bool
  {
    let operands = condition.operands
    guard case .all(let parts) = condition, operands.count > 16, parts.allSatisfy(\.isEvent) else {
      let known = try facts(events: operands, in: sequence)
      return condition.holds { known[$0] != nil }
    }
    let middle = operands.firstIndex(of: event) ?? 0
    var piece = 2
    var (below, above) = (middle - 1, middle + 1)
    while below >= 0 || above < operands.count {
      var names: [String] = []
      for _ in 0..<piece where below >= 0 {
        names.append(operands[below])
        below -= 1
      }
      for _ in 0..<piece where above < operands.count {
        names.append(operands[above])
        above += 1
      }
      if try facts(events: names, in: sequence).count < names.count { return false }
      piece = min(piece * 4, 128)
    }
    return true
  }

  /// The iteration to which something in `sequence` that comes from outside belongs; 0 at the top level.
  func scope(of sequence: Sequence) throws -> Int64 {
    guard sequence.outer != nil else { return 0 }
    return try ledger.iterations(in: sequence).first?.number ?? 0
  }
}

extension Plan {
  /// Whether a step may raise `event` through its trigger file: an event the program declares.
  public func isRaisable(_ event: String) -> Bool { program.events.contains { $0.name == event } }
}

extension Changes.TaskChange.Kind {
  fileprivate var makesReady: Bool {
    switch self {
    case .ready, .broughtForward, .retried, .lost, .returned: true
    case .ended, .passed: false
    }
  }
}
