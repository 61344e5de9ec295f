/// What goes wrong, what people do, and what the store does belatedly.
extension Expansion {
  mutating func expandFaults(_ world: World, _ index: Int, _ agent: Agent) {
    guard setting.kills || setting.reboots else { return }
    var next = world
    if !agent.isAlive {
      next[agent: index] = started
      return emit(next, .restart, index, .restart)
    }
    if setting.kills {
      kill(&next, index)
      emit(next, .kill, index, .fault)
    }
  }

  /// The agent is gone, its keeper and its step are not, and neither is what it has sent.
  private func kill(_ world: inout World, _ index: Int) {
    let (party, dead) = (Party.agent(index), Party.dead(on: host(of: index)))
    world[agent: index] = Agent()
    if world.row.holder == party { world.row.holder = dead }
    if world.step.owner == party { world.step.owner = dead }
    if world.order.owner == party { world.order.owner = dead }
    if world.late.sender == party { world.late.sender = dead }
  }

  private mutating func reboot(_ world: World, _ host: UInt8) {
    var next = world
    for index in 0..<agents where self.host(of: index) == host { kill(&next, index) }
    if next.step.owner == Party.dead(on: host) { next.step = StepProcess() }
    if next.order.owner == Party.dead(on: host) { next.order = StartOrder() }
    if next != world { emit(next, .reboot, Int(host), .fault) }
  }

  mutating func expandAccidents(_ world: World) {
    if setting.reboots {
      reboot(world, 0)
      reboot(world, 1)
    }
    if setting.outages {
      var next = world
      next.store.isAway.toggle()
      if world.store.isAway {
        next.store.wasThere = true
        emit(next, .storeReturns)
      } else {
        emit(next, .storeLeaves, 0, .fault)
      }
    }
    if world.store.isAway { return }
    var next = world
    if setting.cancels, !world.row.isCancelled, world.row.status != TaskRow.Status.ended {
      next.row.isCancelled = true
      if world.row.status == TaskRow.Status.ready { next.row.status = TaskRow.Status.ended }
      emit(next, .cancel, 0, .fault)
    }
    if world.row.status == TaskRow.Status.ended, world.row.rerunsLeft > 0 {
      // A row of its own in truth: nothing that is known of the former one is good for it.
      next = world
      raiseFence(&next)
      closeAttempt(&next)
      next.row.status = TaskRow.Status.ready
      next.row.rerunsLeft -= 1
      next.row.losses = 0
      next.row.isCancelled = false
      emit(next, .rerun, 0, .fault)
    }
    breakAssumption(world)
  }

  private mutating func breakAssumption(_ world: World) {
    var next = world
    switch setting.broken {
    case .databaseClockIsSteady:
      next.row.lock = 0
      if next != world { emit(next, .clockJumps, 0, .fault) }
    case .commitsLast:
      guard world.row.status == TaskRow.Status.running, !world.row.isAdopted else { return }
      release(&next)
      next.row.status = TaskRow.Status.ready
      emit(next, .commitForgotten, 0, .fault)
    case .keeperIsPrompt, nil: break
    }
  }

  // MARK: Late requests

  mutating func expandLate(_ world: World) {
    let late = world.late
    guard late.kind != LateRequest.Kind.none else { return }
    var next = world
    next.late = LateRequest()
    emit(next, .lateGone)
    guard !world.store.isAway else { return }
    var breach = Breach.none
    switch late.kind {
    case LateRequest.Kind.claim:
      guard isFree(world, for: host(ofParty: late.sender)) else { return }
      take(&next, for: late.sender, raising: rules.keep(.takingRaisesFence))
    case LateRequest.Kind.end:
      guard isAccepted(world, from: late.sender, late.hasFence) else { return }
      breach = self.breach(ofEnd: world, late.isCurrent)
      finish(&next)
    default:
      guard late.hasFence, world.row.status == TaskRow.Status.running else { return }
      if rules.keep(.expiryInTransaction), world.row.lock > 0 { return }
      breach = expire(&next)
    }
    emit(next, .lateCarriedOut, breach: breach)
  }
}
