public import Model

/// Plays a replay through without doing it, as if everything that runs succeeded: what `--plan` shows.
///
/// It is the same transition that the deed makes, over a ledger that keeps the new recovery in memory and asks the
/// store only about earlier ones.
public struct Rehearsal {
  private let plan: Plan
  private let request: ReplayRequest
  private let ledger: RehearsalLedger
  private var run: RunState
  private var planned: [PlannedTask] = []

  /// A rehearsal of `request` on `run`, which has the new recovery's number and replay already.
  public init(of request: ReplayRequest, on run: RunState, plan: Plan, earlier: any RunLedger) {
    self.plan = plan
    self.request = request
    self.run = run
    ledger = RehearsalLedger(earlier: earlier)
  }

  /// The tasks the replay would make, in order, with what it would do to each.
  public mutating func tasks(from beginning: Beginning) throws -> [PlannedTask] {
    try step { try $0.begin(beginning, actor: "plan") }
    while true {
      if let task = ledger.nextUnfinished() {
        try step { try $0.end(task, Outcome(.success), chance: 0) }
      } else if let delay = ledger.nextDelay() {
        try step { try $0.mature(delay) }
      } else if let loop = ledger.nextGrowing(plan) {
        try step { try $0.grow(loop) }
      } else {
        return planned
      }
    }
  }

  private mutating func step(_ happen: (inout Transition) throws -> Void) throws {
    var transition = Transition(of: run, plan: plan, ledger: ledger)
    try happen(&transition)
    let changes = try transition.finish()
    ledger.apply(changes)
    run = changes.run
    run.status = .running
    for task in changes.tasks { planned.append(try describe(task)) }
  }

  private func describe(_ task: Changes.NewTask) throws -> PlannedTask {
    func entry(_ action: PlannedTask.Action, _ reason: String) -> PlannedTask {
      PlannedTask(step: task.step, sequence: task.sequence, action: action, reason: reason)
    }
    switch task.form {
    case .marked(let mark): return entry(.mark, "marked as \(mark.status.rawValue) by \(mark.by)")
    case .repeated(let earlier):
      if request.kind == .rerun {
        return entry(.reuse, "ended as \(earlier.status.rawValue), and nothing before it runs again")
      }
      return entry(.skip, "ended as \(earlier.status.rawValue); its recovery policy for that is skip")
    case .ready, .waiting, .cancelled, .impossible, .passed:
      if request.kind == .rerun {
        let isNamed = request.steps.contains(task.step)
        return entry(.run, isNamed ? "named" : "follows from what runs again")
      }
      guard let earlier = try ledger.earlierEnd(of: task.step, in: task.sequence) else {
        return entry(.run, "has not ended before")
      }
      return entry(.run, "ended as \(earlier.status.rawValue); its recovery policy for that is rerun")
    }
  }
}

/// A new recovery in memory, on top of the store's earlier ones.
private final class RehearsalLedger: RunLedger {
  private let earlier: any RunLedger
  private var events: [Transition.Key: EventFact] = [:]
  private var tasks: [Transition.Key: TaskFact] = [:]
  private var unfinished: [TaskFact] = []
  private var delays: [DelayFact] = []
  private var loops: [Int64: LoopState] = [:]
  private var iterations: [Int64: IterationState] = [:]

  init(earlier: any RunLedger) { self.earlier = earlier }

  func apply(_ changes: Changes) {
    for event in changes.events {
      events[.init(name: event.event, sequence: event.sequence)] = EventFact(hosts: event.hosts)
    }
    for task in changes.tasks {
      let fact = TaskFact(
        number: task.number, step: task.step, sequence: task.sequence, scope: task.scope,
        status: task.form.status,
        dueAt: nil, attempt: 1, losses: 0, host: nil, fence: 0)
      tasks[.init(name: task.step, sequence: task.sequence)] = fact
      if !fact.status.isOver { unfinished.append(fact) }
    }
    for delay in changes.delays {
      delays.append(
        DelayFact(
          number: delay.number, target: delay.target, sequence: delay.sequence, scope: delay.scope,
          hosts: delay.hosts))
    }
    loops.merge(changes.loops) { $1 }
    iterations.merge(changes.iterations) { $1 }
  }

  /// Takes a task that has not ended; as running, so that its end is what is counted.
  func nextUnfinished() -> TaskFact? {
    guard !unfinished.isEmpty else { return nil }
    let task = unfinished.removeFirst()
    return TaskFact(
      number: task.number, step: task.step, sequence: task.sequence, scope: task.scope, status: .running,
      dueAt: nil, attempt: 1, losses: 0, host: nil, fence: 0)
  }

  func nextDelay() -> DelayFact? { delays.isEmpty ? nil : delays.removeFirst() }

  func nextGrowing(_ plan: Plan) -> LoopState? {
    loops.values.filter { $0.isGrowing(plan) }.min { $0.number < $1.number }
  }

  func triggered(_ names: [String], in sequences: [Sequence]) -> [Sequence: [String: EventFact]] {
    Self.found(names, sequences, in: events)
  }

  func tasks(_ steps: [String], in sequences: [Sequence]) -> [Sequence: [String: TaskFact]] {
    Self.found(steps, sequences, in: tasks)
  }

  private static func found<Fact>(
    _ names: [String], _ sequences: [Sequence], in known: [Transition.Key: Fact]
  ) -> [Sequence: [String: Fact]] {
    var found: [Sequence: [String: Fact]] = [:]
    for sequence in sequences {
      for name in names { found[sequence, default: [:]][name] = known[.init(name: name, sequence: sequence)] }
    }
    return found
  }

  func loop(_ name: String, in sequence: Sequence) -> LoopState? {
    loops.values.first { $0.name == name && $0.sequence == sequence }
  }

  func loop(numbered number: Int64) -> LoopState? { loops[number] }
  func iteration(numbered number: Int64) -> IterationState? { iterations[number] }
  func iterations(in sequence: Sequence) -> [IterationState] {
    iterations.values.filter { $0.sequence == sequence }
  }

  func unstarted() -> [Int64: Int] {
    var counts: [Int64: Int] = [:]
    for task in unfinished { counts[task.scope, default: 0] += 1 }
    for delay in delays { counts[delay.scope, default: 0] += 1 }
    unfinished = []
    delays = []
    return counts
  }

  func openLoops() -> [LoopState] {
    loops.values.filter { !$0.status.isOver }.sorted { $0.number > $1.number }
  }

  func earlierEnd(of step: String, in sequence: Sequence) throws -> EarlierEnd? {
    try earlier.earlierEnd(of: step, in: sequence)
  }

  func wasOpened(loop name: String, in sequence: Sequence) throws -> Bool {
    try earlier.wasOpened(loop: name, in: sequence)
  }

  func hadSucceeded(iterationOf name: String, in sequence: Sequence) throws -> Bool {
    try earlier.hadSucceeded(iterationOf: name, in: sequence)
  }

  func firstTriggered(_ event: String, in sequence: Sequence) throws -> Timestamp? {
    try earlier.firstTriggered(event, in: sequence)
  }

  func earlierFromOutside() throws -> [(event: String, sequence: Sequence)] {
    try earlier.earlierFromOutside()
  }

  func result(of step: String, in sequence: Sequence) throws -> JSONValue? {
    try earlier.result(of: step, in: sequence)
  }
}

extension LoopState {
  /// Whether it has room for iterations that a transition has left for later.
  public func isGrowing(_ plan: Plan) -> Bool {
    guard !status.isOver, next <= total, let loop = plan.loops[name] else { return false }
    return loop.maxConcurrent == 0 || open < loop.maxConcurrent
  }
}
