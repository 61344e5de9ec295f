/// Keepers, their guards, and the step itself.
extension Expansion {
  mutating func expandKeeper(_ world: World) {
    if world.order.owner != Party.nobody { obey(world) }
    guard world.step.owner != Party.nobody else { return }
    var next = world
    next.step = StepProcess()
    if !isKept, world.step.guarded == 0 {
      emit(next, .guardEnds, breach: breach(ofGuard: world))
    }
    if world.step.isCurrent { next.noteEnd(on: host(ofParty: world.step.owner)) }
    emit(next, .stepEnds, 0, .ownEnd)
  }

  /// A start is announced, then its agent is looked for, then the step is started: whoever finds the agent dead and no
  /// announcement knows that there will be no start.
  private mutating func obey(_ world: World) {
    let order = world.order
    let isRefused = rules.keep(.keeperRefusesForTheDead) && Party.isDead(order.owner)
    var refused = world
    refused.order = StartOrder()
    guard order.isBegun else {
      if isRefused, !rules.keep(.announceThenCheck) { return emit(refused, .keeperRefuses) }
      var next = world
      next.order.isBegun = true
      return emit(next, .keeperBegins)
    }
    if isRefused && rules.keep(.announceThenCheck) || (order.deadline == 0 && rules.keep(.startHasDeadline)) {
      return emit(refused, .keeperRefuses)
    }
    var next = refused
    var breach = Breach.none
    if world.step.owner != Party.nobody {
      breach = .twoProcesses
    } else if !order.isCurrent || world.row.status != TaskRow.Status.running {
      breach = .startAfterTheEnd
    }
    next.step = StepProcess(
      owner: order.owner, isCurrent: order.isCurrent, guarded: isKept ? 0 : order.deadline)
    emit(next, .keeperStarts, breach: breach)
  }

  private func breach(ofGuard world: World) -> Breach {
    let owner = world.step.owner
    guard !Party.isDead(owner) else { return .none }
    let agent = world[agent: Int(owner) - 1]
    return agent.knows == Agent.Knowledge.started && agent.isCurrent && agent.trust > 0
      ? .needlessGuard : .none
  }
}
