import Model

/// What opening many iterations will ask the ledger, asked at once: one by one each would cost a round trip or more.
extension Transition {
  /// Learns which of the events and tasks that the start of an iteration of `loop` leads to are there already, for
  /// iterations `first` and the `count - 1` after it.
  mutating func foresee(iterations count: Int, from first: Int, of loop: LoopState, _ planned: Plan.Loop)
    throws
  {
    guard count > 1 else { return }
    let sequences = (first..<first + count).map { loop.sequence.iteration($0) }
    let names = plan.namesAtStart(of: planned)
    if !names.events.isEmpty {
      let found = try ledger.triggered(names.events, in: sequences)
      for sequence in sequences {
        for event in names.events {
          let key = Key(name: event, sequence: sequence)
          if events[key] == nil { events[key] = .some(found[sequence]?[event]) }
        }
      }
    }
    if !names.steps.isEmpty {
      let found = try ledger.tasks(names.steps, in: sequences)
      for sequence in sequences {
        for step in names.steps {
          let key = Key(name: step, sequence: sequence)
          if tasks[key] == nil { tasks[key] = .some(found[sequence]?[step]) }
        }
      }
    }
  }
}

extension Plan {
  /// More names than this are asked for when they are needed: most of a large body starts later, if at all.
  private static let namesForeseen = 16

  /// The events and steps that the start of an iteration leads to before any step of it has ended.
  fileprivate func namesAtStart(of loop: Loop) -> (events: [String], steps: [String]) {
    var (events, steps): (Set<String>, Set<String>) = ([], [])
    var targets = loop.body
    while let target = targets.popLast(), events.count + steps.count < Self.namesForeseen {
      switch target {
      case .loop: break
      case .step(let step): steps.insert(step)
      case .event(let event):
        guard events.insert(event).inserted else { continue }
        targets += (launches[event] ?? []).map(\.target)
        targets += (dependents[event] ?? []).map { .event($0) }
      }
    }
    return (events.sorted(), steps.sorted())
  }
}
