/// How an end is recorded, and what becomes of one that comes late or twice.
extension Expansion {
  mutating func end(_ world: World, _ index: Int, _ agent: Agent) {
    guard agent.knows == Agent.Knowledge.started, hasEnded(world, index, agent) else { return }
    record(world, from: Party.agent(index), agent.hasFence, agent.isCurrent, index)
    if setting.lateRequests, world.late.kind == LateRequest.Kind.none {
      var next = world
      next.late = LateRequest(
        kind: LateRequest.Kind.end, sender: Party.agent(index), hasFence: agent.hasFence,
        isCurrent: agent.isCurrent)
      emit(next, .endSentLate, index, .fault)
    }
  }

  /// Whether the store takes an end.
  func isAccepted(_ world: World, from sender: UInt8, _ hasFence: Bool) -> Bool {
    if rules.keep(.endNeedsRunning), world.row.status != TaskRow.Status.running { return false }
    guard rules.keep(.endCarriesFence) else { return true }
    if world.row.status == TaskRow.Status.running, world.row.holder != sender { return false }
    return hasFence
  }

  func breach(ofEnd world: World, _ isCurrent: Bool) -> Breach {
    if world.row.status == TaskRow.Status.ended { return .secondEnd }
    guard isCurrent, world.row.status == TaskRow.Status.running else { return .lateEnd }
    return world.step.owner != Party.nobody && world.step.isCurrent ? .endOfRunning : .none
  }

  private mutating func record(
    _ world: World, from sender: UInt8, _ hasFence: Bool, _ isCurrent: Bool, _ index: Int
  ) {
    var next = world
    guard isAccepted(world, from: sender, hasFence) else {
      next[agent: index].forget()
      return emit(next, .endRefused, index)
    }
    let breach = breach(ofEnd: world, isCurrent)
    finish(&next)
    answerEnd(next, .end, .endUnheard, index, breach)
    guard world.row.retriesLeft > 0, !world.row.isCancelled else { return }
    next = world
    retry(&next)
    answerEnd(next, .endForRetry, .endForRetryUnheard, index, breach)
    guard isFree(next, for: host(of: index)) else { return }
    take(&next, for: sender, raising: rules.keep(.takingRaisesFence))
    if setting.lostAnswers { emit(next, .endAndClaimUnheard, index, .fault, breach: breach) }
    next[agent: index].forget()
    answer(&next, index, mayStart: true)
    emit(next, .endAndClaim, index, breach: breach)
  }

  private mutating func answerEnd(
    _ world: World, _ kind: Move.Kind, _ unheard: Move.Kind, _ index: Int, _ breach: Breach
  ) {
    var next = world
    if setting.lostAnswers { emit(next, unheard, index, .fault, breach: breach) }
    next[agent: index].forget()
    emit(next, kind, index, breach: breach)
  }

  func finish(_ world: inout World) {
    release(&world)
    world.row.status = TaskRow.Status.ended
  }

  func retry(_ world: inout World) {
    release(&world)
    closeAttempt(&world)
    world.row.status = TaskRow.Status.ready
    world.row.retriesLeft -= 1
  }
}
