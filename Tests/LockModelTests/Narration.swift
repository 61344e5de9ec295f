/// A world as a line to read.
extension World {
  func description(_ setting: Setting) -> String {
    var parts = [rowText]
    if step.owner != Party.nobody {
      let guardText = setting.cutOff == .stop ? ", guard in \(step.guarded)" : ""
      parts.append("step runs\(attempt(step.isCurrent)), of \(name(step.owner))\(guardText)")
    }
    if order.owner != Party.nobody {
      let begun = order.isBegun ? "begun" : "queued"
      parts.append(
        "start \(begun)\(attempt(order.isCurrent)) by \(name(order.owner)), good for \(order.deadline)")
    }
    if hasEnd0 { parts.append("end in journal of s1") }
    if hasEnd1 { parts.append("end in journal of s2") }
    for index in 0..<setting.hosts.count { parts.append(text(of: index)) }
    if late.kind != LateRequest.Kind.none {
      let kind = ["", "claim", "end", "expiry"][Int(late.kind)]
      parts.append("late \(kind) of \(name(late.sender))")
    }
    if store.isAway { parts.append("store away") }
    return parts.joined(separator: "; ")
  }

  private var rowText: String {
    var text = ["ready", "running", "ended"][Int(row.status)]
    if row.holder != Party.nobody {
      text += " for \(name(row.holder)), " + (row.lock == 0 ? "lock expired" : "lock \(row.lock - 1)")
    }
    if row.losses > 0 { text += ", lost \(row.losses)" }
    if row.isCancelled { text += ", cancelled" }
    if row.unresolved > 0 { text += ", unresolved on s\(row.unresolved)" }
    return text
  }

  private func text(of index: Int) -> String {
    let agent = self[agent: index]
    var text = name(Party.agent(index)) + ":"
    guard agent.isAlive else { return text + " dead" }
    if agent.knows == Agent.Knowledge.none { text += " holds nothing" }
    if agent.knows == Agent.Knowledge.taken { text += agent.mayStart ? " may start" : " must look" }
    if agent.knows == Agent.Knowledge.started { text += " started" }
    if agent.knows != Agent.Knowledge.none {
      text += (agent.hasFence ? "" : " (old fence)") + attempt(agent.isCurrent) + ", trust \(agent.trust)"
    }
    if agent.taking.isThere { text += ", taking \(agent.taking.age) old" }
    if agent.renewal != Agent.Renewal.none {
      let renewal = ["", "held", "lost", "unknown", "stopped"][Int(agent.renewal)]
      text += ", renewal says \(renewal), \(agent.renewalAge) old"
    }
    if agent.touch > 0 { text += ", touch \(agent.touch)" }
    return text
  }

  private func attempt(_ isCurrent: Bool) -> String { isCurrent ? "" : " (earlier attempt)" }

  private func name(_ party: UInt8) -> String {
    switch party {
    case 0: "nobody"
    case 1...3: ["A", "B", "C"][Int(party) - 1]
    default: "a dead agent of s\(party - 3)"
    }
  }
}
