import Engine
import Logging

/// What an agent does beside its runs: looks, and what somebody has to do for everybody. One of a kind at a time.
extension HostAgentLoop {
  /// Whether nothing is in the way of a look.
  var mayLook: Bool {
    !chores.contains(.look) && queues.count >= 0 && desks.values.count(where: \.isInFlight) < 8
  }

  mutating func startChores(_ group: inout Group) {
    let now = ContinuousClock.now
    if mayLook, now >= nextLook {
      lookEnd = now + .seconds(5)
      nextLook = lookEnd
      let room = readyList.isQuick(at: now) ? agent.capacity.total : agent.capacity.free
      let limit = isTaking ? ReadyList.limit(free: room, isPassing: isPassing) : 0
      lookMayMiss = false
      askedBesideLook = desks.filter { $0.value.isInFlight && $0.value.asked > 0 }.mapValues(\.asked)
      if now >= nextWideLook {
        nextWideLook = now + .seconds(60)
        horizon = LookHorizon()
      }
      start(.look, &group) { [queues, horizon] agent in
        agent.mailbox.post(
          .looked(
            try await agent.touch.reach { _ in
              try await agent.store.look(agent: agent.agent, queues: queues, limit: limit, horizon: horizon)
            }, at: queues))
      }
    }
    if now >= nextOrphans {
      nextOrphans = now + .microseconds(options.lockFor.microseconds)
      wantedChores.insert(.orphans)
    }
    if options.retention != nil, now >= nextRetention {
      nextRetention = now + .seconds(600)
      wantedChores.insert(.retention)
    }
    if !followed.isEmpty, now >= nextPublishing {
      nextPublishing = now + .milliseconds(500)
      publish(&group)
    }
    for chore in wantedChores where !chores.contains(chore) {
      wantedChores.remove(chore)
      if chore == .orphans {
        let known = desks.mapValues { Set($0.held.keys).union($0.departing).union($0.ends.map(\.number)) }
        let isFirst = !hasSwept
        hasSwept = true
        start(chore, &group) { agent in
          try await agent.adoptOrphans(known: known)
          try await agent.sweep(always: isFirst)
        }
      } else {
        start(chore, &group) { agent in try await agent.perform(chore) }
      }
    }
  }

  private mutating func start(
    _ chore: HostAgent.Chore, _ group: inout Group,
    _ body: @escaping @Sendable (HostAgent) async throws -> Void
  ) {
    guard chores.insert(chore).inserted else { return }
    group.addTask { [agent] in
      try await agent.unlessCancelled {
        do {
          try await body(agent)
        } catch let error where !(error is CancellationError) {
          agent.log.error("\(chore) failed", metadata: ["error": "\("\(error)".firstLine)"])
          try await Task.sleep(for: .seconds(1))
        }
        agent.mailbox.post(.chore(chore))
      }
    }
  }

  private mutating func publish(_ group: inout Group) {
    var outputs: [(run: String, claim: Claim)] = []
    for run in followed {
      guard let desk = desks[run], let context = desk.context else { continue }
      for held in desk.held.values {
        // What is under way can't be masked: half of a secret may be written. It is shown when the step has ended.
        let step = context.plan.steps[held.claim.task.step]?.definition
        if step.map({ StepSecrets.isGiven(to: $0, in: context) }) == true { continue }
        outputs.append((run, held.claim))
      }
    }
    guard !outputs.isEmpty else { return }
    start(.publishing, &group) { [outputs] agent in try await agent.publish(outputs) }
  }
}
