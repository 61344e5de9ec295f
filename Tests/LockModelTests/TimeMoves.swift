/// Time passes for everybody at the same rate.
extension Expansion {
  /// All clocks go at the same rate. A guard that is due has its turn before.
  mutating func expandTime(_ world: World) {
    let isGuarded = world.step.owner != Party.nobody && !isKept
    if isGuarded, world.step.guarded == 0, isPunctual { return }
    var next = world
    if next.row.lock > 0 { next.row.lock -= 1 }
    if next.step.guarded > 0 { next.step.guarded -= 1 }
    if next.order.deadline > 0 { next.order.deadline -= 1 }
    if next.late.kind == LateRequest.Kind.expiry, rules.keep(.graceInTransaction) {
      next.late = LateRequest()
    }
    for index in 0..<agents where world[agent: index].isAlive {
      var agent = world[agent: index]
      if isWaiting(agent), !setting.slowAnswers { return }
      age(&agent)
      next[agent: index] = agent
    }
    let isHealthy = isHealthy(world)
    guard countsTouch else {
      if next != world { emit(next, .tick, 0, isHealthy ? .progress : .fault) }
      return
    }
    next.store.thereFor = world.store.wasThere ? min(world.store.thereFor + 1, setting.lockFor) : 0
    next.store.wasThere = !world.store.isAway
    // Any of the agents may have heard from the store in this tick, if that was there.
    let all = 1 << agents
    for heard in 0..<(world.store.wasThere ? all : 1) {
      for index in 0..<agents where world[agent: index].isAlive {
        let touch = world[agent: index].touch
        next[agent: index].touch = heard & (1 << index) != 0 ? min(touch + 1, setting.lockFor) : 0
      }
      if next != world { emit(next, .tick, heard, isHealthy && heard == all - 1 ? .progress : .fault) }
    }
  }

  private var isPunctual: Bool {
    if setting.broken == .keeperIsPrompt { return false }
    // In the variant the agent is to end the step, and may be stopped, or dead.
    return rules.keep(.keeperGuards)
  }

  private func isWaiting(_ agent: Agent) -> Bool {
    agent.taking.isThere || agent.renewal != Agent.Renewal.none
  }

  private func age(_ agent: inout Agent) {
    if agent.trust > 0 { agent.trust -= 1 }
    if agent.taking.isThere { agent.taking.age = min(agent.taking.age + 1, setting.lockFor) }
    if agent.renewal != Agent.Renewal.none { agent.renewalAge = min(agent.renewalAge + 1, setting.lockFor) }
    agent.isNew = false
  }

  /// Whether nothing is broken in this tick: all that was asked has been answered, and every living agent has renewed
  /// what it holds, and knows of it what the store knows.
  private func isHealthy(_ world: World) -> Bool {
    if world.store.isAway || world.order.owner != Party.nobody { return false }
    let isRunning = world.row.status == TaskRow.Status.running
    for index in 0..<agents where world[agent: index].isAlive {
      let agent = world[agent: index]
      if isWaiting(agent) { return false }
      let holds = isRunning && world.row.holder == Party.agent(index)
      if holds, world.row.lock != setting.lockFor + 1 { return false }
      if agent.knows != Agent.Knowledge.none, !holds || !agent.hasFence { return false }
    }
    return true
  }
}
