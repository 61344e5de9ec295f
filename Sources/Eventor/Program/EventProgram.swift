public import Model

/// A program: a graph of events and steps whose steps are functions of this executable, or commands.
///
/// It builds the same model as a program file. What is named once is a handle from then on, so that a misspelt event does not
/// compile:
///
/// ```swift
/// var program = EventProgram("nightly")
/// let built = program.event("built")
/// program.step("build", triggers: .success(built)) { step in try await build(step.logger) }
/// program.step("test", on: built) { _ in try await test() }
/// let run = try await program.run()
/// ```
///
/// Nothing throws while a program is built; what is wrong with it is told by ``problems()``, and by everything that would run it.
public struct EventProgram: Sendable {
  /// Settings of the whole program.
  public struct Settings: Sendable {
    /// Tasks of a run at once over all hosts; 0 is no limit.
    public var maxConcurrent = 0
    /// Whether a failure that raises no event keeps new steps from starting.
    public var stopsOnFailure = true
    /// Where steps without a place of their own run.
    public var defaultHost: String?
    /// The longest a run may take.
    public var timeout: Duration?
    /// The longest a run may wait for its first step to start.
    public var queueTimeout: Duration?
    /// What the names of the variables begin with that tell a command who it is.
    public var environmentPrefix = "EVENTOR_"
    /// Free text.
    public var description: String?
  }

  /// The program's name.
  public var name: String { model.name }
  /// Settings of the whole program.
  public var settings = Settings()

  var model: Program
  /// What each function does, by the name of its step.
  var functions: [String: StepFunction] = [:]
  /// What the model can't tell is wrong.
  private var mistakes: [Problem] = []

  /// An empty program.
  public init(_ name: String) { model = Program(name: name) }

  // MARK: Events

  /// Declares an event; `external` ones are raised from outside, by `coordinator trigger` or ``RunHandle/trigger(_:sequence:)``.
  @discardableResult
  public mutating func event(_ name: String, external: Bool = false) -> EventHandle {
    model.events.append(Program.Event(name: name, external: external))
    return EventHandle(name: name)
  }

  /// Declares an event that is triggered as soon as `condition` holds.
  @discardableResult
  public mutating func event(_ name: String, when condition: EventCondition) -> EventHandle {
    model.events.append(Program.Event(name: name, when: condition.expression))
    return EventHandle(name: name)
  }

  /// Has `event` trigger others, each `delay` later.
  public mutating func associate(
    _ event: EventHandle, to events: EventHandle..., after delay: Duration = .zero
  ) {
    add(event, events.map(\.name), delay)
  }

  /// Has `event` start steps and loops, each `delay` later.
  public mutating func associate(
    _ event: EventHandle, to nodes: any ProgramNode..., after delay: Duration = .zero
  ) {
    add(event, nodes.map(\.name), delay)
  }

  /// Has each new run trigger `event`. Without this it triggers every event that nothing raises, in sequence `1`.
  public mutating func start(_ event: EventHandle, sequence: String = "1") {
    model.start = (model.start ?? []) + [Program.Start(event: event.name, sequence: Sequence(sequence))]
  }

  /// Has runs start by themselves, once the program is registered with the agents: each triggers `event` alone.
  ///
  /// - Parameters:
  ///   - name: What the schedule is called.
  ///   - cron: A cron line of five fields.
  ///   - timeZone: By whose clock it is read.
  ///   - event: What the run begins with.
  ///   - missed: What becomes of firings for whose time nobody was there.
  ///   - overlap: What a firing does while the former run still goes.
  ///   - lateAfter: How long after its time a run must be over; nil: it is never late.
  public mutating func schedule(
    _ name: String, cron: String, timeZone: String = "UTC", event: EventHandle, missed: MissedFirings = .last,
    overlap: OverlappingFiring = .skip, lateAfter: Duration? = nil
  ) {
    var schedule = Program.Schedule(name: name, cron: cron, event: event.name)
    schedule.timeZone = timeZone
    schedule.catchUp = missed.model
    schedule.overlap = overlap.model
    schedule.lateAfter = lateAfter.map(TimeSpan.init)
    model.schedule = (model.schedule ?? []) + [schedule]
  }

  /// Has `node` start once all of `nodes` have succeeded, besides those it waits for already: for steps that are made in a
  /// loop. A function may read their results.
  public mutating func join(_ nodes: [any ProgramNode], before node: any ProgramNode) {
    let names = nodes.map(\.name)
    if let place = model.loops.firstIndex(where: { $0.name == node.name }) {
      model.loops[place].after += names
    }
    guard let place = model.steps.firstIndex(where: { $0.name == node.name }) else { return }
    model.steps[place].after += names
    guard case .function(var call) = model.steps[place].action else { return }
    let steps = Set(model.steps.map(\.name))
    call.reads += names.filter { steps.contains($0) && !call.reads.contains($0) }
    model.steps[place].action = .function(call)
  }

  private mutating func add(_ event: EventHandle, _ targets: [String], _ delay: Duration) {
    model.associations.append(
      Program.Association(event: event.name, targets: targets, delay: TimeSpan(delay)))
  }

  // MARK: Parameters, groups, resources

  /// Declares a parameter with a default.
  public mutating func parameter<Value: Codable & Sendable>(
    _ name: String, default value: Value, choices: [Value]? = nil, description: String? = nil
  ) -> ParameterHandle<Value> {
    declare(name, value, choices, description)
  }

  /// Declares a parameter that each run must be given.
  public mutating func parameter<Value: Codable & Sendable>(
    _ name: String, as type: Value.Type, choices: [Value]? = nil, description: String? = nil
  ) -> ParameterHandle<Value> {
    declare(name, nil, choices, description)
  }

  /// Declares a parameter whose value is never stored, shown or logged. Only runs that the program drives itself take one.
  public mutating func secret(_ name: String, required: Bool = true, description: String? = nil)
    -> SecretHandle
  {
    var parameter = Program.Parameter(name: name, kind: .string)
    parameter.secret = true
    parameter.required = required
    parameter.description = description
    model.parameters.append(parameter)
    return SecretHandle(name: name)
  }

  /// Declares a set of hosts, any living one of which may take a member's steps.
  ///
  /// - Parameters:
  ///   - name: The group's name.
  ///   - hosts: Its hosts.
  ///   - maxConcurrent: Tasks of the group at once over all runs and hosts; 0 is no limit.
  public mutating func group(_ name: String, hosts: [String], maxConcurrent: Int = 0) -> GroupHandle {
    var group = Program.Group(name: name)
    group.hosts = hosts
    group.maxConcurrent = maxConcurrent
    model.groups.append(group)
    return GroupHandle(name: name)
  }

  /// Declares a set of hosts by the labels of their agents.
  ///
  /// - Parameters:
  ///   - name: The group's name.
  ///   - labels: What an agent must all have; `*` is any value.
  ///   - maxConcurrent: Tasks of the group at once over all runs and hosts; 0 is no limit.
  public mutating func group(_ name: String, labels: [String: String], maxConcurrent: Int = 0) -> GroupHandle
  {
    var group = Program.Group(name: name)
    group.match = labels
    group.maxConcurrent = maxConcurrent
    model.groups.append(group)
    return GroupHandle(name: name)
  }

  /// Over what the capacity of a resource is counted.
  public enum Scope: Sendable, Hashable {
    /// One run.
    case program
    /// All runs on one host.
    case host
    /// All runs in the store.
    case cluster
  }

  /// Declares something of which there is only so much.
  ///
  /// - Parameters:
  ///   - capacity: How much there is.
  ///   - scope: Over what it is counted.
  ///   - sensor: A command that prints how many are free outside; both that and the capacity must allow.
  ///   - interval: How often the sensor is asked; nil is 30 s.
  public mutating func resource(
    _ name: String, capacity: Int, scope: Scope = .program, sensor: [String]? = nil,
    every interval: Duration? = nil
  ) -> ResourceHandle {
    let counted: Program.Resource.Scope =
      switch scope {
      case .program: .program
      case .host: .host
      case .cluster: .cluster
      }
    var resource = Program.Resource(name: name, capacity: capacity, scope: counted)
    resource.sensor = sensor
    resource.every = interval.map(TimeSpan.init)
    model.resources.append(resource)
    return ResourceHandle(name: name)
  }

  private mutating func declare<Value: Codable & Sendable>(
    _ name: String, _ value: Value?, _ choices: [Value]?, _ description: String?
  ) -> ParameterHandle<Value> {
    var parameter = Program.Parameter(name: name, kind: Self.kind(of: Value.self))
    attempt("parameters.\(name)") {
      parameter.defaultValue = try value.map { try JSON.value(of: $0) }
      parameter.choices = try choices?.map { try JSON.value(of: $0) }
    }
    parameter.required = value == nil
    parameter.description = description
    model.parameters.append(parameter)
    return ParameterHandle(name: name)
  }

  private static func kind(of type: Any.Type) -> Program.Parameter.Kind {
    switch type {
    case is String.Type: .string
    case is any BinaryInteger.Type: .integer
    case is any BinaryFloatingPoint.Type: .number
    case is Bool.Type: .boolean
    case is any Collection.Type where !(type is any DictionaryType.Type): .list
    default: .any
    }
  }

  // MARK: Steps

  /// Adds a step; everything that adds one comes here.
  mutating func add(
    _ name: String, _ start: StepStart, _ triggers: Triggers, _ options: StepOptions,
    _ action: Program.Action,
    forEach: Program.ForEach? = nil
  ) {
    var step = Program.Step(name: name)
    step.on = start.events.map(\.name)
    step.after = start.nodes.map(\.name)
    step.host = start.host
    step.triggers = triggers.model
    step.action = action
    step.forEach = forEach
    options.apply(to: &step)
    if options.heartbeat != nil, !action.isFunction {
      mistakes.append(
        .error("steps.\(name).heartbeat", "only functions have a heartbeat; a command has a timeout"))
    }
    model.steps.append(step)
  }

  /// Adds a loop; ``loop(_:over:on:after:start:until:atOnce:wait:triggers:)`` comes here.
  mutating func add(_ loop: Program.Loop) { model.loops.append(loop) }

  /// Does `body`, and notes as a mistake at `path` what it throws.
  mutating func attempt(_ path: String, _ body: () throws -> Void) {
    do { try body() } catch { mistakes.append(.error(path, "\(error)")) }
  }

  // MARK: What is wrong

  /// Everything wrong or doubtful in the program, all at once.
  public func problems() -> [ProgramProblem] { mistakes + finished.problems() }

  /// Returns if the program can be run.
  ///
  /// - Throws: ``InvalidProgram``, which names every error.
  public func validate() throws {
    let errors = problems().filter { $0.severity == .error }
    if !errors.isEmpty { throw InvalidProgram(program: name, problems: errors) }
  }

  /// The model with the settings in it.
  var finished: Program {
    var program = model
    program.description = settings.description
    program.config.maxConcurrent = settings.maxConcurrent
    program.config.stopOnFailure = settings.stopsOnFailure
    program.config.defaultHost = settings.defaultHost
    program.config.environmentPrefix = settings.environmentPrefix
    program.config.timeout = settings.timeout.map(TimeSpan.init)
    program.config.queueTimeout = settings.queueTimeout.map(TimeSpan.init)
    return program
  }
}

/// Something wrong, or doubtful, in a program.
public typealias ProgramProblem = Problem

/// A program that can't be run.
public struct InvalidProgram: Error, Sendable, CustomStringConvertible {
  /// The program's name.
  public let program: String
  /// What is wrong.
  public let problems: [ProgramProblem]

  /// A line for each problem.
  public var description: String {
    "program '\(program)' can't be run:"
      + problems.map { "\n  \($0.path): \($0.message)" }.joined()
  }
}

/// Dictionaries are collections too, but no lists.
private protocol DictionaryType {}
extension Dictionary: DictionaryType {}

extension Program.Action {
  fileprivate var isFunction: Bool {
    if case .function = self { return true }
    return false
  }
}
