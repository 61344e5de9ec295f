/// The transactions of a living agent while the store is there. Each is carried out when it is sent; where the answer
/// matters it is then on its way, and may be late or lost.
extension Expansion {
  mutating func expandStore(_ world: World, _ index: Int, _ agent: Agent) {
    claim(world, index, agent)
    renew(world, index, agent)
    adopt(world, index, agent)
    giveUp(world, index, agent)
    end(world, index, agent)
    expire(world, index, agent)
    clearUp(world, index, agent)
  }

  // MARK: Claim

  private func mayClaim(_ world: World, _ index: Int, _ agent: Agent) -> Bool {
    // One that has not heard yet that it lost an earlier attempt may well come to claim this one.
    guard agent.knows == Agent.Knowledge.none || !agent.isCurrent, !agent.taking.isThere else { return false }
    return isFree(world, for: host(of: index))
      || (!rules.keep(.claimNeedsReady) && world.row.status == TaskRow.Status.running)
  }

  func isFree(_ world: World, for host: UInt8) -> Bool {
    guard world.row.status == TaskRow.Status.ready else { return false }
    if setting.placement == .pinned && host != 0 { return false }
    return world.row.unresolved == 0 || world.row.unresolved == host + 1
      || !rules.keep(.unresolvedStaysOnHost)
  }

  private mutating func claim(_ world: World, _ index: Int, _ agent: Agent) {
    guard mayClaim(world, index, agent) else { return }
    var next = world
    let breach: Breach = world.row.status == TaskRow.Status.running ? .takenWhileHeld : .none
    take(&next, for: Party.agent(index), raising: rules.keep(.takingRaisesFence))
    answer(&next, index, mayStart: true)
    emit(next, .claim, index, breach: breach)
    if setting.lateRequests, world.late.kind == LateRequest.Kind.none {
      next = world
      next.late = LateRequest(
        kind: LateRequest.Kind.claim, sender: Party.agent(index), hasFence: false, isCurrent: false)
      emit(next, .claimSentLate, index, .fault)
    }
  }

  /// A ready task gets a holder, the next fence and a lock.
  func take(_ world: inout World, for holder: UInt8, raising: Bool) {
    world.row.status = TaskRow.Status.running
    world.row.holder = holder
    world.row.isAdopted = false
    world.row.lock = setting.lockFor + 1
    if raising { raiseFence(&world) }
  }

  /// The answer to a taking sets out.
  func answer(_ world: inout World, _ index: Int, mayStart: Bool) {
    world[agent: index].taking = Taking(
      isThere: true, hasFence: true, isCurrent: true, mayStart: mayStart, age: 0)
  }

  // MARK: Renew

  /// What an agent's renewal says to it is decided here, by what it knows now: should it come to know more before
  /// the answer is there, the answer is dropped. What says nothing of the task is not sent at all.
  private mutating func renew(_ world: World, _ index: Int, _ agent: Agent) {
    guard agent.renewal == Agent.Renewal.none else { return }
    var next = world
    var renewal = Agent.Renewal.none
    let holds = world.row.status == TaskRow.Status.running && world.row.holder == Party.agent(index)
    if holds { next.row.lock = setting.lockFor + 1 }
    if agent.knows != Agent.Knowledge.none {
      if (holds && agent.hasFence) || !rules.keep(.renewalComparesFence) {
        renewal = world.row.isCancelled ? Agent.Renewal.stopped : Agent.Renewal.held
      } else {
        renewal = Agent.Renewal.lost
      }
    } else if holds {
      renewal =
        agent.taking.isThere && rules.keep(.takingUnderWayIsNotUnknown)
        ? Agent.Renewal.none : Agent.Renewal.unknown
    } else if !rules.keep(.olderRenewalIsIgnored) {
      renewal = Agent.Renewal.lost
    }
    next[agent: index].renewal = renewal
    if next != world { emit(next, .renew, index) }
  }

  // MARK: Adopt

  private mutating func adopt(_ world: World, _ index: Int, _ agent: Agent) {
    guard world.row.status == TaskRow.Status.running, agent.knows == Agent.Knowledge.none,
      !agent.taking.isThere, mayAdopt(world, index, agent)
    else { return }
    var next = world
    adopt(&next, index)
    next.row.isAdopted = true
    answer(&next, index, mayStart: false)
    emit(next, .adopt, index)
  }

  private func mayAdopt(_ world: World, _ index: Int, _ agent: Agent) -> Bool {
    let holder = world.row.holder
    if Party.isDead(holder) {
      // The variant looks for the dead only when it has just been started.
      return isHere(holder, index) && (rules.keep(.deadAreLookedForAgain) || agent.isNew)
    }
    return !rules.keep(.onlyFromTheDead) && holder != Party.agent(index) && isHere(holder, index)
  }

  /// The same attempt under the next fence.
  func adopt(_ world: inout World, _ index: Int) {
    raiseFence(&world)
    world.row.holder = Party.agent(index)
    world.row.lock = setting.lockFor + 1
  }

  // MARK: Clearing up

  /// What nobody asks for any more is ended by whoever is on its host, and then the store is told.
  private mutating func clearUp(_ world: World, _ index: Int, _ agent: Agent) {
    let isOver = !world.step.isCurrent || world.row.status != TaskRow.Status.running
    let isHere = isHere(world.step.owner, index)
    if isHere, isOver, Party.isDead(world.step.owner), rules.keep(.leftoversAreSwept) {
      var next = world
      next.step = StepProcess()
      emit(next, .sweep, index)
    }
    if world.row.unresolved == host(of: index) + 1, !(isHere && isOver) {
      var next = world
      next.row.unresolved = 0
      emit(next, .resolve, index)
    }
  }
}
