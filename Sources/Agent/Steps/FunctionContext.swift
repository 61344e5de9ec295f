public import Engine
public import Model

/// What a function of a Swift program is told when it is carried out as a step, and, where that happens in a process of
/// its own, the files through which it answers. Written as JSON beside the step's other files; holds no secret.
public struct FunctionContext: Sendable, Hashable, Codable {
  /// The run's id.
  public var run: String
  /// The program's name.
  public var program: String
  /// The step.
  public var step: String
  /// The name of the function.
  public var function: String
  /// The sequence.
  public var sequence: String
  /// The recovery, from 0.
  public var recovery: Int
  /// The attempt, from 1.
  public var attempt: Int
  /// The host on which it runs.
  public var host: String
  /// The value it is called with.
  public var argument: JSONValue?
  /// The values of the program's parameters, secret ones left out.
  public var parameters: [String: JSONValue]
  /// Results of the steps it reads, by step.
  public var results: [String: JSONValue]
  /// The names of the steps it reads, those without a result too.
  public var reads: [String]
  /// The item of the innermost loop.
  public var loopItem: JSONValue?
  /// The number of the iteration, from 1.
  public var loopIndex: Int?
  /// Where it answers; nil in a process that it shares with its agent.
  public var files: Files?

  /// The files of a step that is carried out in a process of its own.
  public struct Files: Sendable, Hashable, Codable {
    /// Takes the result, as JSON.
    public var result: String
    /// Takes the events it triggers.
    public var triggers: String
    /// Takes the reason of a failure, in words.
    public var failure: String
    /// Takes what it says of itself while it runs.
    public var note: String
  }

  /// What `claim` tells the function `call`.
  public init(_ claim: Claim, _ call: Program.FunctionCall, in context: RunContext) {
    let task = claim.task
    run = context.run
    program = context.plan.program.name
    step = task.step
    function = call.name
    sequence = task.sequence.text
    recovery = claim.recovery
    attempt = task.attempt
    host = task.host ?? ""
    argument = call.argument
    parameters = context.parameters
    results = claim.results
    reads = call.reads
    loopItem = claim.loop?.item
    loopIndex = claim.loop?.index
  }

  /// The argument that makes a Swift program carry out one step and end; the path of the context follows it.
  public static let option = "--eventor-step"
}

/// What a function in a process of its own says of itself, as it stands in its note file.
public struct FunctionNote: Sendable, Hashable, Codable {
  /// How much of its work is done, from 0 to 1.
  public var fraction: Double?
  /// What it is at.
  public var message: String?

  /// A note of these values.
  public init(fraction: Double?, message: String?) {
    self.fraction = fraction
    self.message = message
  }
}
