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
    Self.learn(try ledger.triggered(names.events, in: sequences), names.events, sequences, into: &events)
    Self.learn(try ledger.tasks(names.steps, in: sequences), names.steps, sequences, into: &tasks)
  }

  /// Notes what the ledger said, also of what it does not have; what this transition knows better stays.
  static func learn<Fact>(
    _ found: [Sequence: [String: Fact]], _ names: [String], _ sequences: [Sequence],
    into known: inout [Key: Fact?]
  ) {
    for sequence in sequences {
      let facts = found[sequence] ?? [:]
      for name in names {
        let key = Key(name: name, sequence: sequence)
        if known[key] == nil { known[key] = .some(facts[name]) }
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
