import Model

/// What a program must come to: a second, slow and plain opinion that knows neither ``Plan`` nor the engine.
///
/// It reads the ``Program`` as its author wrote it, so that a test against it checks the desugaring too. Steps take
/// no time and run one at a time. `order` says which: nil is virtual time (what is ready, highest priority and
/// oldest first, then the next delay); a number picks among everything ready or delayed by that seed, as slow and
/// quick steps would, so that a test can prove that the outcome does not depend on it.
struct ReferenceInterpreter {
  /// Whether an attempt (from 1) of a step in a sequence and recovery succeeds.
  typealias Judge = (_ step: String, _ sequence: String, _ recovery: Int, _ attempt: Int) -> Bool

  let program: Program
  var order: UInt64?
  let succeeds: Judge

  init(_ program: Program, order: UInt64? = nil, succeeds: @escaping Judge = { _, _, _, _ in true }) {
    self.program = program
    self.order = order
    self.succeeds = succeeds
  }

  /// A new run, to its end.
  func run() -> Outcome { Replay(self, after: nil, mode: .recover).outcome() }

  /// The next recovery of an ended run.
  func recover(_ previous: Outcome) -> Outcome { Replay(self, after: previous, mode: .recover).outcome() }

  /// Runs `steps` of an ended run again (in `sequence`, or wherever they had a task) and, unless `only`, what follows.
  func rerun(_ previous: Outcome, steps: [String], sequence: String? = nil, only: Bool = false) -> Outcome {
    let reach = Reach(program)
    let ran = Set(previous.ends.keys).union(previous.tasks.keys).compactMap { key -> Place? in
      let parts = key.split(separator: "/", maxSplits: 1).map(String.init)
      return steps.contains(parts[0]) ? Place(item: .step(parts[0]), sequence: Sequence(parts[1])) : nil
    }
    let named = sequence.map { text in steps.flatMap { reach.places(of: $0, in: Sequence(text)) } } ?? ran
    return Replay(self, after: previous, mode: .rerun(only ? Set(named) : reach.closure(named))).outcome()
  }
}

/// How a run, in one recovery, ended.
struct Outcome: Hashable {
  struct Task: Hashable {
    var status: TaskStatus
    var skipped = false
  }
  struct Loop: Hashable {
    var status: LoopStatus
    var iterations: Int
    var ended: Int
  }

  var recovery = 0
  var runStatus = RunStatus.success
  /// By `step/sequence`.
  var tasks: [String: Task] = [:]
  /// `event/sequence`.
  var events: Set<String> = []
  /// By `loop/sequence`.
  var loops: [String: Loop] = [:]

  /// What a later recovery must know: the newest success or failure of every task, up to this recovery…
  var ends: [String: TaskStatus] = [:]
  /// … the iterations, `loop/sequence/index`, that ended as success when last they ended…
  var finished: Set<String> = []
  /// … and every loop, `loop/sequence`, that there ever was.
  var knownLoops: Set<String> = []
}

extension Program {
  /// What a run triggers when the program does not say.
  var defaultStart: [String] {
    var raised: [String] = loops.flatMap(\.start) + associations.flatMap(\.targets)
    for triggers in steps.map(\.triggers) + loops.map(\.triggers) {
      raised += triggers.success + triggers.failure + triggers.complete + triggers.skipped
    }
    return events.filter { $0.when == nil && !$0.external && !raised.contains($0.name) }.map(\.name)
  }

  /// Steps and loops that nothing starts, so that they begin with the run.
  var unprompted: [String] {
    let targets = associations.flatMap(\.targets)
    let idle = { (on: [String], after: [String], name: String) in
      on.isEmpty && after.isEmpty && !targets.contains(name)
    }
    return steps.filter { idle($0.on, $0.after, $0.name) }.map(\.name)
      + loops.filter { idle($0.on, $0.after, $0.name) }.map(\.name)
  }

  /// Steps and loops with `event` under `on`, and what associations say it starts.
  func targets(of event: String) -> [(name: String, delay: TimeSpan)] {
    let direct =
      steps.filter { $0.on.contains(event) }.map(\.name) + loops.filter { $0.on.contains(event) }.map(\.name)
    return direct.map { ($0, .zero) }
      + associations.filter { $0.event == event }.flatMap { edge in edge.targets.map { ($0, edge.delay) } }
  }

  /// Steps and loops that wait for `node`, with all they wait for.
  func waiting(for node: String) -> [(name: String, after: [String])] {
    steps.filter { $0.after.contains(node) }.map { ($0.name, $0.after) }
      + loops.filter { $0.after.contains(node) }.map { ($0.name, $0.after) }
  }

  func step(_ name: String) -> Step? { steps.first { $0.name == name } }
  func loop(_ name: String) -> Loop? { loops.first { $0.name == name } }

  /// The loop that step `name` with `foreach` stands for, or the loop of that name.
  func loopNode(_ name: String) -> Loop? {
    guard let step = step(name) else { return loop(name) }
    guard let forEach = step.forEach else { return nil }
    var loop = Loop(name: name, over: forEach.over)
    loop.maxConcurrent = forEach.atOnce
    loop.wait = forEach.wait
    loop.triggers = step.triggers
    return loop
  }
}

/// One iteration, to which work belongs by cause.
private final class Iteration {
  let loop: LoopRun
  let sequence: Sequence
  var isOpen = true
  var failed = false

  init(of loop: LoopRun, index: Int) {
    self.loop = loop
    sequence = loop.sequence.iteration(index)
  }

  var key: String { "\(loop.definition.name)/\(sequence)" }

  /// This iteration and those around it, innermost first.
  var chain: [Iteration] { [self] + (loop.owner?.chain ?? []) }
}

/// One loop in one sequence.
private final class LoopRun {
  let definition: Program.Loop
  let isForEach: Bool
  let sequence: Sequence
  let owner: Iteration?
  let total: Int
  var status = LoopStatus.running
  var opened = 0
  var ended = 0
  var failed = false
  /// Whether an unhandled failure inside was counted, so that the loop's own end is not another one.
  var counted = false

  init(_ definition: Program.Loop, isForEach: Bool, sequence: Sequence, owner: Iteration?, total: Int) {
    self.definition = definition
    self.isForEach = isForEach
    self.sequence = sequence
    self.owner = owner
    self.total = total
  }
}

/// The graph worked through once.
private final class Replay {
  enum Mode {
    /// Recorded ends are repeated as their step's policy says; without any this is a new run.
    case recover
    /// Tasks at these places run; others repeat their recorded end or are left out.
    case rerun(Set<Place>)
  }

  /// A task that is ready, or a delay that has not passed.
  struct Work {
    let name: String
    let sequence: Sequence
    let owner: Iteration?
    let isTask: Bool
    let priority: Int
    let due: Int64
  }

  let rules: ReferenceInterpreter
  let program: Program
  let mode: Mode
  let earlier: Outcome
  var now: Outcome
  var random: SplitMix64
  var clock: Int64 = 0
  var work: [Work] = []
  var loops: [LoopRun] = []
  var iterations: [Iteration] = []
  /// `node/sequence`, for `after`.
  var succeeded: Set<String> = []
  var isStopped = false

  init(_ rules: ReferenceInterpreter, after previous: Outcome?, mode: Mode) {
    self.rules = rules
    self.mode = mode
    program = rules.program
    earlier = previous ?? Outcome()
    now = Outcome(
      recovery: previous.map { $0.recovery + 1 } ?? 0, ends: earlier.ends, finished: earlier.finished,
      knownLoops: earlier.knownLoops)
    random = SplitMix64(rules.order ?? 0)
  }

  func outcome() -> Outcome {
    let starts = program.start ?? program.defaultStart.map { Program.Start(event: $0) }
    for start in starts { raise(start.event, in: start.sequence, by: nil) }
    for sequence in program.startSequences {
      for name in program.unprompted { begin(name, in: sequence, by: nil) }
    }
    closeQuietIterations()
    while let next = takeNext() {
      if next.isTask { run(next) } else { begin(next.name, in: next.sequence, by: next.owner) }
      closeQuietIterations()
    }
    for loop in loops {
      let key = "\(loop.definition.name)/\(loop.sequence)"
      now.loops[key] = Outcome.Loop(status: loop.status, iterations: loop.total, ended: loop.ended)
      now.knownLoops.insert(key)
    }
    return now
  }

  /// With one task at once priorities decide; with more, any ready task may be the next to end.
  private func takeNext() -> Work? {
    guard !work.isEmpty else { return nil }
    var candidates = Array(work.indices)
    if rules.order == nil {
      clock = max(clock, work.map(\.due).min() ?? clock)
      candidates.removeAll { work[$0].due > clock }
    }
    let top = candidates.filter { work[$0].isTask }.map { work[$0].priority }.max()
    if rules.order == nil || program.config.maxConcurrent == 1 {
      candidates.removeAll { work[$0].isTask && work[$0].priority != top }
    }
    return work.remove(at: rules.order == nil ? candidates[0] : candidates[random.below(candidates.count)])
  }

  // MARK: Events and what they start

  private func raise(_ event: String, in sequence: Sequence, by owner: Iteration?) {
    guard now.events.insert("\(event)/\(sequence)").inserted else { return }
    for other in program.events {
      guard let condition = other.when, condition.operands.contains(event) else { continue }
      if condition.holds({ now.events.contains("\($0)/\(sequence)") }) {
        raise(other.name, in: sequence, by: owner)
      }
    }
    for target in program.targets(of: event) {
      if target.delay == .zero {
        begin(target.name, in: sequence, by: owner)
      } else {
        // A recovery waits again for what was waited for before; in the engine it passes at once. That is a
        // difference of order only.
        work.append(
          Work(
            name: target.name, sequence: sequence, owner: owner, isTask: false, priority: 0,
            due: clock + target.delay.microseconds))
      }
    }
    for iteration in iterations where iteration.isOpen && iteration.sequence == sequence {
      if iteration.loop.definition.until.contains(event) { close(iteration) }
    }
  }

  private func begin(_ name: String, in sequence: Sequence, by owner: Iteration?) {
    if let loop = program.loopNode(name) {
      begin(loop, in: sequence, by: owner)
    } else if let step = program.step(name) {
      begin(step, in: sequence, by: owner)
    } else {
      raise(name, in: sequence, by: owner)
    }
  }

  private func begin(_ step: Program.Step, in sequence: Sequence, by owner: Iteration?) {
    let key = "\(step.name)/\(sequence)"
    guard now.tasks[key] == nil else { return }
    let recorded = earlier.ends[key]
    let repeats: Bool
    switch mode {
    case .recover:
      // "A finished iteration is not run again": one that is over as success, with all that is inside it.
      let isFinished = owner?.chain.contains { earlier.finished.contains($0.key) } ?? false
      let policy = recorded == .success ? step.recovery.success : step.recovery.failure
      repeats = recorded != nil && (isFinished || policy == .skip)
    case .rerun(let places):
      repeats = !places.hold(.step(step.name), in: sequence)
      if repeats && recorded == nil { return }
    }
    if isStopped {
      now.tasks[key] = Outcome.Task(status: .cancelled)
    } else if repeats, let recorded {
      end(step, in: sequence, by: owner, as: recorded, repeated: true)
    } else {
      now.tasks[key] = Outcome.Task(status: .ready)
      work.append(
        Work(
          name: step.name, sequence: sequence, owner: owner, isTask: true, priority: step.priority, due: clock
        ))
    }
  }

  // MARK: Ends of tasks

  private func run(_ task: Work) {
    guard let step = program.step(task.name) else { return }
    let passed = (1...max(1, step.retry?.attempts ?? 1)).contains {
      rules.succeeds(task.name, task.sequence.text, now.recovery, $0)
    }
    end(step, in: task.sequence, by: task.owner, as: passed ? .success : .failure, repeated: false)
  }

  private func end(
    _ step: Program.Step, in sequence: Sequence, by owner: Iteration?, as status: TaskStatus, repeated: Bool
  ) {
    let key = "\(step.name)/\(sequence)"
    now.tasks[key] = Outcome.Task(status: status, skipped: repeated)
    now.ends[key] = status
    if step.forEach == nil {
      conclude(
        step.name, in: sequence, by: owner, succeeded: status == .success, triggers: step.triggers,
        stops: !repeated)
    } else if status == .failure {
      // The body of a `foreach` raises nothing; its loop may answer for it.
      let loopAnswers =
        step.forEach?.wait == .any || !step.triggers.failure.isEmpty || !step.triggers.complete.isEmpty
      if loopAnswers { owner?.failed = true } else { countUnhandledFailure(by: owner, stops: !repeated) }
    }
  }

  /// Raises what the end of a step or loop raises and counts an unhandled failure.
  private func conclude(
    _ name: String, in sequence: Sequence, by owner: Iteration?, succeeded isSuccess: Bool,
    triggers: Program.Triggers, stops: Bool
  ) {
    let raised = (isSuccess ? triggers.success : triggers.failure) + triggers.complete
    if !isSuccess && raised.isEmpty { countUnhandledFailure(by: owner, stops: stops) }
    for event in raised { raise(event, in: sequence, by: owner) }
    guard isSuccess else { return }
    succeeded.insert("\(name)/\(sequence)")
    for node in program.waiting(for: name)
    where node.after.allSatisfy({ succeeded.contains("\($0)/\(sequence)") }) {
      begin(node.name, in: sequence, by: owner)
    }
  }

  private func countUnhandledFailure(by owner: Iteration?, stops: Bool) {
    now.runStatus = .failure
    for iteration in owner?.chain ?? [] { iteration.loop.counted = true }
    if let iteration = owner?.chain.first(where: { $0.loop.status == .running }) {
      iteration.failed = true
      iteration.loop.failed = true
      now.finished.remove(iteration.key)
    }
    guard stops && program.config.stopOnFailure else { return }
    isStopped = true
    for task in work where task.isTask {
      now.tasks["\(task.name)/\(task.sequence)"] = Outcome.Task(status: .cancelled)
    }
    // Delays stay: what they start after the stop ends as cancelled as well.
    work.removeAll { $0.isTask }
  }

  // MARK: Loops

  private func begin(_ definition: Program.Loop, in sequence: Sequence, by owner: Iteration?) {
    guard !loops.contains(where: { $0.definition.name == definition.name && $0.sequence == sequence }) else {
      return
    }
    if case .rerun(let places) = mode, !places.hold(.loop(definition.name), in: sequence),
      !earlier.knownLoops.contains("\(definition.name)/\(sequence)")
    {
      return
    }
    let loop = LoopRun(
      definition, isForEach: program.step(definition.name) != nil, sequence: sequence, owner: owner,
      total: program.count(of: definition.over))
    loops.append(loop)
    proceed(loop)
  }

  /// Opens what iterations it may and ends the loop when there are none left.
  private func proceed(_ loop: LoopRun) {
    let limit = loop.definition.maxConcurrent
    while loop.status == .running, !isStopped, loop.opened < loop.total,
      limit == 0 || loop.opened - loop.ended < limit
    {
      loop.opened += 1
      let iteration = Iteration(of: loop, index: loop.opened)
      iterations.append(iteration)
      if loop.isForEach, let step = program.step(loop.definition.name) {
        begin(step, in: iteration.sequence, by: iteration)
      }
      for event in loop.definition.start { raise(event, in: iteration.sequence, by: iteration) }
    }
    guard loop.status == .running, loop.ended == loop.opened else { return }
    if loop.opened == loop.total {
      let isSuccess = loop.total == 0 || (loop.definition.wait != .any && !loop.failed)
      finish(loop, as: isSuccess ? .success : .failure)
    } else if isStopped {
      finish(loop, as: loop.failed ? .failure : .cancelled)
    }
  }

  private func closeQuietIterations() {
    func isBusy(_ iteration: Iteration) -> Bool {
      let belongs = { (owner: Iteration?) in owner?.chain.contains { $0 === iteration } ?? false }
      return work.contains { belongs($0.owner) }
        || loops.contains { $0.status == .running && belongs($0.owner) }
    }
    while let quiet = iterations.first(where: { $0.isOpen && !isBusy($0) }) { close(quiet) }
  }

  private func close(_ iteration: Iteration) {
    let loop = iteration.loop
    iteration.isOpen = false
    guard loop.status == .running else { return }
    loop.ended += 1
    if iteration.failed {
      loop.failed = true
      now.finished.remove(iteration.key)
    } else {
      now.finished.insert(iteration.key)
    }
    switch loop.definition.wait {
    case .any where !iteration.failed: finish(loop, as: .success)
    case .firstFailure where iteration.failed: finish(loop, as: .failure)
    default: proceed(loop)
    }
  }

  private func finish(_ loop: LoopRun, as status: LoopStatus) {
    loop.status = status
    guard status != .cancelled else { return }
    conclude(
      loop.definition.name, in: loop.sequence, by: loop.owner, succeeded: status == .success,
      triggers: loop.definition.triggers, stops: !loop.counted)
  }
}

extension Program {
  /// The sequences in which what nothing starts begins.
  var startSequences: [Sequence] {
    var sequences: [Sequence] = []
    for start in start ?? [] where !sequences.contains(start.sequence) { sequences.append(start.sequence) }
    return sequences.isEmpty ? [.first] : sequences
  }

  /// How many items there are. References are to parameters, with their defaults; anything else is no item.
  func count(of items: Items) -> Int {
    func parameter(_ reference: String) -> JSONValue? {
      parameters.first { "${param.\($0.name)}" == reference }?.defaultValue
    }
    func number(_ end: RangeEnd) -> Int {
      switch end {
      case .value(let value): return value
      case .reference(let text):
        if case .integer(let value)? = parameter(text) { return Int(value) }
        return 0
      }
    }
    switch items {
    case .list(let values): return values.count
    case .range(let from, let to): return max(0, number(to) - number(from) + 1)
    case .reference(let text):
      if case .array(let values)? = parameter(text) { return values.count }
      return 0
    }
  }
}

// MARK: What follows from what, as written

/// Something in some sequences; `*` in the sequence stands for any iteration.
struct Place: Hashable {
  enum Item: Hashable {
    case event(String)
    /// A step; the body of the loop if it has `foreach`.
    case step(String)
    /// The start of a loop and all that it does.
    case loop(String)
    /// The end of a loop alone.
    case loopEnd(String)
  }
  let item: Item
  let sequence: Sequence
}

extension Set<Place> {
  func hold(_ item: Place.Item, in sequence: Sequence) -> Bool {
    contains { place in
      let (pattern, parts) = (place.sequence.components, sequence.components)
      return place.item == item && pattern.count == parts.count
        && zip(pattern, parts).allSatisfy { $0 == "*" || $0 == $1 }
    }
  }
}

/// Static reachability.
struct Reach {
  let program: Program
  /// What stands directly inside each loop, in its iterations' own sequences.
  private var inside: [(loop: String, items: Set<Place.Item>)] = []
  /// Loops that start themselves nest without end; nothing generated goes deeper than 3.
  private static let deepest = 8

  init(_ program: Program) {
    self.program = program
    let names = program.loops.map(\.name) + program.steps.filter { $0.forEach != nil }.map(\.name)
    inside = names.map { ($0, level(from: body(of: $0))) }
  }

  /// Where step `name` runs: in `sequence`, or wherever the run's start can bring it.
  func places(of name: String, in sequence: Sequence?) -> [Place] {
    if let sequence {
      let iterations = Sequence(sequence.text + "/*")
      let isForEach = program.step(name)?.forEach != nil
      return [Place(item: .step(name), sequence: sequence)]
        + (isForEach ? [Place(item: .step(name), sequence: iterations)] : [])
    }
    let starts = program.start ?? program.defaultStart.map { Program.Start(event: $0) }
    let roots =
      starts.map { Place(item: .event($0.event), sequence: $0.sequence) }
      + program.startSequences.flatMap { sequence in
        program.unprompted.map { Place(item: node($0), sequence: sequence) }
      }
    return closure(roots).filter { $0.item == .step(name) }
  }

  /// `roots` and all that follows from them.
  func closure(_ roots: [Place]) -> Set<Place> {
    var found: Set<Place> = []
    var open = roots
    while let place = open.popLast() {
      guard place.sequence.components.count <= Self.deepest, found.insert(place).inserted else { continue }
      open += successors(of: place.item).map { Place(item: $0, sequence: place.sequence) }
      if case .loop(let name) = place.item {
        let iterations = Sequence(place.sequence.text + "/*")
        open += body(of: name).map { Place(item: $0, sequence: iterations) }
      }
      if let outer = place.sequence.outer {
        open += inside.filter { $0.items.contains(place.item) }
          .map { Place(item: .loopEnd($0.loop), sequence: outer) }
      }
    }
    return found
  }

  /// What is reached from `roots` without leaving their sequence.
  func level(from roots: [Place.Item]) -> Set<Place.Item> {
    var found: Set<Place.Item> = []
    var open = roots
    while let item = open.popLast() {
      if found.insert(item).inserted { open += successors(of: item) }
    }
    return found
  }

  private func successors(of item: Place.Item) -> [Place.Item] {
    switch item {
    case .event(let name):
      return program.targets(of: name).map { node($0.name) }
        + program.events.filter { $0.when?.operands.contains(name) ?? false }.map { .event($0.name) }
    case .step(let name):
      guard let step = program.step(name), step.forEach == nil else { return [] }
      return after(name, step.triggers)
    case .loop(let name): return [.loopEnd(name)]
    case .loopEnd(let name): return program.loopNode(name).map { after(name, $0.triggers) } ?? []
    }
  }

  private func after(_ name: String, _ triggers: Program.Triggers) -> [Place.Item] {
    (triggers.success + triggers.failure + triggers.complete + triggers.skipped).map { .event($0) }
      + program.waiting(for: name).map { node($0.name) }
  }

  private func body(of loop: String) -> [Place.Item] {
    program.loop(loop)?.start.map { .event($0) } ?? [.step(loop)]
  }

  private func node(_ name: String) -> Place.Item {
    if program.loopNode(name) != nil { return .loop(name) }
    return program.step(name) != nil ? .step(name) : .event(name)
  }
}
