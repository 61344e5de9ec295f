import Engine
import Logging
import Model

/// What a heartbeat tells an agent: which locks it still holds, and whether its host drains.
extension HostAgentLoop {
  mutating func felt(
    _ pulse: Pulse, _ asked: ContinuousClock.Instant, _ sinceBoot: Int64, _ group: inout Group
  ) {
    if pulse.isReplaced {
      isReplaced = true
      return
    }
    let tokens = Dictionary(pulse.held.map { ([$0.run, String($0.number)], $0.fence) }) { first, _ in first }
    var kept: [TaskKey] = []
    for (run, desk) in desks {
      var lost: [TaskKey] = []
      for (number, held) in desk.held where held.taken < asked {
        if tokens[[run, String(number)]] == held.claim.fence {
          kept.append(TaskKey(held.claim, in: run))
        } else if held.parting == nil {
          desks[run]?.held[number]?.parting = .takenOver
          lost.append(TaskKey(held.claim, in: run))
          log.error("lock lost: the step is stopped", metadata: metadata(held.claim, run))
        }
      }
      if !lost.isEmpty { agent.executor.stop(lost, because: "its lock was taken over") }
    }
    retakeUnknown(pulse, asked, &group)
    agent.executor.extend(kept, trustedUntil: sinceBoot + options.lockFor.microseconds)
    if hostDrain?.host != pulse.drain?.host || (hostDrain?.reason != pulse.drain?.reason) {
      if let drain = pulse.drain {
        log.notice("draining", metadata: ["reason": "\(drain.reason)", "by": "\(drain.by)"])
      } else if hostDrain != nil {
        log.notice("no longer draining")
        nextLook = .now
      }
    }
    hostDrain = pulse.drain
    if pulse.deadlineIn == 0 { giveBackAll("host \(options.host) is drained: its deadline is over") }
  }

  /// Tasks that the store says this agent holds and that it does not know of: it took them in a transaction whose answer
  /// never came, so they were never begun. They are taken anew, and begin now.
  private mutating func retakeUnknown(
    _ pulse: Pulse, _ asked: ContinuousClock.Instant, _ group: inout Group
  ) {
    if chores.contains(.orphans) || wantedChores.contains(.orphans) || adoptedAt >= asked { return }
    for (run, tasks) in Dictionary(grouping: pulse.held, by: \.run) {
      let desk = desks[run]
      // What was under way while the heartbeat was may have taken or ended them.
      if let desk, desk.isInFlight || desk.answered >= asked || !desk.ends.isEmpty { continue }
      let unknown = tasks.filter {
        $0.isOwn && desk?.held[$0.number] == nil && desk?.departing.contains($0.number) != true
      }
      if unknown.isEmpty { continue }
      log.notice(
        "taking anew what was held without being known",
        metadata: ["run": "\(run)", "tasks": "\(unknown.count)"])
      agent.capacity.occupy(unknown.count)
      retake(unknown, run, places: unknown.count, &group)
    }
  }

  private mutating func giveBackAll(_ reason: String) {
    for (run, desk) in desks {
      var keys: [TaskKey] = []
      for (number, held) in desk.held where held.parting == nil {
        desks[run]?.held[number]?.parting = .givenBack(reason)
        keys.append(TaskKey(held.claim, in: run))
      }
      if !keys.isEmpty { agent.executor.stop(keys, because: reason) }
    }
  }
}
