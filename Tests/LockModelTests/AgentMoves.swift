/// What an agent does by itself: it takes answers in, looks around on its host, and orders starts. It may take as long
/// as it likes over each: one that is stopped, or starved, is one that does nothing.
extension Expansion {
  mutating func expandKnowledge(_ world: World, _ index: Int, _ agent: Agent) {
    if agent.taking.isThere { hearTaking(world, index, agent) }
    if agent.renewal != Agent.Renewal.none { hearRenewal(world, index, agent) }
    if agent.knows == Agent.Knowledge.taken { lookAndStart(world, index, agent) }
  }

  // MARK: Answers

  private mutating func hearTaking(_ world: World, _ index: Int, _ agent: Agent) {
    if setting.lostAnswers {
      var next = world
      next[agent: index].taking = Taking()
      emit(next, .takingAnswerLost, index, .fault)
    }
    var next = world
    next[agent: index] = knowing(agent, agent.taking)
    next[agent: index].taking = Taking()
    emit(next, .takingAnswered, index)
  }

  /// The agent knows that it has taken the task.
  private func knowing(_ agent: Agent, _ taking: Taking) -> Agent {
    var agent = agent
    agent.knows = Agent.Knowledge.taken
    agent.hasFence = taking.hasFence
    agent.isCurrent = taking.isCurrent
    agent.mayStart = taking.mayStart
    agent.trust = rules.keep(.trustFromBegin) ? setting.lockFor - taking.age : setting.lockFor
    if rules.keep(.olderRenewalIsIgnored) { agent.dropRenewal() }
    return agent
  }

  private mutating func hearRenewal(_ world: World, _ index: Int, _ agent: Agent) {
    var next = world
    var heard = agent
    heard.dropRenewal()
    if setting.lostAnswers {
      next[agent: index] = heard
      emit(next, .renewalAnswerLost, index, .fault)
    }
    next[agent: index] = heard
    var breach = Breach.none
    switch agent.renewal {
    case Agent.Renewal.held: trust(&next, index, agent)
    case Agent.Renewal.stopped: stop(&next, index, agent)
    case Agent.Renewal.lost: breach = lose(&next, index, agent)
    case Agent.Renewal.unknown: takeAnew(&next, index, agent)
    default: break
    }
    emit(next, .renewalAnswered, index, breach: breach)
  }

  /// The lock, and with it the guard, lasts from when the renewal began.
  private func trust(_ world: inout World, _ index: Int, _ agent: Agent) {
    let trust = rules.keep(.trustFromBegin) ? setting.lockFor - agent.renewalAge : setting.lockFor
    // Told by attempt: what is left of an earlier one has no part in it.
    if world.order.owner == Party.agent(index), world.order.isCurrent == agent.isCurrent {
      world.order.deadline = max(world.order.deadline, trust)
    }
    // Nothing asks how long the lock of a kept step that has been started may be relied on.
    if isKept, agent.knows == Agent.Knowledge.started { return }
    guard trust > agent.trust else { return }
    world[agent: index].trust = trust
    let isOwn = world.row.isAdopted == false || rules.keep(.adopterMovesGuard)
    if world.step.owner == Party.agent(index), world.step.isCurrent == agent.isCurrent, !isKept, isOwn {
      world.step.guarded = max(world.step.guarded, trust)
    }
  }

  /// The run is cancelled: what runs is stopped, which the keeper writes down as its end; what does not is not started.
  private func stop(_ world: inout World, _ index: Int, _ agent: Agent) {
    trust(&world, index, agent)
    world[agent: index].mayStart = false
    guard world.step.owner == Party.agent(index) else { return }
    if world.step.isCurrent { world.noteEnd(on: host(of: index)) }
    world.step = StepProcess()
  }

  private func lose(_ world: inout World, _ index: Int, _ agent: Agent) -> Breach {
    world[agent: index].forget()
    // It is its own keeper that it tells, whoever may have adopted the step since.
    let isOwn = world.step.owner == Party.agent(index)
    let isAdopted = agent.isCurrent && world.step.isCurrent && isHere(world.step.owner, index)
    guard isOwn || isAdopted, rules.keep(.losingStops) else { return .none }
    let isLawful =
      world.step.isCurrent && world.row.status == TaskRow.Status.running && (agent.hasFence || !isOwn)
    world.step = StepProcess()
    return isLawful ? .lawfulStepStopped : .none
  }

  /// The agent holds a task that it does not know: an answer was lost. It takes it again under the next fence, so that
  /// whatever it may still hear of the former taking is of no use.
  private func takeAnew(_ world: inout World, _ index: Int, _ agent: Agent) {
    guard rules.keep(.unknownIsTakenAnew) else { return }
    adopt(&world, index)
    let mayStart = !world.row.isAdopted || !rules.keep(.evidenceBeforeStart)
    if agent.taking.isThere {
      // Only a variant comes here: the answer to the first taking is still to come.
      let taking = Taking(isThere: true, hasFence: true, isCurrent: true, mayStart: mayStart, age: 0)
      world[agent: index] = knowing(world[agent: index], taking)
    } else {
      answer(&world, index, mayStart: mayStart)
    }
  }

  // MARK: The host

  /// Whether there is any trace on the host of the attempt that the agent holds: a process, an announced start, an end.
  func hasTrace(_ world: World, _ index: Int, _ agent: Agent) -> Bool {
    if world.order.owner == Party.agent(index) { return true }
    if agent.isCurrent {
      if isHere(world.step.owner, index), world.step.isCurrent { return true }
      if isHere(world.order.owner, index), world.order.isCurrent, isAnnounced(world.order) { return true }
      // Reading the journal is what an adopter must not forget.
      return world.hasEnd(on: host(of: index))
        && (rules.keep(.endsAreRead) || agent.knows == Agent.Knowledge.started)
    }
    return world.step.owner == Party.agent(index)
  }

  private func isAnnounced(_ order: StartOrder) -> Bool { order.isBegun && rules.keep(.announceThenCheck) }

  /// Whether an agent that has started the step may say that it has ended. Of an attempt that is over nothing is kept
  /// here but that it does not run: a late agent may say anything.
  func hasEnded(_ world: World, _ index: Int, _ agent: Agent) -> Bool {
    if agent.isCurrent { return world.hasEnd(on: host(of: index)) }
    return world.step.owner != Party.agent(index) && world.order.owner != Party.agent(index)
  }

  /// An agent that has taken the task goes on with what it finds, or orders a start.
  private mutating func lookAndStart(_ world: World, _ index: Int, _ agent: Agent) {
    let isHere = isHere(world.step.owner, index)
    var next = world
    next[agent: index].knows = Agent.Knowledge.started
    next[agent: index].mayStart = false
    if isKept { next[agent: index].trust = 0 }
    if rules.keep(.evidenceBeforeStart), agent.isCurrent {
      if isHere, world.step.isCurrent {
        next.step.owner = Party.agent(index)
        if !isKept, rules.keep(.adopterMovesGuard) {
          next.step.guarded = max(world.step.guarded, agent.trust)
        }
        return emit(next, .follow, index)
      }
      if world.hasEnd(on: host(of: index)), agent.mayStart || rules.keep(.endsAreRead) {
        return emit(next, .findEnd, index)
      }
      // A keeper that has announced the start says soon what became of it.
      if self.isHere(world.order.owner, index), world.order.isCurrent, isAnnounced(world.order) { return }
    }
    guard agent.mayStart, agent.trust > 0, world.order.owner == Party.nobody else { return }
    if isHere, !world.step.isCurrent, rules.keep(.leftoversEndFirst) { next.step = StepProcess() }
    next.order = StartOrder(
      owner: Party.agent(index), isCurrent: agent.isCurrent, deadline: agent.trust, isBegun: false)
    emit(next, .orderStart, index)
  }
}
