/// Names that must be those of something in the program.
extension Validation {
  mutating func checkReferences() {
    for event in program.events {
      for operand in event.when?.operands ?? [] { expectEvent(operand, at: "events.\(event.name).when") }
    }
    for step in program.steps {
      let path = "steps.\(step.name)"
      checkStart(on: step.on, after: step.after, at: path)
      check(step.triggers, at: path + ".triggers")
      if let group = step.group { expect(group, "group", in: groups, at: path + ".group") }
      checkDemands(of: step, at: path)
    }
    for loop in program.loops {
      let path = "loops.\(loop.name)"
      checkStart(on: loop.on, after: loop.after, at: path)
      check(loop.triggers, at: path + ".triggers")
      check(events: loop.start, at: path + ".start")
      check(events: loop.until, at: path + ".until")
    }
    let known = events.union(steps).union(loops)
    for (position, association) in program.associations.enumerated() {
      let path = "associations[\(position)]"
      expectEvent(association.event, at: path + ".event")
      if association.targets.isEmpty { error(path + ".to", "the association starts nothing") }
      if association.delay < .zero { error(path + ".delay", "'delay' can't be negative") }
      for (index, target) in association.targets.enumerated() {
        expect(target, "event, step or loop", in: known, at: path + ".to[\(index)]")
      }
    }
    checkStarts()
  }

  private mutating func checkStarts() {
    var seen: Set<Program.Start> = []
    for (position, start) in (program.start ?? []).enumerated() {
      let path = "start[\(position)]"
      expectEvent(start.event, at: path + ".event")
      if !Sequence.isValidFromOutside(start.sequence.text) {
        error(
          path + ".sequence",
          "'\(start.sequence)' is not a valid sequence; use 1 to 64 of A-Z a-z 0-9 _ . : -")
      }
      if !seen.insert(start).inserted {
        warn(path, "'\(start.event)' is started twice in sequence '\(start.sequence)'; once is enough")
      }
    }
  }

  private mutating func checkStart(on: [String], after: [String], at path: String) {
    check(events: on, at: path + ".on")
    for (position, name) in after.enumerated() where !steps.contains(name) && !loops.contains(name) {
      let path = path + ".after[\(position)]"
      if events.contains(name) {
        error(path, "'\(name)' is an event; 'after' names steps and loops, 'on' names events")
      } else {
        expect(name, "step or loop", in: steps.union(loops), at: path)
      }
    }
  }

  private mutating func check(_ triggers: Program.Triggers, at path: String) {
    check(events: triggers.success, at: path + ".success")
    check(events: triggers.failure, at: path + ".failure")
    check(events: triggers.complete, at: path + ".complete")
    check(events: triggers.skipped, at: path + ".skipped")
  }

  private mutating func check(events names: [String], at path: String) {
    for (position, name) in names.enumerated() { expectEvent(name, at: path + "[\(position)]") }
  }

  mutating func expectEvent(_ name: String, at path: String) {
    guard !events.contains(name) else { return }
    if steps.contains(name) || loops.contains(name) {
      let kind = steps.contains(name) ? "step" : "loop"
      error(path, "'\(name)' is a \(kind), not an event; 'after' waits for steps and loops")
    } else {
      expect(name, "event", in: events, at: path)
    }
  }

  private mutating func checkDemands(of step: Program.Step, at path: String) {
    guard !step.acquires.isEmpty || step.releases != nil else { return }
    let known = Set(resources.keys)
    for (name, amount) in step.acquires.sorted(by: { $0.key < $1.key }) {
      let path = "\(path).acquires.\(name)"
      expect(name, "resource", in: known, at: path)
      if amount < 1 {
        error(path, "at least 1 of '\(name)' must be acquired, not \(amount)")
      } else if let capacity = resources[name]?.capacity, capacity >= 1, amount > capacity {
        error(
          path,
          "the step could never start: it acquires \(amount) of '\(name)', of which there are \(capacity)")
      }
    }
    for (name, amount) in (step.releases ?? [:]).sorted(by: { $0.key < $1.key }) {
      let path = "\(path).releases.\(name)"
      expect(name, "resource", in: known, at: path)
      if amount < 0 { error(path, "'\(name)' can't be negative") }
    }
  }
}
