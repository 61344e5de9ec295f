/// How an attempt is declared lost: by its holder, who finds no trace of it, or by anybody, after its lock has expired.
extension Expansion {
  /// An agent that holds the task finds neither process nor end of it.
  mutating func giveUp(_ world: World, _ index: Int, _ agent: Agent) {
    guard agent.knows != Agent.Knowledge.none, !agent.mayStart, !hasTrace(world, index, agent) else { return }
    var next = world
    var breach = Breach.none
    if agent.hasFence, world.row.status == TaskRow.Status.running, world.row.holder == Party.agent(index) {
      breach = world.hasEnd(on: host(of: index)) ? .endForgotten : lose(&next)
    }
    if setting.lostAnswers, agent.hasFence { emit(next, .giveUpUnheard, index, .fault, breach: breach) }
    next[agent: index].forget()
    emit(next, .giveUp, index, breach: breach)
  }

  /// The attempt is archived as superseded: the task follows `on_lost`.
  func lose(_ world: inout World) -> Breach {
    raiseFence(&world)
    closeAttempt(&world)
    release(&world)
    if world.row.isCancelled || setting.onLost == .fail {
      world.row.status = TaskRow.Status.ended
      return .none
    }
    if world.row.losses >= setting.maxLost, rules.keep(.lossesAreCounted) {
      world.row.status = TaskRow.Status.ended
      return .none
    }
    world.row.status = TaskRow.Status.ready
    world.row.losses = min(world.row.losses + 1, 3)
    return world.row.losses > setting.maxLost ? .lostTooOften : .none
  }

  func release(_ world: inout World) {
    world.row.holder = Party.nobody
    world.row.isAdopted = false
    world.row.lock = 0
  }

  mutating func expire(_ world: World, _ index: Int, _ agent: Agent) {
    guard looksExpired(world), isInTouch(agent) else { return }
    var next = world
    let breach = expire(&next)
    emit(next, .expire, index, breach: breach)
    if setting.lateRequests, world.late.kind == LateRequest.Kind.none {
      next = world
      next.late = LateRequest(
        kind: LateRequest.Kind.expiry, sender: Party.agent(index), hasFence: true, isCurrent: true)
      emit(next, .expirySentLate, index, .fault)
    }
  }

  private func isInTouch(_ agent: Agent) -> Bool {
    !countsTouch || agent.touch >= setting.lockFor || !rules.keep(.outageGrace)
  }

  private func looksExpired(_ world: World) -> Bool {
    guard world.row.status == TaskRow.Status.running else { return false }
    let limit = rules.keep(.databaseClockDecides) ? 0 : Setting.offset
    guard world.row.lock <= limit else { return false }
    return !isKept || setting.onLost == .fail || world.row.isCancelled || !rules.keep(.keptIsNotExpired)
  }

  func expire(_ world: inout World) -> Breach {
    let (wasLive, wasThereFor) = (world.row.lock > 0, world.store.thereFor)
    let holder = world.row.holder
    let breach = lose(&world)
    if isKept, world.row.status == TaskRow.Status.ended { world.row.unresolved = host(ofParty: holder) + 1 }
    // With a clock of its own an agent does not even know: what comes of it is what counts.
    if wasLive, rules.keep(.databaseClockDecides) { return .liveLockExpired }
    return countsTouch && wasThereFor < setting.lockFor ? .absenceExpired : breach
  }
}
