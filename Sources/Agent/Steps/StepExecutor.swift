public import Engine

/// What carries out a task that an agent has taken.
public protocol StepExecutor: Sendable {
  /// Starts the task. `onEnd` is called exactly once, on any thread, and must not block.
  func begin(_ claim: Claim, in context: RunContext, onEnd: @escaping @Sendable (Outcome) -> Void)
  /// As ``begin(_:in:onEnd:)`` for a task whose lock is certain until `trustedUntil`, in microseconds since boot.
  func begin(
    _ claim: Claim, in context: RunContext, trustedUntil: Int64,
    onEnd: @escaping @Sendable (Outcome) -> Void)
  /// The locks of these tasks are certain until `trustedUntil`, in microseconds since boot.
  func extend(_ tasks: [TaskKey], trustedUntil: Int64)
  /// Stops tasks that were begun: they end as `cancelled`, with that message. Those that ended already are passed
  /// over.
  func stop(_ tasks: [TaskKey], because reason: String)
  /// The ends of these tasks are in the store: what was kept for them locally may go.
  func recorded(_ tasks: [TaskKey])
}

extension StepExecutor {
  /// What never outlives its lock, because nobody else may take it, needs no guard.
  public func begin(
    _ claim: Claim, in context: RunContext, trustedUntil: Int64,
    onEnd: @escaping @Sendable (Outcome) -> Void
  ) {
    begin(claim, in: context, onEnd: onEnd)
  }

  /// Nothing to be extended.
  public func extend(_ tasks: [TaskKey], trustedUntil: Int64) {}
}

/// One attempt of a task on this host.
public struct TaskKey: Sendable, Hashable {
  /// The run's id.
  public let run: String
  /// The task's number in its run.
  public let number: Int64
  /// The attempt, counted anew in each recovery.
  public let attempt: Int
  /// The recovery in which the task stands.
  public let recovery: Int

  /// The attempt that `claim` is.
  public init(_ claim: Claim, in run: String) {
    self.run = run
    number = claim.task.number
    attempt = claim.task.attempt
    recovery = claim.recovery
  }

  /// Reads what ``text`` wrote, also where the name of one of its processes follows; nil: it is about no task.
  init?(text: String) {
    let words = text.split(separator: "/", maxSplits: 3)
    guard words.count >= 3, let number = Int64(words[1]) else { return nil }
    let parts = words[2].split(separator: "+", maxSplits: 1)
    guard let attempt = parts.first.flatMap({ Int($0) }) else { return nil }
    self.run = String(words[0])
    self.number = number
    self.attempt = attempt
    recovery = parts.count > 1 ? Int(parts[1].dropFirst()) ?? 0 : 0
  }

  /// As the keeper's journal names it: `RUN/NUMBER/ATTEMPT`, with `+rRECOVERY` behind it in a recovery.
  public var text: String { "\(run)/\(number)/\(attempt)" + (recovery == 0 ? "" : "+r\(recovery)") }
}
