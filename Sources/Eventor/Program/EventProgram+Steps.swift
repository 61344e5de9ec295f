import Model

/// What starts a step, and where.
struct StepStart {
  var events: [EventHandle] = []
  var nodes: [any ProgramNode] = []
  var host: String?
}

extension EventProgram {
  /// Adds a step that is a function with a result.
  ///
  /// - Parameters:
  ///   - name: The step's name.
  ///   - events: What starts it; any of them. With neither these nor `nodes` it starts with the run.
  ///   - nodes: Steps and loops all of which must have succeeded to start it. It may read the results of the steps.
  ///   - host: The host it is bound to; nil: see `StepOptions.group` and `Settings.defaultHost`.
  ///   - reading: Further steps whose results it reads.
  ///   - triggers: What its end raises.
  ///   - options: Everything else.
  ///   - function: What it does. An error that it throws is the step's failure, with its description.
  @discardableResult
  public mutating func step<Output: Codable & Sendable>(
    _ name: String, on events: EventHandle..., after nodes: any ProgramNode..., host: String? = nil,
    reading: [any ProgramNode] = [], triggers: Triggers = Triggers(), options: StepOptions = StepOptions(),
    run function: @escaping @Sendable (StepContext) async throws -> Output
  ) -> StepHandle<Output> {
    add(name, StepStart(events: events, nodes: nodes, host: host), reading, triggers, options, nil) { step in
      try JSON.value(of: try await function(step))
    }
  }

  /// Adds a step that is a function without a result. See the variant with one for the parameters.
  @discardableResult
  public mutating func step(
    _ name: String, on events: EventHandle..., after nodes: any ProgramNode..., host: String? = nil,
    reading: [any ProgramNode] = [], triggers: Triggers = Triggers(), options: StepOptions = StepOptions(),
    run function: @escaping @Sendable (StepContext) async throws -> Void
  ) -> StepHandle<NoResult> {
    add(name, StepStart(events: events, nodes: nodes, host: host), reading, triggers, options, nil) { step in
      try await function(step)
      return nil
    }
  }

  /// Adds a step that calls `function` with `argument`, and has its result. The argument is stored with the program. See the
  /// variant without one for the other parameters.
  @discardableResult
  public mutating func step<Argument: Codable & Sendable, Output: Codable & Sendable>(
    _ name: String, on events: EventHandle..., after nodes: any ProgramNode..., host: String? = nil,
    with argument: Argument, reading: [any ProgramNode] = [], triggers: Triggers = Triggers(),
    options: StepOptions = StepOptions(),
    run function: @escaping @Sendable (Argument, StepContext) async throws -> Output
  ) -> StepHandle<Output> {
    var json: JSONValue?
    attempt("steps.\(name).argument") { json = try JSON.value(of: argument) }
    return add(name, StepStart(events: events, nodes: nodes, host: host), reading, triggers, options, json) {
      try JSON.value(of: try await function(try $0.argument(as: Argument.self), $0))
    }
  }

  /// Adds a step that calls `function` with `argument`, without a result.
  @discardableResult
  public mutating func step<Argument: Codable & Sendable>(
    _ name: String, on events: EventHandle..., after nodes: any ProgramNode..., host: String? = nil,
    with argument: Argument, reading: [any ProgramNode] = [], triggers: Triggers = Triggers(),
    options: StepOptions = StepOptions(),
    run function: @escaping @Sendable (Argument, StepContext) async throws -> Void
  ) -> StepHandle<NoResult> {
    var json: JSONValue?
    attempt("steps.\(name).argument") { json = try JSON.value(of: argument) }
    return add(name, StepStart(events: events, nodes: nodes, host: host), reading, triggers, options, json) {
      try await function(try $0.argument(as: Argument.self), $0)
      return nil
    }
  }

  /// Adds a step that is a command: a program and its arguments, without a shell. `${param.x}` and `${steps.s.result}` are
  /// replaced in them. Its result is what it writes to the file that `EVENTOR_RESULT_FILE` names.
  @discardableResult
  public mutating func command<Output: Codable & Sendable>(
    _ name: String, _ arguments: [String], on events: EventHandle..., after nodes: any ProgramNode...,
    host: String? = nil, result: Output.Type = NoResult.self, triggers: Triggers = Triggers(),
    options: StepOptions = StepOptions()
  ) -> StepHandle<Output> {
    add(name, StepStart(events: events, nodes: nodes, host: host), triggers, options, .run(arguments))
    return StepHandle(name: name)
  }

  /// Adds a step that is a line for `/bin/sh`. See ``command(_:_:on:after:host:result:triggers:options:)``.
  @discardableResult
  public mutating func shell<Output: Codable & Sendable>(
    _ name: String, _ line: String, on events: EventHandle..., after nodes: any ProgramNode...,
    host: String? = nil, result: Output.Type = NoResult.self, triggers: Triggers = Triggers(),
    options: StepOptions = StepOptions()
  ) -> StepHandle<Output> {
    add(name, StepStart(events: events, nodes: nodes, host: host), triggers, options, .shell(line))
    return StepHandle(name: name)
  }

  /// Adds a step that does nothing and succeeds: a place where others meet.
  @discardableResult
  public mutating func empty(
    _ name: String, on events: EventHandle..., after nodes: any ProgramNode..., host: String? = nil,
    triggers: Triggers = Triggers()
  ) -> StepHandle<NoResult> {
    add(name, StepStart(events: events, nodes: nodes, host: host), triggers, StepOptions(), .empty)
    return StepHandle(name: name)
  }

  private mutating func add<Output>(
    _ name: String, _ start: StepStart, _ reading: [any ProgramNode], _ triggers: Triggers,
    _ options: StepOptions,
    _ argument: JSONValue?, forEach: Program.ForEach? = nil, _ body: @escaping StepFunction.Body
  ) -> StepHandle<Output> {
    var call = Program.FunctionCall(name: name)
    call.argument = argument
    call.heartbeat = options.heartbeat.map(TimeSpan.init)
    let steps = Set(model.steps.map(\.name))
    for node in start.nodes + reading where steps.contains(node.name) && !call.reads.contains(node.name) {
      call.reads.append(node.name)
    }
    functions[name] = StepFunction(isInProcess: options.fitsInProcess, body: body)
    add(name, start, triggers, options, .function(call), forEach: forEach)
    return StepHandle(name: name)
  }

  // MARK: Loops

  /// Adds a step that calls `function` once for each item; its result is the list of theirs, with nil for iterations that
  /// failed.
  ///
  /// - Parameters:
  ///   - name: The step's name.
  ///   - items: The items.
  ///   - events: What starts it; any of them. With neither these nor `nodes` it starts with the run.
  ///   - nodes: Steps and loops all of which must have succeeded to start it. It may read the results of the steps.
  ///   - host: The host it is bound to; nil: see `StepOptions.group` and `Settings.defaultHost`.
  ///   - atOnce: Iterations at once; 0 is all.
  ///   - wait: When it is over.
  ///   - reading: Further steps whose results it reads.
  ///   - triggers: What the end of the whole raises, once. With events for failure, a failed item is no failure of the run.
  ///   - options: Everything else, for each item by itself.
  ///   - function: What it does with an item. An error that it throws is the failure of that item.
  @discardableResult
  public mutating func forEach<Item: Codable & Sendable, Output: Codable & Sendable>(
    _ name: String, over items: Items<Item>, on events: EventHandle..., after nodes: any ProgramNode...,
    host: String? = nil, atOnce: Int = 1, wait: LoopEnd = .all, reading: [any ProgramNode] = [],
    triggers: Triggers = Triggers(), options: StepOptions = StepOptions(),
    run function: @escaping @Sendable (Item, StepContext) async throws -> Output
  ) -> StepHandle<[Output?]> {
    var forEach = Program.ForEach(over: .list([]))
    attempt("steps.\(name).foreach") { forEach.over = try items.model() }
    forEach.atOnce = atOnce
    forEach.wait = wait.model
    let start = StepStart(events: events, nodes: nodes, host: host)
    return add(name, start, reading, triggers, options, nil, forEach: forEach) {
      try JSON.value(of: try await function(try $0.item(as: Item.self), $0))
    }
  }

  /// Adds a step that calls `function` once for each item, without a result.
  @discardableResult
  public mutating func forEach<Item: Codable & Sendable>(
    _ name: String, over items: Items<Item>, on events: EventHandle..., after nodes: any ProgramNode...,
    host: String? = nil, atOnce: Int = 1, wait: LoopEnd = .all, reading: [any ProgramNode] = [],
    triggers: Triggers = Triggers(), options: StepOptions = StepOptions(),
    run function: @escaping @Sendable (Item, StepContext) async throws -> Void
  ) -> StepHandle<NoResult> {
    var forEach = Program.ForEach(over: .list([]))
    attempt("steps.\(name).foreach") { forEach.over = try items.model() }
    forEach.atOnce = atOnce
    forEach.wait = wait.model
    let start = StepStart(events: events, nodes: nodes, host: host)
    return add(name, start, reading, triggers, options, nil, forEach: forEach) {
      try await function(try $0.item(as: Item.self), $0)
      return nil
    }
  }

  /// Adds a loop over a part of the graph: each iteration triggers `start` in a sequence of its own.
  ///
  /// - Parameters:
  ///   - name: The loop's name.
  ///   - items: The items; ``StepContext/item(of:)`` is that of an iteration.
  ///   - events: What starts it; any of them. With neither these nor `nodes` it starts with the run.
  ///   - nodes: Steps and loops all of which must have succeeded to start it.
  ///   - start: Triggered once for each item.
  ///   - until: An iteration is over when one of these is triggered in its sequence; empty: when nothing of it is left.
  ///   - atOnce: Iterations at once; 0 is all.
  ///   - wait: When it is over.
  ///   - triggers: What its end raises, in its own sequence.
  @discardableResult
  public mutating func loop<Item: Codable & Sendable>(
    _ name: String, over items: Items<Item>, on events: EventHandle..., after nodes: any ProgramNode...,
    start: [EventHandle], until: [EventHandle] = [], atOnce: Int = 1, wait: LoopEnd = .all,
    triggers: Triggers = Triggers()
  ) -> LoopHandle<Item> {
    var loop = Program.Loop(name: name, over: .list([]))
    attempt("loops.\(name).over") { loop.over = try items.model() }
    loop.on = events.map(\.name)
    loop.after = nodes.map(\.name)
    loop.maxConcurrent = atOnce
    loop.start = start.map(\.name)
    loop.until = until.map(\.name)
    loop.wait = wait.model
    loop.triggers = triggers.model
    add(loop)
    return LoopHandle(name: name)
  }
}
