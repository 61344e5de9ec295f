import Model

/// Loops: rule 13. An iteration is a scope that counts what it has caused; a loop counts its iterations.
extension Transition {
  /// Opens loop `name` in a sequence, unless it was opened there before.
  mutating func openLoop(_ name: String, at place: Place, _ cause: Cause) throws {
    guard let planned = plan.loops[name], !changes.run.isStopped else { return }
    let key = Key(name: name, sequence: place.sequence)
    if loopNumbers[key] != nil { return }
    if try ledger.loop(name, in: place.sequence) != nil {
      loopNumbers[key] = .some(nil)
      return
    }
    if let replay = changes.run.replay, !replay.mayOpen(loop: name, in: place.sequence),
      try !ledger.wasOpened(loop: name, in: place.sequence)
    {
      return
    }
    let items = try resolve(planned.over, in: place.sequence)
    let loop = LoopState(
      number: number(), name: name, sequence: place.sequence, scope: place.scope, hosts: cause.hosts,
      status: .running, total: items.total, items: items.list, rangeStart: items.rangeStart, next: 1, open: 0,
      ended: 0, failed: 0)
    loopNumbers[key] = .some(loop.number)
    changes.newLoops.insert(loop.number)
    changes.loopMessages[loop.number] = items.problem
    update(loop)
    record(.loop, name, place.sequence, 0, from: "", to: "running", cause.actor)
    try entered(place.scope)
    if items.problem != nil {
      try close(loop, as: .failure)
    } else {
      touchedLoops.append(loop.number)
    }
  }

  /// Opens what may be opened of a loop, or ends it.
  mutating func advance(loop number: Int64) throws {
    guard var loop = try loop(number), !loop.status.isOver, let planned = plan.loops[loop.name] else {
      return
    }
    let isDecided =
      switch planned.wait {
      case .all: false
      case .any: loop.ended > loop.failed
      case .firstFailure: loop.failed > 0
      }
    if isDecided || loop.ended == loop.total { return try close(loop, as: verdict(on: loop, planned)) }
    if changes.run.isStopped {
      if loop.open == 0 {
        try close(loop, as: loop.failed > 0 && changes.run.verdict == nil ? .failure : .cancelled)
      }
      return
    }
    // A loop without a limit grows as tasks are taken. The end of an iteration is no reason to write more of it out.
    guard planned.maxConcurrent > 0 || changes.newLoops.contains(number) || grownLoops.contains(number) else {
      return
    }
    let room = planned.maxConcurrent == 0 ? Int.max : planned.maxConcurrent - loop.open
    try foresee(
      iterations: min(iterationAllowance, room, loop.total - loop.next + 1), from: loop.next, of: loop,
      planned)
    while loop.next <= loop.total, planned.maxConcurrent == 0 || loop.open < planned.maxConcurrent,
      iterationAllowance > 0
    {
      iterationAllowance -= 1
      let index = loop.next
      loop.next += 1
      loop.open += 1
      update(loop)
      try openIteration(index, of: loop, planned)
      // One after the other: what the first causes is settled before the next is looked at.
      if planned.maxConcurrent > 0, loop.open >= planned.maxConcurrent { break }
    }
  }

  private func verdict(on loop: LoopState, _ planned: Plan.Loop) -> LoopStatus {
    if planned.wait == .any { return loop.ended > loop.failed || loop.total == 0 ? .success : .failure }
    return loop.failed > 0 ? .failure : .success
  }

  private mutating func openIteration(_ index: Int, of loop: LoopState, _ planned: Plan.Loop) throws {
    let sequence = loop.sequence.iteration(index)
    var isRepeated = false
    if let replay = changes.run.replay, replay.repeatsFinishedIterations() {
      // What stands inside a finished iteration is finished, whatever became of a part of it.
      isRepeated =
        try iteration(loop.scope)?.isRepeated == true
        || ledger.hadSucceeded(iterationOf: loop.name, in: sequence)
    }
    let iteration = IterationState(
      number: number(), loop: loop.number, index: index, sequence: sequence, status: .running, active: 0,
      hasFailed: false, isRepeated: isRepeated)
    changes.newIterations.insert(iteration.number)
    update(iteration)
    let place = Place(sequence: sequence, scope: iteration.number)
    let cause = Cause(hosts: loop.hosts, actor: "loop \(loop.name)")
    for target in planned.body {
      if case .event(let event) = target {
        queue.add(.raise(event, place, cause))
      } else {
        queue.add(.launch(target, place, cause, due: nil))
      }
    }
    if changes.run.recovery > 0 { try raiseFromOutside(at: place) }
    touchedIterations.append(iteration.number)
  }

  /// An `until` event of the iteration's loop ends the iteration, whatever else it still does.
  mutating func noteUntil(_ event: String, _ scope: Int64) throws {
    guard scope != 0, let iteration = try iteration(scope), !iteration.status.isOver,
      let loop = try loop(iteration.loop), plan.loops[loop.name]?.until.contains(event) == true
    else { return }
    try close(iteration)
  }

  /// An iteration in which nothing is left is over.
  mutating func closeIfOver(iteration number: Int64) throws {
    guard let iteration = try iteration(number), !iteration.status.isOver, iteration.active == 0 else {
      return
    }
    try close(iteration)
  }

  private mutating func close(_ iteration: IterationState) throws {
    var iteration = iteration
    iteration.status = iteration.hasFailed ? .failure : changes.run.isStopped ? .cancelled : .success
    update(iteration)
    guard var loop = try loop(iteration.loop), !loop.status.isOver else { return }
    loop.open -= 1
    loop.ended += 1
    if iteration.hasFailed { loop.failed += 1 }
    update(loop)
    touchedLoops.append(loop.number)
  }

  private mutating func close(_ loop: LoopState, as status: LoopStatus) throws {
    guard let planned = plan.loops[loop.name] else { return }
    var loop = loop
    loop.status = status
    update(loop)
    record(.loop, loop.name, loop.sequence, 0, from: "running", to: status.rawValue, "engine")
    try left(loop.scope)
    guard status != .cancelled else { return }
    let place = Place(sequence: loop.sequence, scope: loop.scope)
    let actor = "\(loop.name)/\(loop.sequence)"
    let cause = Cause(hosts: loop.hosts, actor: actor)
    let named =
      (status == .success ? planned.triggers.success : planned.triggers.failure) + planned.triggers.complete
    for event in named { queue.add(.raise(event, place, cause)) }
    if status == .success, let marker = planned.successMarker { queue.add(.raise(marker, place, cause)) }
    if status == .failure, named.isEmpty {
      let isAnswered = try failIteration(loop.scope)
      // Elsewhere the tasks inside were counted when they failed.
      let isUncounted = planned.answersForItsTasks || changes.loopMessages[loop.number] != nil
      if isUncounted, !isAnswered { try failRun(actor, isRepeated: false) }
    }
  }

  /// Marks iteration `scope` as failed. True if its loop answers for its tasks, so that the run does not.
  mutating func failIteration(_ scope: Int64) throws -> Bool {
    guard scope != 0, var iteration = try iteration(scope), var loop = try loop(iteration.loop) else {
      return false
    }
    if !iteration.hasFailed {
      iteration.hasFailed = true
      update(iteration)
      // It was over already, and counted as a success: its loop, if still open, has one failed iteration more.
      if iteration.status == .success, !loop.status.isOver {
        loop.failed += 1
        update(loop)
      }
    }
    return plan.loops[loop.name]?.answersForItsTasks == true
  }

  // MARK: State

  mutating func loop(_ number: Int64) throws -> LoopState? {
    if let known = changes.loops[number] ?? loops[number] { return known }
    guard let found = try ledger.loop(numbered: number) else { return nil }
    loops[number] = found
    return found
  }

  mutating func iteration(_ number: Int64) throws -> IterationState? {
    if let known = changes.iterations[number] ?? iterations[number] { return known }
    guard let found = try ledger.iteration(numbered: number) else { return nil }
    iterations[number] = found
    return found
  }

  mutating func update(_ loop: LoopState) {
    loops[loop.number] = loop
    changes.loops[loop.number] = loop
  }

  mutating func update(_ iteration: IterationState) {
    iterations[iteration.number] = iteration
    changes.iterations[iteration.number] = iteration
  }
}
