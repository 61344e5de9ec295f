public import Model

/// What opening many iterations will ask the ledger, asked at once: one by one each would cost a round trip or more.
extension Transition {
  /// Learns which of the events and tasks that the start of an iteration of `loop` leads to are there already, for
  /// iterations `first` and the `count - 1` after it.
  mutating func foresee(iterations count: Int, from first: Int, of loop: LoopState, _ planned: Plan.Loop)
    throws
  {
    var count = count
    if passingHost != nil {
      // What an iteration starts may be passed at once, and the next one opened: one after the other, they are many too.
      guard first > foreseenTo[loop.number, default: 0] else { return }
      count = max(count, min(64, loop.total - first + 1, iterationAllowance))
      foreseenTo[loop.number] = first + count - 1
    }
    guard count > 1 else { return }
    let sequences = (first..<first + count).map { loop.sequence.iteration($0) }
    let names = plan.namesAtStart(of: planned, pastEmptySteps: passingHost != nil)
    Self.learn(try ledger.triggered(names.events, in: sequences), names.events, sequences, into: &events)
    Self.learn(try ledger.tasks(names.steps, in: sequences), names.steps, sequences, into: &tasks)
  }

  /// Learns what was read ahead of the events and tasks that `foreseen` names: what is not among them is not there.
  public mutating func learn(
    _ foreseen: Foresight, events found: [Sequence: [String: EventFact]],
    tasks foundTasks: [Sequence: [String: TaskFact]]
  ) {
    Self.learn(found, foreseen.events, foreseen.sequences, into: &events)
    Self.learn(foundTasks, foreseen.steps, foreseen.sequences, into: &tasks)
  }

  /// Learns of iterations and loops that were read ahead.
  public mutating func learn(iterations found: [IterationState], loops foundLoops: [LoopState]) {
    for iteration in found where iterations[iteration.number] == nil {
      iterations[iteration.number] = iteration
    }
    for loop in foundLoops where loops[loop.number] == nil { loops[loop.number] = loop }
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

/// What a transition will ask the ledger for.
public struct Foresight: Sendable, Hashable {
  /// Names of events.
  public let events: [String]
  /// Names of steps.
  public let steps: [String]
  /// In which sequences.
  public let sequences: [Sequence]

  /// What the ends of tasks of a run will lead to, as far as that is little: of more the ledger is asked when it is needed.
  public init?(_ ends: [TaskEnd], in plan: Plan) {
    var targets: [Plan.Target] = []
    var steps: Set<String> = []
    var sequences: Set<Sequence> = []
    for end in ends {
      guard let task = end.task, let step = plan.steps[task.step] else { return nil }
      sequences.insert(task.sequence)
      guard steps.insert(task.step).inserted else { continue }
      guard steps.count <= 8 else { return nil }
      let named = [
        step.triggers.success, step.triggers.failure, step.triggers.complete, step.triggers.skipped,
      ]
      targets += (named.flatMap(\.self) + [step.successMarker].compactMap(\.self)).map { .event($0) }
    }
    let names = plan.names(ledTo: targets, limit: Plan.namesForeseen)
    guard names.events.count + names.steps.count < Plan.namesForeseen, !names.events.isEmpty,
      (names.events.count + names.steps.count) * sequences.count <= 256
    else { return nil }
    // A small condition is read whole.
    let operands = names.events.compactMap { plan.expressions[$0]?.operands }.filter { $0.count <= 8 }
    events = Set(names.events + operands.flatMap(\.self)).sorted()
    self.steps = names.steps
    self.sequences = sequences.sorted { $0.text < $1.text }
  }
}

extension Plan {
  /// More names than this are asked for when they are needed: most of a large body starts later, if at all.
  fileprivate static let namesForeseen = 16

  /// The events and steps that the start of an iteration leads to before any step of it has ended.
  fileprivate func namesAtStart(of loop: Loop, pastEmptySteps: Bool) -> (events: [String], steps: [String]) {
    names(ledTo: loop.body, pastEmptySteps: pastEmptySteps, limit: Self.namesForeseen)
  }

  /// The events and steps that lead on from `targets` before anything else has ended: at least `limit`, if there are
  /// more.
  ///
  /// - Parameter pastEmptySteps: Whether steps without an action are taken to have succeeded.
  func names(ledTo targets: [Target], pastEmptySteps: Bool = false, limit: Int) -> (
    events: [String], steps: [String]
  ) {
    var (events, steps): (Set<String>, Set<String>) = ([], [])
    var targets = targets
    while let target = targets.popLast(), events.count + steps.count < limit {
      switch target {
      case .loop: break
      case .step(let name):
        guard steps.insert(name).inserted, pastEmptySteps, let step = self.steps[name], step.isEmpty else {
          continue
        }
        targets += (step.triggers.success + step.triggers.complete).prefix(limit).map { .event($0) }
        if let marker = step.successMarker { targets.append(.event(marker)) }
      case .event(let event):
        guard events.insert(event).inserted else { continue }
        targets += (launches[event] ?? []).prefix(limit).map(\.target)
        targets += (dependents[event] ?? []).prefix(limit).map { .event($0) }
      }
    }
    return (events.sorted(), steps.sorted())
  }
}
