import Engine
import Model

/// The facts of one run in plain dictionaries: what transitions ask, and what their changes make of it.
final class MemoryLedger: RunLedger {
  struct Key: Hashable {
    let name: String
    let sequence: Sequence
    let recovery: Int
  }

  struct Task {
    var fact: TaskFact
    let recovery: Int
    var form: Changes.NewTask
    var message: String?
    var fileTriggers: [FileTrigger] = []
    var result: JSONValue?
  }

  private struct Event {
    let fact: EventFact
    let firstAt: Timestamp
    let isFromOutside: Bool
  }

  private(set) var recovery = 0
  private(set) var tasks: [Int64: Task] = [:]
  private(set) var delays: [Int64: (fact: DelayFact, dueAt: Timestamp)] = [:]
  private(set) var loops: [Int64: LoopState] = [:]
  private(set) var iterations: [Int64: IterationState] = [:]
  /// How many names of events were asked for, in all.
  private(set) var asked = 0
  /// How many times events or tasks were asked for.
  private(set) var questions = 0
  /// In the order they were triggered, the plan's own left out.
  private(set) var eventNames: [String] = []

  private var events: [Key: Event] = [:]
  private var outside: [(event: String, sequence: Sequence)] = []
  private var taskNumbers: [Key: Int64] = [:]
  private var loopNumbers: [Key: Int64] = [:]
  private var recoveryOfScope: [Int64: Int] = [:]
  private var recoveryOfLoop: [Int64: Int] = [:]

  func open(recovery: Int) {
    self.recovery = recovery
    eventNames = []
  }

  // MARK: What a store does with changes

  func apply(_ changes: Changes) {
    if let reason = changes.cancelsUnstarted {
      for number in unstartedTasks { change(number, to: .cancelled, message: reason) }
      delays = [:]
    }
    for change in changes.taskChanges { apply(change) }
    for event in changes.events {
      events[key(event.event, event.sequence)] = Event(
        fact: EventFact(hosts: event.hosts), firstAt: event.firstAt, isFromOutside: event.isFromOutside)
      if event.isFromOutside { outside.append((event.event, event.sequence)) }
      if !Plan.isInternal(event.event) { eventNames.append("\(event.event)/\(event.sequence)") }
    }
    for task in changes.tasks { add(task) }
    for delay in changes.delays {
      let fact = DelayFact(
        number: delay.number, target: delay.target, sequence: delay.sequence, scope: delay.scope,
        hosts: delay.hosts)
      delays[delay.number] = (fact, delay.dueAt)
    }
    for number in changes.overDelays { delays[number] = nil }
    for (number, loop) in changes.loops {
      loops[number] = loop
      if recoveryOfLoop[number] == nil { recoveryOfLoop[number] = recovery }
      loopNumbers[key(loop.name, loop.sequence)] = number
    }
    for (number, iteration) in changes.iterations {
      iterations[number] = iteration
      if recoveryOfScope[number] == nil { recoveryOfScope[number] = recovery }
    }
  }

  private func add(_ task: Changes.NewTask) {
    var host: String?
    if case .host(let name) = task.placement { host = name }
    var due: Timestamp?
    if case .waiting(let moment) = task.form { due = moment }
    let fact = TaskFact(
      number: task.number, step: task.step, sequence: task.sequence, scope: task.scope,
      status: task.form.status,
      dueAt: due, attempt: 1, losses: 0, host: host, fence: 0)
    var row = Task(fact: fact, recovery: recovery, form: task)
    if case .impossible(let why) = task.form { row.message = why }
    if case .repeated(let earlier) = task.form {
      row.fileTriggers = earlier.fileTriggers
      row.result = tasks[earlier.number]?.result
    }
    tasks[task.number] = row
    taskNumbers[key(task.step, task.sequence)] = task.number
  }

  private func apply(_ change: Changes.TaskChange) {
    let number = change.task.number
    switch change.kind {
    case .ready: self.change(number, to: .ready)
    case .broughtForward(let moment): self.change(number, to: .waiting, due: moment)
    case .ended(let outcome):
      self.change(number, to: outcome.status, message: outcome.message)
      tasks[number]?.fileTriggers = outcome.fileTriggers
      if let result = outcome.result { tasks[number]?.result = result }
    case .passed: self.change(number, to: .success)
    case .retried(_, let moment): self.change(number, to: .waiting, due: moment, attempts: 1)
    case .lost(let why): self.change(number, to: .ready, attempts: 1, losses: 1, message: why)
    case .returned(let why): self.change(number, to: .ready, attempts: 1, message: why)
    }
  }

  func start(_ number: Int64) { change(number, to: .running) }

  private func change(
    _ number: Int64, to status: TaskStatus, due: Timestamp? = nil, attempts: Int = 0, losses: Int = 0,
    message: String? = nil
  ) {
    guard let old = tasks[number]?.fact else { return }
    tasks[number]?.fact = TaskFact(
      number: old.number, step: old.step, sequence: old.sequence, scope: old.scope, status: status,
      dueAt: due,
      attempt: old.attempt + attempts, losses: old.losses + losses, host: old.host,
      fence: old.fence + (status == .running ? 1 : 0))
    if let message { tasks[number]?.message = message }
  }

  private var unstartedTasks: [Int64] {
    tasks.values.filter {
      $0.recovery == recovery && ($0.fact.status == .ready || $0.fact.status == .waiting)
    }
    .map(\.fact.number).sorted()
  }

  private func key(_ name: String, _ sequence: Sequence) -> Key {
    Key(name: name, sequence: sequence, recovery: recovery)
  }

  /// What is not over in the recovery that goes on: what the run's own count must be.
  var counted: Int {
    tasks.values.count { $0.recovery == recovery && !$0.fact.status.isOver } + delays.count
      + openLoops().count
  }

  func task(_ step: String, _ sequence: Sequence) -> Task? {
    taskNumbers[key(step, sequence)].flatMap { tasks[$0] }
  }

  // MARK: RunLedger

  func triggered(_ names: [String], in sequences: [Sequence]) -> [Sequence: [String: EventFact]] {
    asked += names.count * sequences.count
    questions += 1
    var found: [Sequence: [String: EventFact]] = [:]
    for sequence in sequences {
      for name in names { found[sequence, default: [:]][name] = events[key(name, sequence)]?.fact }
    }
    return found
  }

  func tasks(_ steps: [String], in sequences: [Sequence]) -> [Sequence: [String: TaskFact]] {
    questions += 1
    var found: [Sequence: [String: TaskFact]] = [:]
    for sequence in sequences {
      for step in steps { found[sequence, default: [:]][step] = task(step, sequence)?.fact }
    }
    return found
  }

  func loop(_ name: String, in sequence: Sequence) -> LoopState? {
    loopNumbers[key(name, sequence)].flatMap { loops[$0] }
  }

  func loop(numbered number: Int64) -> LoopState? { loops[number] }
  func iteration(numbered number: Int64) -> IterationState? { iterations[number] }

  func iterations(in sequence: Sequence) -> [IterationState] {
    iterations.values.filter { $0.sequence == sequence && recoveryOfScope[$0.number] == recovery }
      .sorted { $0.number < $1.number }
  }

  func unstarted() -> [Int64: Int] {
    var counts: [Int64: Int] = [:]
    for number in unstartedTasks { counts[tasks[number]?.fact.scope ?? 0, default: 0] += 1 }
    for delay in delays.values { counts[delay.fact.scope, default: 0] += 1 }
    return counts
  }

  func openLoops() -> [LoopState] {
    loops.values.filter { recoveryOfLoop[$0.number] == recovery && !$0.status.isOver }
      .sorted { $0.number > $1.number }
  }

  func earlierEnd(of step: String, in sequence: Sequence) -> EarlierEnd? {
    let ended = tasks.values.filter {
      $0.fact.step == step && $0.fact.sequence == sequence && $0.recovery < recovery
        && ($0.fact.status == .success || $0.fact.status == .failure)
    }
    return ended.max { $0.recovery < $1.recovery }.map {
      EarlierEnd(
        number: $0.fact.number, status: $0.fact.status, host: $0.fact.host, fileTriggers: $0.fileTriggers)
    }
  }

  func wasOpened(loop name: String, in sequence: Sequence) -> Bool {
    loopNumbers.keys.contains { $0.name == name && $0.sequence == sequence && $0.recovery < recovery }
  }

  func hadSucceeded(iterationOf name: String, in sequence: Sequence) -> Bool {
    iterations.values.contains {
      $0.sequence == sequence && $0.status == .success && loops[$0.loop]?.name == name
        && recoveryOfScope[$0.number, default: 0] < recovery
    }
  }

  func firstTriggered(_ event: String, in sequence: Sequence) -> Timestamp? {
    events.filter { $0.key.name == event && $0.key.sequence == sequence && $0.key.recovery < recovery }
      .map(\.value.firstAt).min()
  }

  func earlierFromOutside() -> [(event: String, sequence: Sequence)] {
    var seen: Set<String> = []
    return outside.filter { seen.insert("\($0.event) \($0.sequence)").inserted }
  }

  func result(of step: String, in sequence: Sequence) -> JSONValue? {
    for place in sequence.enclosing {
      let ended = tasks.values.filter {
        $0.fact.step == step && $0.fact.sequence == place && $0.fact.status.isOver && $0.result != nil
      }
      if let newest = ended.max(by: { $0.recovery < $1.recovery }) { return newest.result }
    }
    return nil
  }
}
