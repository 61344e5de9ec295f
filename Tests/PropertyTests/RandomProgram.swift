import Model

/// A small, well mixed generator of its own, so that a seed means the same program everywhere and for ever
/// (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
struct SplitMix64 {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A number from 0 up to, not including, `bound`.
  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

  mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

  mutating func pick<Element>(_ choices: [Element]) -> Element { choices[below(choices.count)] }

  /// Up to `count` different ones, in the order given.
  mutating func pick<Element>(_ count: Int, of choices: [Element]) -> [Element] {
    var left = Array(choices.indices)
    while left.count > count { left.remove(at: below(left.count)) }
    return left.map { choices[$0] }
  }
}

/// A valid program made from a seed, and which of its attempts fail.
///
/// What a run of it comes to does not depend on the order in which ready steps run. Everything that only adds up
/// (events once per sequence, `and`, `or`, `after`, delays, loops that end when all is over) is so by nature, each
/// node and event standing in one scope: the top, or the body of one loop. The rest is avoided:
///
/// - `stop_on_failure` with a possible unhandled failure, because what had started before the stop depends on the
///   order: only chains with one task at once have it, with bystanders of a lower priority.
/// - `wait: any` and `first_failure` with parallel iterations: which one is first depends on the order.
/// - `until` raised while something that may fail is still open: whether the failure still counts depends on the
///   order. Such bodies are chains that end with it; only steps that can't fail run beside or after it.
/// - Two loops of one sequence that raise the same event in `S/i`: the first one there would own what follows.
///   At most one loop of a program shares events with the scope around it.
/// - Retries in chains: whether a bystander gets in between two attempts is not said.
///
/// Also avoided is what two readings of "a task inside an iteration that had ended as success" (the task, or the
/// iteration?) would recover differently: in loops handled failures have `failure: skip`, steps of programs with
/// failures `success: skip`, and a loop within a loop neither hides unhandled failures behind events nor by
/// `wait: any`.
struct RandomProgram: CustomStringConvertible {
  /// Some steps of one run, run again.
  struct Rerun: Hashable {
    var steps: [String]
    var sequence: String?
    var only: Bool
  }

  let seed: UInt64
  var program: Program
  /// The steps some of whose attempts fail.
  let fragile: Set<String>
  /// Whether a loop starts an event of the scope around it.
  let shares: Bool

  init(seed: UInt64) {
    var author = Author(seed: seed)
    author.write()
    self.seed = seed
    program = author.program
    fragile = author.fragile
    shares = author.shares
  }

  /// The first program from `seed` on whose outcome does not depend on the order, and how many were passed over.
  static func confluent(seed: UInt64) -> (random: RandomProgram, discarded: Int) {
    var seeds = SplitMix64(seed)
    var candidate = RandomProgram(seed: seed)
    var discarded = 0
    while !candidate.isConfluent {
      candidate = RandomProgram(seed: seeds.next())
      discarded += 1
    }
    return (candidate, discarded)
  }

  /// A first run fails about one fragile attempt in five; in later recoveries few fail.
  func succeeds(_ step: String, _ sequence: String, _ recovery: Int, _ attempt: Int) -> Bool {
    guard fragile.contains(step) else { return true }
    // FNV-1a over the attempt's name, mixed with the seed.
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in "\(step)/\(sequence)#\(recovery).\(attempt)".utf8 {
      hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
    }
    var random = SplitMix64(hash ^ seed)
    return !random.chance(recovery == 0 ? 20 : 4)
  }

  /// The reference for this program and its failures.
  func reference(order: UInt64? = nil) -> ReferenceInterpreter {
    ReferenceInterpreter(program, order: order, succeeds: succeeds)
  }

  /// Something to run again after `outcome`, if there is something whose result no unclear rule decides.
  ///
  /// Left out: programs that share events between scopes (whether a rerun in one scope reaches the other by name
  /// is not said); steps inside a loop that may end early (a later iteration, opened for the first time, does not
  /// follow, and its tasks would be left out); `only` where a loop could start for the first time.
  func rerun(after outcome: Outcome) -> Rerun? {
    let ran = outcome.ends.keys.sorted()
    guard !shares, !ran.isEmpty else { return nil }
    var random = SplitMix64(seed ^ 0x52_4552_554E)
    let reach = Reach(program)
    let steps = random.pick(1 + random.below(2), of: ran).compactMap { $0.split(separator: "/").first }
      .map(String.init)
    var rerun = Rerun(steps: steps, sequence: nil, only: random.chance(30))
    if random.chance(50), let key = ran.first(where: { $0.hasPrefix(steps[0] + "/") }) {
      rerun.steps = [steps[0]]
      rerun.sequence = String(key.dropFirst(steps[0].count + 1))
    }
    let named = rerun.steps.flatMap { reach.places(of: $0, in: rerun.sequence.map { Sequence($0) }) }
    let following = reach.closure(named)
    for place in following {
      guard case .loopEnd(let name) = place.item, program.loopNode(name)?.wait != .all else { continue }
      let iterations = Place(item: .step(name), sequence: Sequence(place.sequence.text + "/*"))
      let isWhole = following.contains(Place(item: .loop(name), sequence: place.sequence))
      if !isWhole && !following.contains(iterations) { return nil }
    }
    let startsLoop = following.contains { if case .loop = $0.item { true } else { false } }
    if startsLoop { rerun.only = false }
    return rerun
  }

  /// Whether a run, its recovery and a rerun come to the same in virtual time and in three other orders.
  var isConfluent: Bool {
    let usual = reference()
    let first = usual.run()
    let second = usual.recover(first)
    let rerun = rerun(after: second)
    let third = rerun.map { usual.rerun(second, steps: $0.steps, sequence: $0.sequence, only: $0.only) }
    return (1...3).allSatisfy { order in
      let other = reference(order: seed &+ UInt64(order))
      return other.run() == first && other.recover(first) == second
        && rerun.map { other.rerun(second, steps: $0.steps, sequence: $0.sequence, only: $0.only) } == third
    }
  }
}

/// Writes one program.
private struct Author {
  /// Where names are known: the top, or the body of a loop.
  private struct Scope {
    let depth: Int
    var events: [String]
    var nodes: [String] = []
    /// What may be raised again from inside, which makes joins and cycles.
    var raisable: [String] = []
    /// Whether an unhandled failure in it is possible, so that an iteration can fail.
    var mayFail = false
  }

  var random: SplitMix64
  var program: Program
  var fragile: Set<String> = []
  var shares = false
  private let failuresAllowed: Bool
  private var unhandledPossible = false
  private var lastNumber = 0

  init(seed: UInt64) {
    random = SplitMix64(seed)
    program = Program(name: "random-\(seed)")
    program.config.defaultHost = "s1"
    failuresAllowed = random.chance(70)
  }

  mutating func write() {
    if failuresAllowed && random.chance(20) { return writeStoppingChain() }
    program.parameters = [
      Program.Parameter(name: "sites", kind: .list, defaultValue: .array([.string("lab1"), .string("lab2")]))
    ]
    var top = Scope(depth: 0, events: (0..<random.below(4)).map { _ in "" })
    top.events = top.events.map { _ in newEvent() }
    let startsAreWritten = !top.events.isEmpty && random.chance(50)
    if startsAreWritten {
      // Raising a start event again makes a cycle that "once per sequence" ends. With the default start it would
      // be no start any more.
      top.raisable = top.events
      program.start = top.events.map { Program.Start(event: $0) }
      for name in random.pick(random.below(3), of: ["2", "night"]) {
        for event in random.pick(1 + random.below(top.events.count), of: top.events) {
          program.start?.append(Program.Start(event: event, sequence: Sequence(name)))
        }
      }
    }
    fill(&top, steps: 3 + random.below(22))
    if random.chance(10) { addExternal() }
    if startsAreWritten && random.chance(25) { share(top) }
    program.config.maxConcurrent = random.pick([0, 1, 2, 4])
    program.config.stopOnFailure = !unhandledPossible && random.chance(70)
  }

  // MARK: Chains that stop

  /// One step after the other with one task at once, so that it is certain what has run when one fails. The
  /// bystanders are ready in the same transactions as the chain's steps but come last, and end as cancelled if an
  /// unhandled failure stops the run.
  private mutating func writeStoppingChain() {
    program.config.maxConcurrent = 1
    var events = [newEvent()]
    let count = 3 + random.below(10)
    var last: String?
    for position in 1...count {
      var step = Program.Step(name: newName("s"))
      if let last, program.steps.last?.triggers.success.isEmpty ?? false {
        step.after = [last]
      } else {
        step.on = [events[events.count - 1]]
      }
      fragile.insert(step.name)
      if position < count && random.chance(75) {
        let next = newEvent()
        events.append(next)
        step.triggers.success = [next]
        if random.chance(30) { step.triggers.failure = [random.chance(50) ? next : newEvent()] }
      }
      step.recovery.failure = random.chance(15) ? .skip : .rerun
      step.recovery.success = random.chance(15) ? .rerun : .skip
      last = step.name
      program.steps.append(step)
    }
    for _ in 0..<random.below(3) {
      var bystander = Program.Step(name: newName("s"))
      bystander.on = [random.pick(events)]
      bystander.priority = -1
      program.steps.append(bystander)
    }
  }

  // MARK: Scopes

  private mutating func fill(_ scope: inout Scope, steps: Int) {
    var left = steps
    while left > 0 {
      let kind = random.below(100)
      if kind < 20, scope.depth < 2, left > 1 {
        let inside = 1 + random.below(min(left - 1, 6))
        addLoop(to: &scope, steps: inside)
        left -= inside
      } else {
        addStep(to: &scope, isForEach: kind < 33)
        left -= 1
      }
      if random.chance(20) { addExpression(to: &scope) }
      if random.chance(12), let event = scope.events.last {
        let other = newEvent()
        program.associations.append(
          Program.Association(event: random.chance(50) ? event : random.pick(scope.events), targets: [other]))
        if random.chance(70) { program.associations[program.associations.count - 1].delay = delay() }
        scope.events.append(other)
        scope.raisable.append(other)
      }
    }
  }

  /// How a node begins: `on`, `after`, an association, or nothing.
  private mutating func beginning(of name: String, in scope: Scope) -> (on: [String], after: [String]) {
    let kind = random.below(100)
    if !scope.nodes.isEmpty && (kind < 25 || scope.events.isEmpty) {
      return ([], random.pick(1 + random.below(3), of: scope.nodes))
    }
    // Nothing begins inside a loop by itself: it would begin with the run instead.
    if scope.events.isEmpty || (scope.depth == 0 && kind < 33) { return ([], []) }
    if kind < 60 {
      let delay = random.chance(70) ? delay() : .zero
      program.associations.append(
        Program.Association(event: random.pick(scope.events), targets: [name], delay: delay))
      // Sometimes started twice, by whichever comes first.
      guard random.chance(25) else { return ([], []) }
    }
    return (random.pick(1 + random.below(2), of: scope.events), [])
  }

  private mutating func addStep(to scope: inout Scope, isForEach: Bool) {
    var step = Program.Step(name: newName(isForEach ? "f" : "s"))
    (step.on, step.after) = beginning(of: step.name, in: scope)
    if failuresAllowed && random.chance(70) { fragile.insert(step.name) }
    let isFragile = fragile.contains(step.name)
    if random.chance(10) { step.retry = Program.Retry(attempts: 2 + random.below(2)) }
    step.triggers = triggers(in: &scope, failure: true)
    let isHandled = !(step.triggers.failure + step.triggers.complete).isEmpty
    step.recovery.failure = random.chance(20) ? .skip : .rerun
    step.recovery.success = random.chance(20) ? .rerun : .skip
    var answers = isHandled
    if isForEach {
      var forEach = Program.ForEach(over: items())
      forEach.atOnce = random.pick([1, 2, 0])
      if forEach.atOnce == 1 { forEach.wait = random.pick([.all, .all, .any, .firstFailure]) }
      answers = isHandled || forEach.wait == .any
      step.forEach = forEach
    }
    if scope.depth > 0 {
      if answers { step.recovery.failure = .skip }
      if failuresAllowed { step.recovery.success = .skip }
    }
    if isFragile && !isHandled {
      scope.mayFail = true
      unhandledPossible = true
    }
    program.steps.append(step)
    scope.nodes.append(step.name)
  }

  private mutating func addLoop(to scope: inout Scope, steps: Int) {
    var loop = Program.Loop(name: newName("l"), over: items())
    (loop.on, loop.after) = beginning(of: loop.name, in: scope)
    loop.start = (0..<(1 + random.below(2))).map { _ in newEvent() }
    var body = Scope(depth: scope.depth + 1, events: loop.start, raisable: loop.start)
    if random.chance(30) {
      loop.until = [writeUntilChain(in: &body, steps: steps)]
    } else {
      fill(&body, steps: steps)
    }
    loop.maxConcurrent = random.pick([1, 2, 0])
    if loop.maxConcurrent == 1 {
      loop.wait = random.pick([.all, .all, .firstFailure, scope.depth > 0 && body.mayFail ? .all : .any])
    }
    loop.triggers = triggers(in: &scope, failure: scope.depth == 0 || !body.mayFail)
    if body.mayFail && (loop.triggers.failure + loop.triggers.complete).isEmpty { scope.mayFail = true }
    program.loops.append(loop)
    scope.nodes.append(loop.name)
  }

  /// The body of a loop with `until`: steps one after the other, the last of which raises it. A failure on the way
  /// raises it at once or, unhandled, leaves the iteration to end by itself.
  private mutating func writeUntilChain(in scope: inout Scope, steps: Int) -> String {
    let until = newEvent()
    // Beside the chain and after the iteration's end: steps that can't fail.
    let aside = [scope.events[0], until].prefix(steps - 1).filter { _ in random.chance(35) }
    for event in aside {
      let name = newName("s")
      program.steps.append(Program.Step(name: name))
      program.associations.append(
        Program.Association(event: event, targets: [name], delay: random.chance(50) ? delay() : .zero))
    }
    var last = scope.events[0]
    for left in stride(from: steps - aside.count, to: 0, by: -1) {
      var step = Program.Step(name: newName("s"))
      step.on = [last]
      last = left == 1 ? until : newEvent()
      step.triggers.success = [last]
      if failuresAllowed && random.chance(50) {
        fragile.insert(step.name)
        if random.chance(50) {
          step.triggers.failure = [until]
          step.recovery.failure = .skip
        } else {
          scope.mayFail = true
          unhandledPossible = true
        }
      }
      program.steps.append(step)
    }
    return until
  }

  private mutating func triggers(in scope: inout Scope, failure: Bool) -> Program.Triggers {
    var triggers = Program.Triggers()
    if random.chance(55) { triggers.success = raised(in: &scope) }
    if failure && random.chance(35) { triggers.failure = raised(in: &scope) }
    if failure && random.chance(20) { triggers.complete = raised(in: &scope) }
    return triggers
  }

  /// An event to raise: mostly a new one, else one that is known, perhaps what led here.
  private mutating func raised(in scope: inout Scope) -> [String] {
    if !scope.raisable.isEmpty && random.chance(25) { return [random.pick(scope.raisable)] }
    let event = newEvent()
    scope.events.append(event)
    scope.raisable.append(event)
    return [event]
  }

  private mutating func addExpression(to scope: inout Scope) {
    guard scope.events.count > 1 else { return }
    let operands = random.pick(2 + random.below(3), of: scope.events).map { Expression.event($0) }
    let halves = (Array(operands.prefix(operands.count / 2)), Array(operands.dropFirst(operands.count / 2)))
    let condition: Expression =
      switch random.below(operands.count > 3 ? 4 : 2) {
      case 0: .all(operands)
      case 1: .any(operands)
      case 2: .all([.any(halves.0), .any(halves.1)])
      default: .any([.all(halves.0), .all(halves.1)])
      }
    let event = newEvent()
    program.events[program.events.count - 1].when = condition
    scope.events.append(event)
  }

  /// An event from outside that never comes, and a step that waits for it in vain.
  private mutating func addExternal() {
    let event = newEvent()
    program.events[program.events.count - 1].external = true
    var step = Program.Step(name: newName("s"))
    step.on = [event]
    program.steps.append(step)
  }

  /// Lets one loop start an event of the top as well, if that starts no loop (a loop that starts itself would nest
  /// without end).
  private mutating func share(_ top: Scope) {
    guard let position = program.loops.indices.last(where: { top.nodes.contains(program.loops[$0].name) }),
      program.loops[position].until.isEmpty
    else { return }
    let event = random.pick(top.events)
    let reached = Reach(program).level(from: [.event(event)])
    guard !reached.contains(where: { if case .loop = $0 { true } else { false } }) else { return }
    program.loops[position].start.append(event)
    shares = true
    for index in program.steps.indices where reached.contains(.step(program.steps[index].name)) {
      let triggers = program.steps[index].triggers
      if !(triggers.failure + triggers.complete).isEmpty { program.steps[index].recovery.failure = .skip }
      if failuresAllowed { program.steps[index].recovery.success = .skip }
    }
  }

  // MARK: Small things

  private mutating func newName(_ kind: String) -> String {
    lastNumber += 1
    return kind + String(lastNumber)
  }

  private mutating func newEvent() -> String {
    let name = newName("e")
    program.events.append(Program.Event(name: name))
    return name
  }

  private mutating func delay() -> TimeSpan { TimeSpan(microseconds: Int64(random.below(31)) * 1000) }

  private mutating func items() -> Program.Items {
    switch random.below(10) {
    case 0: return .list([])
    case 1: return .reference("${param.sites}")
    case 2...5: return .range(from: .value(1), to: .value(random.below(4)))
    default: return .list((0...random.below(3)).map { .string("i\($0)") })
    }
  }
}

// MARK: As text

extension RandomProgram {
  /// The program as a program file, under its seed and the attempts that fail in a first run: all that is needed to
  /// keep a case.
  var description: String {
    final class Failures { var names: [String] = [] }
    let failures = Failures()
    let judge = { (step: String, sequence: String, recovery: Int, attempt: Int) in
      let passed = succeeds(step, sequence, recovery, attempt)
      if !passed { failures.names.append("\(step)/\(sequence)#\(attempt)") }
      return passed
    }
    _ = ReferenceInterpreter(program, succeeds: judge).run()
    let header = [
      "# seed \(seed); fails: \(failures.names.isEmpty ? "-" : failures.names.joined(separator: " "))"
    ]
    return (header + program.lines).joined(separator: "\n") + "\n"
  }
}

extension Program {
  /// The lines of a program file; only what generated programs use.
  fileprivate var lines: [String] {
    var lines = ["program: \(name)"]
    func section(_ title: String, _ entries: [String]) {
      if !entries.isEmpty { lines += ["\(title):"] + entries.map { "  " + $0 } }
    }
    section("parameters", parameters.map { "\($0.name): \(($0.defaultValue ?? .null).json)" })
    section(
      "config",
      ["max_concurrent: \(config.maxConcurrent)", "stop_on_failure: \(config.stopOnFailure)"]
        + (config.defaultHost.map { ["default_host: \($0)"] } ?? []))
    section(
      "events",
      events.map { event in
        let when = event.when.map { ["when: \($0)"] } ?? []
        return "\(event.name): {" + (when + (event.external ? ["external: true"] : [])).joined() + "}"
      })
    section("steps", steps.map { "\($0.name): {\($0.fields.joined(separator: ", "))}" })
    section("loops", loops.map { "\($0.name): {\($0.fields.joined(separator: ", "))}" })
    section(
      "associations",
      associations.map { "- {event: \($0.event), to: \(list($0.targets)), delay: \($0.delay)}" })
    section("start", (start ?? []).map { "- {event: \($0.event), sequence: \"\($0.sequence)\"}" })
    return lines
  }
}

extension Program.Step {
  fileprivate var fields: [String] {
    var fields = beginning(on, after)
    if let retry { fields.append("retry: {attempts: \(retry.attempts)}") }
    fields += triggers.field
    fields.append("recovery: {failure: \(recovery.failure), success: \(recovery.success)}")
    if let forEach {
      fields.append(
        "foreach: \(forEach.over.text), at_once: \(forEach.atOnce), wait: \(forEach.wait.rawValue)")
    }
    if priority != 0 { fields.append("priority: \(priority)") }
    return fields
  }
}

extension Program.Loop {
  fileprivate var fields: [String] {
    beginning(on, after)
      + ["over: \(over.text)", "max_concurrent: \(maxConcurrent)", "start: \(list(start))"]
      + (until.isEmpty ? [] : ["until: \(list(until))"])
      + (wait == .all ? [] : ["wait: \(wait.rawValue)"]) + triggers.field
  }
}

extension Program.Triggers {
  fileprivate var field: [String] {
    let parts = [("success", success), ("failure", failure), ("complete", complete)]
      .filter { !$0.1.isEmpty }.map { "\($0.0): \(list($0.1))" }
    return parts.isEmpty ? [] : ["triggers: {\(parts.joined(separator: ", "))}"]
  }
}

extension Program.Items {
  fileprivate var text: String {
    switch self {
    case .list(let values): JSONValue.array(values).json
    case .range(.value(let from), .value(let to)): "{from: \(from), to: \(to)}"
    case .range(let from, let to): "{from: \(from), to: \(to)}"
    case .reference(let reference): "\"\(reference)\""
    }
  }
}

private func beginning(_ on: [String], _ after: [String]) -> [String] {
  (on.isEmpty ? [] : ["on: \(list(on))"]) + (after.isEmpty ? [] : ["after: \(list(after))"])
}

private func list(_ names: [String]) -> String { "[\(names.joined(separator: ", "))]" }
