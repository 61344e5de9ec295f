public import Model

/// One step of a run from a consistent state to the next: something happened, and everything that follows from it
/// at once is decided.
///
/// A caller locks the run, makes a transition, tells it what happened, and applies ``finish()`` in the same
/// transaction. Nothing here reads a clock, a database or a file: facts come from the ledger, decisions go into
/// ``Changes``.
public struct Transition {
  let plan: Plan
  let ledger: any RunLedger
  var changes: Changes
  var queue = WorkQueue()

  /// What is known so far, from the ledger and from this transition; nil is known to be absent.
  var events: [Key: EventFact?] = [:]
  var tasks: [Key: TaskFact?] = [:]
  var loops: [Int64: LoopState] = [:]
  var loopNumbers: [Key: Int64?] = [:]
  var iterations: [Int64: IterationState] = [:]
  /// Iterations and loops to look at once the queue is empty.
  var touchedIterations: [Int64] = []
  var touchedLoops: [Int64] = []
  /// What the ledger still counts as unstarted though this transition has ended it, by scope.
  var begunUnstarted: [Int64: Int] = [:]
  /// Events of earlier recoveries that came from outside, read when a replay first asks.
  var earlierFromOutside: [(event: String, sequence: Sequence)]?
  /// How many more iterations this transition may open; the rest is left to the next one.
  var iterationAllowance = Transition.iterationsAtOnce
  /// At which host a task without an action that is made now is passed, by its placement; nil: none is.
  var passingHost: ((Placement) throws -> String?)?
  /// How many more tasks this transition may pass.
  var passAllowance = Transition.passesAtOnce
  /// Up to which iteration of a loop what its start leads to was asked for.
  var foreseenTo: [Int64: Int] = [:]
  /// Loops that ``grow(_:)`` was told to open further.
  var grownLoops: Set<Int64> = []

  /// The most iterations that one transition opens, so that a loop of a million is not written out in one
  /// transaction. What is left is opened by ``grow(_:)``.
  public static let iterationsAtOnce = 500

  /// A name in a sequence.
  struct Key: Hashable {
    let name: String
    let sequence: Sequence
  }

  /// A sequence, and the iteration to which what happens there belongs.
  struct Place: Hashable {
    let sequence: Sequence
    let scope: Int64
  }

  /// What made something happen.
  struct Cause {
    /// The hosts of the steps behind it, sorted; empty if it came from outside.
    var hosts: [String]
    /// In words, for the history.
    let actor: String
    /// Whether somebody outside the program asked for it.
    var isFromOutside = false
  }

  /// A transition of `run`, locked in `ledger`.
  public init(of run: RunState, plan: Plan, ledger: any RunLedger) {
    self.plan = plan
    self.ledger = ledger
    changes = Changes(run)
  }

  // MARK: What can happen

  /// The run, or a new recovery of it, begins.
  public mutating func begin(_ beginning: Beginning, actor: String) throws {
    let starts = beginning.starts(of: plan)
    let cause = Cause(hosts: [], actor: actor)
    for start in starts.events {
      queue.add(.raise(start.event, Place(sequence: start.sequence, scope: 0), cause))
    }
    for node in starts.nodes {
      queue.add(.launch(node.target, Place(sequence: node.sequence, scope: 0), cause, due: nil))
    }
    if changes.run.recovery > 0 {
      try raiseFromOutside(at: nil)
    }
    try settle()
  }

  /// `event` is triggered in `sequence` from outside. False if it had been before, and nothing changes.
  public mutating func trigger(_ event: String, in sequence: Sequence, actor: String) throws -> Bool {
    let scope = try scope(of: sequence)
    guard try fact(event: event, in: sequence) == nil else { return false }
    queue.add(
      .raise(
        event, Place(sequence: sequence, scope: scope), Cause(hosts: [], actor: actor, isFromOutside: true)))
    try settle()
    return true
  }

  /// An attempt of `task` ended. `chance`, from 0 to 1, is for the jitter of a retry.
  public mutating func end(_ task: TaskFact, _ outcome: Outcome, chance: Double) throws {
    guard let step = plan.steps[task.step] else { return }
    if let retry = step.definition.retry, !changes.run.isStopped, outcome.markedBy == nil,
      let delay = retry.delay(after: task.attempt, outcome, chance: chance)
    {
      changes.taskChanges.append(
        .init(task: task, kind: .retried(outcome, at: changes.run.now + delay), releases: nil))
      record(task, to: "waiting", "retry")
      return
    }
    changes.taskChanges.append(.init(task: task, kind: .ended(outcome), releases: step.definition.releases))
    record(task, to: outcome.status.rawValue, outcome.markedBy ?? task.host ?? "")
    if task.status != .running { begunUnstarted[task.scope, default: 0] += 1 }
    try left(task.scope)
    if outcome.status != .cancelled {
      try raiseEnd(
        of: step, at: Place(sequence: task.sequence, scope: task.scope), as: outcome.status,
        skipped: outcome.skipped, fileTriggers: outcome.fileTriggers, host: task.host, isRepeated: false)
    }
    try settle()
  }

  /// The agent that held `task` is gone for good.
  public mutating func lose(_ task: TaskFact, _ message: String) throws {
    guard let definition = plan.steps[task.step]?.definition else { return }
    if changes.run.isStopped {
      return try end(task, Outcome(.cancelled, message: message), chance: 0)
    }
    guard definition.onLost == .rerun, task.losses < definition.maxLost else {
      let why =
        definition.onLost == .fail
        ? message : message + "; lost \(task.losses + 1) times, max_lost is \(definition.maxLost)"
      return try end(task, Outcome(.failure, message: why), chance: 0)
    }
    changes.taskChanges.append(.init(task: task, kind: .lost(message), releases: nil))
    record(task, to: "ready", "lost")
  }

  /// The agent that runs `task` gives it back, so that another may run it: not a loss of the task's making.
  public mutating func giveBack(_ task: TaskFact, _ message: String, unstarted: Bool = false) throws {
    if changes.run.isStopped { return try end(task, Outcome(.cancelled, message: message), chance: 0) }
    guard unstarted || plan.steps[task.step]?.definition.onLost != .fail else {
      return try end(task, Outcome(.failure, message: message), chance: 0)
    }
    changes.taskChanges.append(.init(task: task, kind: .returned(message), releases: nil))
    record(task, to: "ready", "given back")
  }

  /// The time of a waiting task has come.
  public mutating func mature(_ task: TaskFact) {
    changes.taskChanges.append(.init(task: task, kind: .ready, releases: [:]))
    record(task, to: "ready", "delay")
  }

  /// The time of a delay has come.
  public mutating func mature(_ delay: DelayFact) throws {
    changes.overDelays.append(delay.number)
    begunUnstarted[delay.scope, default: 0] += 1
    try left(delay.scope)
    let place = Place(sequence: delay.sequence, scope: delay.scope)
    queue.add(.launch(delay.target, place, Cause(hosts: delay.hosts, actor: "delay"), due: nil))
    try settle()
  }

  /// A loop that has iterations left which an earlier transition did not open goes on.
  public mutating func grow(_ loop: LoopState) throws {
    loops[loop.number] = loop
    grownLoops.insert(loop.number)
    touchedLoops.append(loop.number)
    try settle()
  }

  /// No new task of the run starts; when the running ones have ended, so has the run, as `verdict`.
  public mutating func stop(as verdict: RunStatus, _ message: String) throws {
    changes.run.verdict = verdict
    changes.run.message = message
    try stop(message)
    try settle()
  }

  /// Everything decided. The transition is of no more use.
  public mutating func finish() throws -> Changes {
    try settle()
    endRunIfOver()
    return changes
  }

  // MARK: Working through

  /// Does what is queued, and closes iterations and loops that this leaves empty, until nothing is left.
  mutating func settle() throws {
    while true {
      while let work = queue.next() { try perform(work) }
      if let number = touchedIterations.popLast() {
        try closeIfOver(iteration: number)
      } else if let number = touchedLoops.popLast() {
        try advance(loop: number)
      } else {
        return
      }
    }
  }

  private mutating func perform(_ work: WorkQueue.Work) throws {
    switch work {
    case .raise(let event, let place, let cause): try raise(event, at: place, cause)
    case .launch(.event(let event), let place, let cause, nil): try raise(event, at: place, cause)
    case .launch(.step(let step), let place, let cause, let due):
      try makeTask(step, at: place, cause, due: due)
    case .launch(.loop(let loop), let place, let cause, nil): try openLoop(loop, at: place, cause)
    case .launch(let target, let place, let cause, .some(let due)):
      try delay(target, at: place, cause, until: due)
    }
  }

  private mutating func endRunIfOver() {
    let run = changes.run
    guard run.active == 0, !run.status.isOver else { return }
    changes.run.status = run.verdict ?? (run.failures > 0 ? .failure : .success)
    record(.run, run.id, nil, 0, from: run.status.rawValue, to: changes.run.status.rawValue, "engine")
  }

  // MARK: Counting

  /// Something more is to be waited for in `scope`.
  mutating func entered(_ scope: Int64) throws {
    changes.run.active += 1
    guard scope != 0, var iteration = try iteration(scope) else { return }
    iteration.active += 1
    update(iteration)
  }

  /// `count` things in `scope` need not be waited for any more.
  mutating func left(_ scope: Int64, count: Int = 1) throws {
    changes.run.active -= count
    guard scope != 0, var iteration = try iteration(scope) else { return }
    iteration.active -= count
    update(iteration)
    touchedIterations.append(scope)
  }

  /// The next number for a row of the run.
  mutating func number() -> Int64 {
    defer { changes.run.nextNumber += 1 }
    return changes.run.nextNumber
  }

  mutating func record(_ task: TaskFact, to status: String, _ actor: String) {
    changes.history.append(
      .init(
        subject: .task, name: task.step, sequence: task.sequence.text, attempt: task.attempt,
        from: task.status.rawValue, to: status, actor: actor, token: task.fence))
  }

  mutating func record(
    _ subject: Changes.HistoryEntry.Subject, _ name: String, _ sequence: Sequence?, _ attempt: Int,
    from: String, to: String, _ actor: String, token: Int64 = 0
  ) {
    changes.history.append(
      .init(
        subject: subject, name: name, sequence: sequence?.text ?? "", attempt: attempt, from: from, to: to,
        actor: actor, token: token))
  }
}
