import Documents
import Engine
import Model
import Testing

/// A run of a program in memory. Tasks are named `step/sequence`; time stands still until ``pass(_:)``.
///
/// After every transition the run's count of what is left, and the last word of the history on each task, are held
/// against the ledger.
final class MemoryRun {
  let plan: Plan
  let ledger = MemoryLedger()
  private(set) var state: RunState
  /// All transitions' entries, in order.
  private(set) var history: [Changes.HistoryEntry] = []
  private var lastWords: [String: String] = [:]
  /// Where steps without an action are passed; nil: they are left to be taken.
  var passes: ((Placement) -> String?)?
  private var now = Timestamp(microseconds: 1_000_000_000)

  /// Starts the program that `text` is the rest of the file of.
  convenience init(
    _ text: String, parameters: [String: JSONValue] = [:], isUnpinned: Bool = false, begin: Bool = true
  ) throws {
    let program = try ProgramDocument.parse("program: t\n" + text, file: "t.yaml").program
    self.init(of: program, parameters: parameters, isUnpinned: isUnpinned)
    if begin { try self.begin() }
  }

  /// A run of `program` that has not begun.
  init(of program: Program, parameters: [String: JSONValue] = [:], isUnpinned: Bool = false) {
    plan = Plan(program)
    state = RunState(
      key: 1, id: "R", status: .running, recovery: 0, active: 0, failures: 0, isStopped: false, verdict: nil,
      message: nil, nextNumber: 1, replay: nil, localHost: "here", isUnpinned: isUnpinned,
      parameters: parameters,
      now: now)
  }

  // MARK: What happens

  func begin(in sequence: Sequence? = nil) throws {
    try transit { try $0.begin(.program(in: sequence), actor: "someone") }
  }

  @discardableResult
  func trigger(_ event: String, in sequence: Sequence = .first) throws -> Bool {
    var isNew = false
    try transit { isNew = try $0.trigger(event, in: sequence, actor: "someone") }
    return isNew
  }

  /// Starts and ends tasks, all in one transition; `change` refines the outcome.
  func end(_ names: String..., as status: TaskStatus = .success, change: (inout Outcome) -> Void = { _ in })
    throws
  {
    try end(names.map { ($0, status) }, change: change)
  }

  func end(_ ends: [(name: String, status: TaskStatus)], change: (inout Outcome) -> Void = { _ in }) throws {
    let tasks = try ends.map { (try started($0.name), $0.status) }
    try transit { transition in
      for (task, status) in tasks {
        var outcome = Outcome(status)
        change(&outcome)
        try transition.end(task, outcome, chance: 0.5)
      }
    }
  }

  /// An agent takes the task.
  func hold(_ name: String) {
    if let task = task(name)?.fact { ledger.start(task.number) }
  }

  /// An agent comes by a task that is ready. False if it is not passed.
  func pass(named name: String) throws -> Bool {
    let task = try fact(name)
    var isPassed = false
    try transit { isPassed = try $0.pass(task, at: "here") }
    return isPassed
  }

  /// A task that an agent holds ends.
  func finish(_ name: String, as status: TaskStatus) throws {
    let task = try fact(name)
    try transit { try $0.end(task, Outcome(status), chance: 0.5) }
  }

  func lose(_ name: String) throws {
    _ = try started(name)
    try loseHeld(name)
  }

  func loseHeld(_ name: String) throws {
    let task = try fact(name)
    try transit { try $0.lose(task, "its agent is gone") }
  }

  /// Ends a task that has not started, by hand.
  func mark(_ name: String, as status: TaskStatus) throws {
    let task = try fact(name)
    var outcome = Outcome(status)
    outcome.markedBy = "someone"
    try transit { try $0.end(task, outcome, chance: 0) }
  }

  func stop(as verdict: RunStatus) throws { try transit { try $0.stop(as: verdict, "stopped") } }

  /// Time passes, and what is due by then matures in one transition.
  func pass(_ seconds: Double) throws {
    now = now + TimeSpan(seconds: seconds)
    state = state.with(now: now)
    let due = ledger.tasks.values.map(\.fact).filter {
      $0.status == .waiting && ($0.dueAt.map { $0 <= now } ?? false)
    }
    let delays = ledger.delays.values.filter { $0.dueAt <= now }.map(\.fact)
    try transit { transition in
      for task in due.sorted(by: { $0.number < $1.number }) { transition.mature(task) }
      for delay in delays.sorted(by: { $0.number < $1.number }) { try transition.mature(delay) }
    }
  }

  /// Opens iterations that were left for later, once.
  func grow() throws {
    let loops = ledger.openLoops().filter { $0.isGrowing(plan) }
    try transit { transition in for loop in loops.reversed() { try transition.grow(loop) } }
  }

  /// Ends everything that is ready or becomes ready, with what `status` says; delays pass at once.
  func drain(_ status: (String) -> TaskStatus = { _ in .success }) throws {
    for _ in 0..<10_000 {
      if let next = ready.first {
        try end([(next, status(next))])
      } else if ledger.openLoops().contains(where: { $0.isGrowing(plan) }) && !state.status.isOver {
        try grow()
      } else if !ledger.delays.isEmpty || !waiting.isEmpty {
        try pass(86_400)
      } else {
        return
      }
    }
    Issue.record("the run does not end")
  }

  /// Begins a new recovery.
  func replay(_ replay: Replay) throws {
    state = RunState(
      key: 1, id: "R", status: .running, recovery: state.recovery + 1, active: 0, failures: 0,
      isStopped: false,
      verdict: nil, message: nil, nextNumber: state.nextNumber, replay: replay, localHost: state.localHost,
      isUnpinned: state.isUnpinned, parameters: state.parameters, now: now)
    ledger.open(recovery: state.recovery)
    lastWords = [:]
    try begin()
  }

  func recover() throws { try replay(Replay(kind: .recover)) }

  func rerun(_ roots: String..., only: Bool = false) throws {
    let named = roots.map(split)
    try replay(
      Replay(kind: .rerun, rerun: RerunSet(roots: named.map { ($0.step, $0.sequence) }, only: only, in: plan))
    )
  }

  // MARK: What there is

  var events: [String] { ledger.eventNames }
  var ready: [String] { names(.ready) }
  var waiting: [String] { names(.waiting) }

  /// Names of the tasks in a status, in the order they were made.
  func names(_ status: TaskStatus) -> [String] {
    current.filter { $0.fact.status == status }.map { "\($0.fact.step)/\($0.fact.sequence)" }
  }

  /// The tasks of this recovery and what became of them.
  var statuses: [String: TaskStatus] {
    Dictionary(uniqueKeysWithValues: current.map { ("\($0.fact.step)/\($0.fact.sequence)", $0.fact.status) })
  }

  /// The tasks that this recovery ran or would run, rather than repeated.
  var run: Set<String> {
    Set(
      current.filter {
        if case .repeated = $0.form.form { return false }
        return true
      }.map { "\($0.fact.step)/\($0.fact.sequence)" })
  }

  func fact(_ name: String) throws -> TaskFact { try #require(task(name)?.fact, "there is no task \(name)") }

  func task(_ name: String) -> MemoryLedger.Task? {
    let (step, sequence) = split(name)
    return ledger.task(step, sequence)
  }

  func loop(_ name: String) throws -> LoopState {
    let (loop, sequence) = split(name)
    return try #require(ledger.loop(loop, in: sequence), "there is no loop \(name)")
  }

  private var current: [MemoryLedger.Task] {
    ledger.tasks.values.filter { $0.recovery == state.recovery }.sorted { $0.fact.number < $1.fact.number }
  }

  private func split(_ name: String) -> (step: String, sequence: Sequence) {
    let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
    return (parts[0], Sequence(parts.count > 1 ? parts[1] : "1"))
  }

  private func started(_ name: String) throws -> TaskFact {
    let task = try fact(name)
    try #require(task.status == .ready, "\(name) is \(task.status)")
    ledger.start(task.number)
    return try fact(name)
  }

  /// Without holding the whole ledger against the run after each transition: for runs of thousands.
  func endUnchecked(_ name: String) throws {
    let task = try started(name)
    try transit(isChecked: false) { try $0.end(task, Outcome(.success), chance: 0) }
  }

  func beginUnchecked() throws {
    try transit(isChecked: false) { try $0.begin(.program(in: nil), actor: "someone") }
  }

  private func transit(isChecked: Bool = true, _ happen: (inout Transition) throws -> Void) throws {
    var transition = Transition(of: state, plan: plan, ledger: ledger)
    if let passes { transition.passEmptySteps(at: passes) }
    try happen(&transition)
    let changes = try transition.finish()
    let unstarted = isChecked && changes.cancelsUnstarted != nil ? ready + waiting : []
    let ended = changes.taskChanges.map { "\($0.task.step)/\($0.task.sequence)" }
    ledger.apply(changes)
    state = changes.run
    history += changes.history
    guard isChecked else { return }
    for entry in changes.history where entry.subject == .task {
      lastWords["\(entry.name)/\(entry.sequence)"] = entry.to
    }
    // The store itself tells the history of what it cancels in bulk.
    for name in unstarted where !ended.contains(name) { lastWords[name] = "cancelled" }
    #expect(state.active == ledger.counted, "the run counts what is left")
    #expect(!state.status.isOver || ledger.counted == 0, "nothing is left of a run that is over")
    for (name, status) in statuses where status != .running {
      #expect(lastWords[name] == status.rawValue, "the history of \(name) leads to its status")
    }
  }
}

extension RunState {
  func with(now: Timestamp) -> RunState {
    RunState(
      key: key, id: id, status: status, recovery: recovery, active: active, failures: failures,
      isStopped: isStopped,
      verdict: verdict, message: message, nextNumber: nextNumber, replay: replay, localHost: localHost,
      isUnpinned: isUnpinned, parameters: parameters, now: now)
  }
}

extension Sequence: ExpressibleByStringLiteral {
  /// A sequence written in a test.
  init(stringLiteral value: String) { self.init(value) }
}
