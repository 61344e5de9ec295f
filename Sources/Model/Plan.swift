/// A program made ready to run: names resolved, `on`, `after` and `foreach` turned into one kind of edge.
///
/// `after` and `foreach` need events of their own. Their names begin with `@`, which no written name can, and they
/// are left out of every listing (``isInternal(_:)``): `@ok:NAME` is raised by the success of node NAME, and
/// `@after:NAME` is the expression that starts NAME when it waits for several.
///
/// A plan is made of any program; names that do not exist are passed over, for ``Program/problems()`` names them.
public final class Plan: Sendable {
  /// Something an event can start.
  public enum Target: Sendable, Hashable {
    case event(String)
    case step(String)
    case loop(String)

    /// The name of what is started.
    public var name: String {
      switch self {
      case .event(let name), .step(let name), .loop(let name): name
      }
    }
  }

  /// An edge from an event to what it starts.
  public struct Launch: Sendable, Hashable {
    /// What is started.
    public let target: Target
    /// How long after the event.
    public let delay: TimeSpan
  }

  /// A step with the properties of its group filled in.
  public struct Step: Sendable {
    /// As its author wrote it, with `environment`, `workingDirectory`, `user` and `timeout` of the group where it
    /// says nothing itself.
    public let definition: Program.Step
    /// Hosts of its group; empty if it has none.
    public let groupHosts: [String]
    /// The most tasks of its group at once; 0 is no limit.
    public let groupLimit: Int
    /// What its end raises. Empty for the body of a `foreach`, whose loop raises them.
    public let triggers: Program.Triggers
    /// Raised in addition by success, where some node waits for it.
    public let successMarker: String?
    /// Whether its command, or what it is given, names the files for its result or its events: who names a file may want it
    /// to be there, to hand it to a container for instance.
    public let namesFiles: Bool

    /// Whether there is nothing to carry out.
    public var isEmpty: Bool { definition.action == .empty && definition.precondition == nil }

    static func namesFiles(_ step: Program.Step) -> Bool {
      var texts = Array(step.environment.values) + (step.precondition ?? [])
      switch step.action {
      case .run(let words): texts += words
      case .shell(let line): texts.append(line)
      case .empty, .function: break
      }
      return texts.contains { $0.contains("RESULT_FILE") || $0.contains("TRIGGER_FILE") }
    }
  }

  /// A loop, written as one or made from `foreach`.
  public struct Loop: Sendable {
    /// The name; that of the step for a `foreach`.
    public let name: String
    /// The items.
    public let over: Program.Items
    /// Iterations at once; 0 is all.
    public let maxConcurrent: Int
    /// What each iteration starts in its own sequence.
    public let body: [Target]
    /// Events that end an iteration.
    public let until: Set<String>
    /// When the loop is over.
    public let wait: Program.ForEach.Wait
    /// What its end raises in the outer sequence.
    public let triggers: Program.Triggers
    /// Raised in addition by success, where some node waits for it.
    public let successMarker: String?
    /// Whether it was made from `foreach`.
    public let isForEach: Bool

    /// Whether a failed task of an iteration is judged by the end of the loop alone: a `foreach` that says what its
    /// failure raises, or for which one success is enough.
    public var answersForItsTasks: Bool {
      isForEach && (wait == .any || !triggers.failure.isEmpty || !triggers.complete.isEmpty)
    }
  }

  /// The program it was made from.
  public let program: Program
  /// What each event starts.
  public let launches: [String: [Launch]]
  /// The conditions of expression events.
  public let expressions: [String: Expression]
  /// The expression events in whose condition an event stands.
  public let dependents: [String: [String]]
  /// The steps by name.
  public let steps: [String: Step]
  /// The loops by name.
  public let loops: [String: Loop]
  /// What a new run triggers.
  public let starts: [Program.Start]
  /// Whether any task of it must hold something before it starts, or counts against a limit.
  public let hasDemands: Bool
  /// Whether anything of it waits for a moment: a delay, a retry, or its turn at a resource. Limits on the time of the whole
  /// run are not meant.
  public let hasTimes: Bool
  /// Whether it has steps with nothing to carry out.
  public let hasEmptySteps: Bool
  /// Whether any step of it runs as somebody else than its agent.
  public let hasUsers: Bool
  /// Nodes that nothing starts: they begin with the run.
  public let initial: [(target: Target, sequence: Sequence)]

  /// Whether `event` is one of a plan's own, never shown.
  public static func isInternal(_ event: String) -> Bool { event.utf8.first == UInt8(ascii: "@") }

  /// Resolves `program`.
  public init(_ program: Program) {
    self.program = program
    let forEachNames = Set(program.steps.filter { $0.forEach != nil }.map(\.name))
    let stepNames = Set(program.steps.map(\.name))
    let loopNames = Set(program.loops.map(\.name)).union(forEachNames)
    let eventNames = Set(program.events.map(\.name))
    func node(_ name: String) -> Target? {
      if loopNames.contains(name) { return .loop(name) }
      if stepNames.contains(name) { return .step(name) }
      return nil
    }

    var edges = EdgeCollector()
    for event in program.events {
      if let condition = event.when { edges.add(condition: condition, of: event.name) }
    }
    var begun: Set<String> = []
    var awaited: Set<String> = []
    let nodes: [(name: String, on: [String], after: [String])] =
      program.steps.map { ($0.name, $0.on, $0.after) } + program.loops.map { ($0.name, $0.on, $0.after) }
    for entry in nodes {
      guard let target = node(entry.name) else { continue }
      for event in entry.on { edges.launch(target, by: event, delay: .zero) }
      let known = entry.after.filter { node($0) != nil }
      awaited.formUnion(known)
      if known.count == 1 {
        edges.launch(target, by: Self.successMarker(of: known[0]), delay: .zero)
      } else if known.count > 1 {
        let join = "@after:" + entry.name
        edges.add(condition: .all(known.map { .event(Self.successMarker(of: $0)) }), of: join)
        edges.launch(target, by: join, delay: .zero)
      }
      if !entry.on.isEmpty || !entry.after.isEmpty { begun.insert(entry.name) }
    }
    for association in program.associations {
      for name in association.targets {
        guard let target = node(name) ?? (eventNames.contains(name) ? .event(name) : nil) else { continue }
        edges.launch(target, by: association.event, delay: association.delay)
        begun.insert(name)
      }
    }
    launches = edges.launches
    expressions = edges.expressions
    dependents = edges.dependents

    let groups = Dictionary(program.groups.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var steps: [String: Step] = [:]
    var loops: [String: Loop] = [:]
    for step in program.steps {
      let marker = awaited.contains(step.name) ? Self.successMarker(of: step.name) : nil
      if let forEach = step.forEach {
        loops[step.name] = Loop(
          name: step.name, over: forEach.over, maxConcurrent: forEach.atOnce, body: [.step(step.name)],
          until: [], wait: forEach.wait, triggers: step.triggers, successMarker: marker, isForEach: true)
      }
      let group = step.group.flatMap { groups[$0] }
      let definition = step.inheriting(from: group)
      steps[step.name] = Step(
        definition: definition, groupHosts: group?.hosts ?? [],
        groupLimit: group?.maxConcurrent ?? 0,
        triggers: step.forEach == nil ? step.triggers : Program.Triggers(),
        successMarker: step.forEach == nil ? marker : nil, namesFiles: Step.namesFiles(definition))
    }
    for loop in program.loops {
      loops[loop.name] = Loop(
        name: loop.name, over: loop.over, maxConcurrent: loop.maxConcurrent,
        body: loop.start.map { .event($0) }, until: Set(loop.until), wait: loop.wait, triggers: loop.triggers,
        successMarker: awaited.contains(loop.name) ? Self.successMarker(of: loop.name) : nil, isForEach: false
      )
    }
    self.steps = steps
    self.loops = loops
    hasEmptySteps = steps.values.contains { $0.isEmpty }
    hasUsers = program.steps.contains { $0.user != nil } || program.groups.contains { $0.user != nil }
    hasDemands =
      program.config.maxConcurrent > 0
      || steps.values.contains { !$0.definition.acquires.isEmpty || $0.groupLimit > 0 }
    hasTimes =
      hasDemands || steps.values.contains { $0.definition.retry != nil }
      || launches.values.contains { $0.contains { $0.delay > .zero } }

    let starts = program.start ?? program.eventsNothingRaises.map { Program.Start(event: $0) }
    self.starts = starts
    var sequences: [Sequence] = []
    for start in starts where !sequences.contains(start.sequence) { sequences.append(start.sequence) }
    if sequences.isEmpty { sequences = [.first] }
    initial = nodes.filter { !begun.contains($0.name) }.flatMap { entry in
      sequences.compactMap { sequence in node(entry.name).map { ($0, sequence) } }
    }
  }

  /// The internal event raised by the success of node `name`.
  public static func successMarker(of name: String) -> String { "@ok:" + name }

  /// The sequence in which a run started by hand, with `sequence` given, begins.
  public func starts(in sequence: Sequence?) -> (
    events: [Program.Start], nodes: [(target: Target, sequence: Sequence)]
  ) {
    guard let sequence else { return (starts, initial) }
    var targets: [(target: Target, sequence: Sequence)] = []
    for entry in initial where !targets.contains(where: { $0.target == entry.target }) {
      targets.append((entry.target, sequence))
    }
    var events: [Program.Start] = []
    for start in starts where !events.contains(where: { $0.event == start.event }) {
      events.append(Program.Start(event: start.event, sequence: sequence))
    }
    return (events, targets)
  }
}

/// Gathers edges while a plan is made.
private struct EdgeCollector {
  var launches: [String: [Plan.Launch]] = [:]
  var expressions: [String: Expression] = [:]
  var dependents: [String: [String]] = [:]

  mutating func launch(_ target: Plan.Target, by event: String, delay: TimeSpan) {
    let edge = Plan.Launch(target: target, delay: delay)
    if launches[event]?.contains(edge) != true { launches[event, default: []].append(edge) }
  }

  mutating func add(condition: Expression, of event: String) {
    expressions[event] = condition
    for operand in condition.operands { dependents[operand, default: []].append(event) }
  }
}

extension Program {
  /// Events that no step, loop, association or expression raises and that are not said to come from outside.
  public var eventsNothingRaises: [String] {
    var raised: Set<String> = []
    for step in steps { raised.formUnion(step.triggers.all) }
    for loop in loops { raised.formUnion(loop.triggers.all + loop.start) }
    for association in associations { raised.formUnion(association.targets) }
    return events.filter { $0.when == nil && !$0.external && !raised.contains($0.name) }.map(\.name)
  }
}

extension Program.Step {
  /// The step with `group`'s properties where it says nothing itself; environments are merged, the step's wins.
  func inheriting(from group: Program.Group?) -> Program.Step {
    guard let group else { return self }
    var step = self
    step.environment = group.environment.merging(environment) { _, own in own }
    step.workingDirectory = workingDirectory ?? group.workingDirectory
    step.user = user ?? group.user
    step.timeout = timeout ?? group.timeout
    return step
  }
}
