public import Model

/// Tasks: made by events, placed on hosts (rule 6), and repeated or run again by recoveries (rules 9 and 10).
extension Transition {
  /// Makes the task of step `name`, unless there is one; an earlier moment brings a waiting one forward.
  mutating func makeTask(_ name: String, at place: Place, _ cause: Cause, due: Timestamp?) throws {
    guard let step = plan.steps[name] else { return }
    let key = Key(name: name, sequence: place.sequence)
    if let existing = try task(key) { return bringForward(existing, to: due) }
    switch try decision(for: step.definition, at: place) {
    case .leaveOut: return
    case .run: try makeRunnable(step, key, place, cause, due: due)
    case .repeat(let earlier):
      add(step, key, place, .repeated(earlier), .host(earlier.host ?? changes.run.localHost))
      try raiseEnd(
        of: step, at: place, as: earlier.status, skipped: false, fileTriggers: earlier.fileTriggers,
        host: earlier.host, isRepeated: true)
    case .mark(let mark):
      add(step, key, place, .marked(mark), .host(changes.run.localHost))
      try raiseEnd(
        of: step, at: place, as: mark.status, skipped: false, fileTriggers: [], host: nil, isRepeated: false)
    }
  }

  private mutating func makeRunnable(
    _ step: Plan.Step, _ key: Key, _ place: Place, _ cause: Cause, due: Timestamp?
  ) throws {
    if changes.run.isStopped {
      add(step, key, place, .cancelled, .host(changes.run.localHost))
      return
    }
    switch placement(of: step, cause) {
    case .success(let placement):
      if due == nil, let host = try passingHost(of: step, placement) {
        passAllowance -= 1
        add(step, key, place, .passed(at: host), placement)
        return try raiseEnd(
          of: step, at: place, as: .success, skipped: false, fileTriggers: [], host: host, isRepeated: false)
      }
      add(step, key, place, due.map { .waiting(until: $0) } ?? .ready, placement)
      try entered(place.scope)
    case .failure(let ambiguity):
      add(step, key, place, .impossible(ambiguity.message), .host(changes.run.localHost))
      _ = try failIteration(place.scope)
      try failRun("\(key.name)/\(key.sequence)", isRepeated: false)
    }
  }

  private mutating func add(
    _ step: Plan.Step, _ key: Key, _ place: Place, _ form: Changes.NewTask.Form, _ placement: Placement
  ) {
    let definition = step.definition
    let task = Changes.NewTask(
      number: number(), step: definition.name, sequence: place.sequence, scope: place.scope, form: form,
      placement: placement, priority: definition.priority, hasDemands: plan.hasDemands(step))
    changes.tasks.append(task)
    tasks[key] = .some(
      TaskFact(
        number: task.number, step: definition.name, sequence: place.sequence, scope: place.scope,
        status: form.status, dueAt: form.dueAt, attempt: 1, losses: 0, host: nil, fence: 0))
    record(
      .task, definition.name, place.sequence, 1, from: "", to: form.status.rawValue, form.actor,
      token: form.token)
  }

  private mutating func bringForward(_ task: TaskFact, to due: Timestamp?) {
    // A later attempt waits for its retry, which no event shortens.
    guard task.status == .waiting, task.attempt == 1, let planned = task.dueAt,
      due.map({ $0 < planned }) ?? true
    else { return }
    // A task made in this very transition is changed where it stands, one of the store's by a change.
    if let position = changes.tasks.firstIndex(where: { $0.number == task.number }) {
      let made = changes.tasks[position]
      changes.tasks[position] = made.with(form: due.map { .waiting(until: $0) } ?? .ready)
    } else {
      let kind: Changes.TaskChange.Kind = due.map { .broughtForward(to: $0) } ?? .ready
      changes.taskChanges.append(.init(task: task, kind: kind, releases: [:]))
    }
    if due == nil { record(task, to: "ready", "event") }
    let moved = TaskFact(
      number: task.number, step: task.step, sequence: task.sequence, scope: task.scope,
      status: due == nil ? .ready : .waiting, dueAt: due, attempt: task.attempt, losses: task.losses,
      host: task.host, fence: task.fence)
    tasks[Key(name: task.step, sequence: task.sequence)] = .some(moved)
  }

  /// A delayed event or loop: the delay itself is what is waited for.
  mutating func delay(_ target: Plan.Target, at place: Place, _ cause: Cause, until due: Timestamp) throws {
    guard !changes.run.isStopped else { return }
    try entered(place.scope)
    changes.delays.append(
      .init(
        number: number(), target: target, sequence: place.sequence, scope: place.scope, hosts: cause.hosts,
        dueAt: due))
  }

  private mutating func decision(for step: Program.Step, at place: Place) throws -> Replay.Decision {
    guard let replay = changes.run.replay else { return .run }
    let earlier = try ledger.earlierEnd(of: step.name, in: place.sequence)
    let iteration = place.scope == 0 ? nil : try iteration(place.scope)
    return replay.decision(
      for: step, in: place.sequence, earlier: earlier, isInRepeatedIteration: iteration?.isRepeated == true)
  }

  private mutating func task(_ key: Key) throws -> TaskFact? {
    if let known = tasks[key] { return known }
    try lookAhead(from: .step(key.name), in: key.sequence)
    if let known = tasks[key] { return known }
    let found = try ledger.tasks([key.name], in: [key.sequence])
    Self.learn(found, [key.name], [key.sequence], into: &tasks)
    return found[key.sequence]?[key.name]
  }

  /// Why a task has no host.
  struct Ambiguity: Error {
    let message: String
  }

  /// Rule 6: the step's host, its group, the default host, the host of what caused it.
  private func placement(of step: Plan.Step, _ cause: Cause) -> Result<Placement, Ambiguity> {
    let run = changes.run
    func filled(_ host: String) -> Placement { .host(Template(host).filled(parameters: run.parameters)) }
    if let host = step.definition.host { return .success(filled(host)) }
    if let group = step.definition.group { return .success(.group(group)) }
    if let host = plan.program.config.defaultHost { return .success(filled(host)) }
    if cause.hosts.count > 1, !run.isUnpinned {
      return .failure(
        Ambiguity(
          message: "no host: the steps that caused it ran on \(cause.hosts.joined(separator: " and ")); "
            + "give step \(step.definition.name) a host or group, or the program a default_host"))
    }
    return .success(.host(cause.hosts.first ?? run.localHost))
  }
}

extension Plan {
  /// Whether tasks of `step` must hold something before they start.
  public func hasDemands(_ step: Plan.Step) -> Bool {
    !step.definition.acquires.isEmpty || step.groupLimit > 0 || program.config.maxConcurrent > 0
  }
}

extension Changes.NewTask {
  func with(form: Form) -> Changes.NewTask {
    Changes.NewTask(
      number: number, step: step, sequence: sequence, scope: scope, form: form, placement: placement,
      priority: priority, hasDemands: hasDemands)
  }
}

extension Changes.NewTask.Form {
  /// The status of a task made in this form.
  public var status: TaskStatus {
    switch self {
    case .ready: .ready
    case .waiting: .waiting
    case .cancelled: .cancelled
    case .impossible: .failure
    case .repeated(let earlier): earlier.status
    case .marked(let mark): mark.status
    case .passed: .success
    }
  }

  var dueAt: Timestamp? {
    if case .waiting(let moment) = self { return moment }
    return nil
  }

  /// The fencing token of its taking; 0 if it was not taken.
  var token: Int64 {
    if case .passed = self { return 1 }
    return 0
  }

  var actor: String {
    switch self {
    case .repeated: "replay"
    case .marked(let mark): mark.by
    case .passed(let host): host
    default: "event"
    }
  }
}
