import Agent
public import Logging
import Model

/// What a function is told as a step, and how it answers while it runs.
public struct StepContext: Sendable {
  /// Where what the function says goes.
  struct Channel: Sendable {
    /// Takes how far it is, and what it is at; both nil: it lives.
    let note: @Sendable (Double?, String?) -> Void
    /// Takes an event it triggers, with the sequence if it is not the step's own.
    let trigger: @Sendable (String, String?) throws -> Void
    /// The values of secret parameters, where this process has them.
    let secrets: [String: String]
  }

  private let facts: FunctionContext
  private let channel: Channel
  /// Its lines go to the step's log, which `coordinator logs` shows.
  public let logger: Logger

  init(_ facts: FunctionContext, _ channel: Channel, logger: Logger) {
    self.facts = facts
    self.channel = channel
    self.logger = logger
  }

  // MARK: Who it is

  /// The step's name.
  public var name: String { facts.step }
  /// The program's name.
  public var program: String { facts.program }
  /// The run's id.
  public var run: String { facts.run }
  /// The sequence, such as `1`, or `1/3` in the third iteration of a loop.
  public var sequence: String { facts.sequence }
  /// The recovery, from 0.
  public var recovery: Int { facts.recovery }
  /// The attempt, from 1: what it does to the outside world may tell attempts apart by it.
  public var attempt: Int { facts.attempt }
  /// The host on which it runs, as programs name it.
  public var host: String { facts.host }
  /// The number of the innermost loop's iteration, from 1; nil outside of loops.
  public var iteration: Int? { facts.loopIndex }

  // MARK: Values

  /// The value of a parameter.
  ///
  /// - Throws: ``StepValueError`` if it has none, or one of another type.
  public func value<Value>(of parameter: ParameterHandle<Value>) throws -> Value {
    guard let json = facts.parameters[parameter.name] else {
      throw StepValueError("parameter '\(parameter.name)' has no value in this run; give it one or a default")
    }
    return try JSON.decode(Value.self, json, as: "parameter '\(parameter.name)'")
  }

  /// The value of a secret parameter.
  ///
  /// - Throws: ``StepValueError`` if this process does not have it: one of its own is only given what stands in its
  ///   environment.
  public func value(of secret: SecretHandle) throws -> String {
    guard let value = channel.secrets[secret.name] else {
      throw StepValueError(
        "secret '\(secret.name)' is not in this process; run the step in process, or give it in `environment` as "
          + "\(secret.reference)")
    }
    return value
  }

  /// The result of an earlier step, in this sequence or the nearest around it.
  ///
  /// - Throws: ``StepValueError`` if it gave none, or the step does not say that it reads it.
  public func result<Output>(of step: StepHandle<Output>) throws -> Output {
    guard facts.reads.contains(step.name) else {
      throw StepValueError(
        "step '\(facts.step)' does not say that it reads '\(step.name)'; name that under after: or reading:")
    }
    guard let json = facts.results[step.name] else {
      throw StepValueError("step '\(step.name)' has given no result in sequence \(facts.sequence)")
    }
    return try JSON.decode(Output.self, json, as: "the result of step '\(step.name)'")
  }

  /// The item of the innermost loop.
  ///
  /// - Throws: ``StepValueError`` outside of loops, and for an item of another type.
  public func item<Item: Decodable>(as type: Item.Type) throws -> Item {
    guard let json = facts.loopItem else {
      throw StepValueError("step '\(facts.step)' is in no loop in sequence \(facts.sequence)")
    }
    return try JSON.decode(type, json, as: "the item of the loop")
  }

  /// The item of `loop`, which must be the innermost.
  ///
  /// - Throws: ``StepValueError`` outside of loops, and for an item of another type.
  public func item<Item>(of loop: LoopHandle<Item>) throws -> Item { try item(as: Item.self) }

  func argument<Argument: Decodable>(as type: Argument.Type) throws -> Argument {
    try JSON.decode(type, facts.argument ?? .null, as: "the argument of step '\(facts.step)'")
  }

  // MARK: Answers

  /// Has `event` triggered in the transaction that records the end of this attempt, whatever that is; nothing comes of it
  /// if the attempt is cancelled or lost.
  ///
  /// - Parameters:
  ///   - event: The event; one that nothing else raises is `external`, or each run begins with it.
  ///   - sequence: The sequence; nil is the step's own.
  /// - Throws: ``StepValueError`` for a sequence that can't be one.
  public func trigger(_ event: EventHandle, sequence: String? = nil) throws {
    if let sequence, !sequence.split(separator: "/").allSatisfy({ Sequence.isValidFromOutside(String($0)) }) {
      throw StepValueError("'\(sequence)' is no sequence; use A-Z a-z 0-9 _ . : - in parts between slashes")
    }
    try channel.trigger(event.name, sequence)
  }

  /// Says how far the step is: `status` shows it while the step runs. Never waits; said often, only the last is kept.
  ///
  /// - Parameters:
  ///   - progress: From 0 to 1.
  ///   - message: What it is at.
  public func report(progress: Double? = nil, _ message: String? = nil) { channel.note(progress, message) }

  /// Says that the step lives, for `StepOptions.heartbeat` and for those who look.
  public func heartbeat() { channel.note(nil, nil) }

  /// Whether the step is to end: its run was cancelled, its time is over, or its lock was lost.
  public var isCancelled: Bool { Task.isCancelled }

  /// Returns if the step may go on.
  ///
  /// - Throws: `CancellationError` if it is to end.
  public func checkCancellation() throws { try Task.checkCancellation() }
}
