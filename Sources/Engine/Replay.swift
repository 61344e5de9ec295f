public import Model

/// What a recovery, a rerun or a mark by hand does with tasks that ended before.
public struct Replay: Sendable, Hashable, Codable {
  /// What was asked for.
  public enum Kind: String, Sendable, Codable {
    /// Every task follows its step's policy.
    case recover
    /// What is named, and what follows from it, runs; the rest stands.
    case rerun
  }

  /// A task ended by hand.
  public struct Mark: Sendable, Hashable, Codable {
    /// The step.
    public let step: String
    /// The sequence.
    public let sequence: Sequence
    /// `success` or `failure`.
    public let status: TaskStatus
    /// Who, and why.
    public let by: String

    /// Ends `step` in `sequence` as `status`.
    public init(step: String, sequence: Sequence, status: TaskStatus, by: String) {
      self.step = step
      self.sequence = sequence
      self.status = status
      self.by = by
    }
  }

  /// What is done with one task.
  public enum Decision: Sendable, Hashable {
    /// It is run.
    case run
    /// Its earlier end is repeated.
    case `repeat`(EarlierEnd)
    /// It ends as was marked.
    case mark(Mark)
    /// It is not made: it never ran, and does not follow from what is rerun.
    case leaveOut
  }

  /// What was asked for.
  public let kind: Kind
  /// What a rerun runs.
  public let rerun: RerunSet
  /// Tasks ended by hand.
  public let marks: [Mark]

  /// A replay of this kind.
  public init(kind: Kind, rerun: RerunSet = RerunSet(), marks: [Mark] = []) {
    self.kind = kind
    self.rerun = rerun
    self.marks = marks
  }

  /// What is done with the task of `step` in `sequence`.
  ///
  /// - Parameters:
  ///   - earlier: How it ended before, if it did.
  ///   - isInRepeatedIteration: Whether its iteration had succeeded before.
  public func decision(
    for step: Program.Step, in sequence: Sequence, earlier: EarlierEnd?, isInRepeatedIteration: Bool
  ) -> Decision {
    if let mark = marks.first(where: { $0.step == step.name && $0.sequence == sequence }) {
      return .mark(mark)
    }
    switch kind {
    case .rerun:
      if rerun.contains(step: step.name, in: sequence) { return .run }
      return earlier.map { .repeat($0) } ?? .leaveOut
    case .recover:
      guard let earlier else { return .run }
      if isInRepeatedIteration { return .repeat(earlier) }
      let choice = earlier.status == .success ? step.recovery.success : step.recovery.failure
      return choice == .skip ? .repeat(earlier) : .run
    }
  }

  /// Whether an iteration that succeeded before is repeated whole.
  public func repeatsFinishedIterations() -> Bool { kind == .recover }

  /// Whether a loop that was never opened before may be opened in `sequence`.
  public func mayOpen(loop name: String, in sequence: Sequence) -> Bool {
    kind == .recover || rerun.contains(loop: name, in: sequence)
  }
}

/// The tasks that a rerun runs: names with patterns of sequences, in which `*` stands for any one component.
public struct RerunSet: Sendable, Hashable, Codable {
  /// Patterns of sequences by step.
  public private(set) var steps: [String: Set<String>] = [:]
  /// Patterns of sequences by loop.
  public private(set) var loops: [String: Set<String>] = [:]

  /// Nothing.
  public init() {}

  /// Whether the task of `step` in `sequence` runs.
  public func contains(step: String, in sequence: Sequence) -> Bool { Self.matches(steps[step], sequence) }

  /// Whether `loop` in `sequence` follows from what runs.
  public func contains(loop: String, in sequence: Sequence) -> Bool { Self.matches(loops[loop], sequence) }

  mutating func insert(step: String, pattern: String) -> Bool {
    steps[step, default: []].insert(pattern).inserted
  }
  mutating func insert(loop: String, pattern: String) -> Bool {
    loops[loop, default: []].insert(pattern).inserted
  }

  private static func matches(_ patterns: Set<String>?, _ sequence: Sequence) -> Bool {
    guard let patterns else { return false }
    if patterns.contains(sequence.text) { return true }
    let parts = sequence.components
    return patterns.contains { pattern in
      let wanted = Sequence(pattern).components
      return wanted.count == parts.count && zip(wanted, parts).allSatisfy { $0 == "*" || $0 == $1 }
    }
  }
}

extension RerunSet {
  /// The tasks of `roots` and, unless `only`, everything that the graph lets follow from them: what their ends
  /// raise, what that starts, whole loops it opens, and the ends of the loops they are inside of.
  ///
  /// - Parameters:
  ///   - roots: Steps with the sequences in which they run again.
  ///   - only: Whether what follows is left out.
  ///   - plan: The program.
  public init(roots: [(step: String, sequence: Sequence)], only: Bool, in plan: Plan) {
    var walk = FollowWalk(plan: plan, bodies: plan.loops.mapValues { plan.reach(of: $0) })
    for root in roots {
      _ = walk.found.insert(step: root.step, pattern: root.sequence.text)
      if !only { walk.ended(step: root.step, root.sequence) }
    }
    walk.drain()
    self = walk.found
  }
}

/// Follows the edges of a plan forward from steps that run again.
private struct FollowWalk {
  let plan: Plan
  /// What each loop's iterations can hold, in their own sequence.
  let bodies: [String: Set<Plan.Target>]
  var found = RerunSet()
  private var events: [String: Set<String>] = [:]
  private var closed: [String: Set<String>] = [:]
  private var queue: [(target: Plan.Target, pattern: Sequence)] = []

  init(plan: Plan, bodies: [String: Set<Plan.Target>]) {
    self.plan = plan
    self.bodies = bodies
  }

  mutating func drain() {
    while let (target, pattern) = queue.popLast() { arrive(at: target, pattern) }
  }

  mutating func ended(step name: String, _ pattern: Sequence) {
    guard let step = plan.steps[name] else { return }
    for event in step.triggers.all { queue.append((.event(event), pattern)) }
    if let marker = step.successMarker { queue.append((.event(marker), pattern)) }
    leave(.step(name), pattern)
  }

  private mutating func arrive(at target: Plan.Target, _ pattern: Sequence) {
    switch target {
    case .event(let name):
      guard events[name, default: []].insert(pattern.text).inserted else { return }
      for launch in plan.launches[name] ?? [] { queue.append((launch.target, pattern)) }
      for dependent in plan.dependents[name] ?? [] { queue.append((.event(dependent), pattern)) }
      leave(target, pattern)
    case .step(let name):
      if found.insert(step: name, pattern: pattern.text) { ended(step: name, pattern) }
    case .loop(let name):
      guard found.insert(loop: name, pattern: pattern.text), let loop = plan.loops[name] else { return }
      for body in loop.body { queue.append((body, Sequence(pattern.text + "/*"))) }
      ended(loop: name, pattern)
    }
  }

  /// What runs again inside an iteration may change how its loop ends.
  private mutating func leave(_ target: Plan.Target, _ pattern: Sequence) {
    guard let outer = pattern.outer else { return }
    for (name, body) in bodies where body.contains(target) { ended(loop: name, outer) }
  }

  private mutating func ended(loop name: String, _ pattern: Sequence) {
    guard closed[name, default: []].insert(pattern.text).inserted, let loop = plan.loops[name] else { return }
    for event in loop.triggers.all { queue.append((.event(event), pattern)) }
    if let marker = loop.successMarker { queue.append((.event(marker), pattern)) }
    leave(.loop(name), pattern)
  }
}

extension Plan {
  /// What an iteration of `loop` can reach without leaving its own sequence.
  func reach(of loop: Plan.Loop) -> Set<Plan.Target> {
    var seen: Set<Plan.Target> = []
    var queue = loop.body
    while let target = queue.popLast() {
      guard seen.insert(target).inserted else { continue }
      switch target {
      case .event(let name):
        queue += (launches[name] ?? []).map(\.target)
        queue += (dependents[name] ?? []).map { .event($0) }
      case .step(let name):
        guard let step = steps[name] else { continue }
        queue += step.triggers.all.map { .event($0) }
        if let marker = step.successMarker { queue.append(.event(marker)) }
      case .loop(let name):
        guard let inner = loops[name] else { continue }
        queue += inner.triggers.all.map { .event($0) }
        if let marker = inner.successMarker { queue.append(.event(marker)) }
      }
    }
    return seen
  }
}
