public import Model

/// What a transition asks the store about the run it changes. The run's row is locked, so answers hold until the
/// transition is applied; they are of the current recovery unless a method says otherwise.
public protocol RunLedger {
  /// Those of `events` that have been triggered in each of `sequences`.
  func triggered(_ events: [String], in sequences: [Sequence]) throws -> [Sequence: [String: EventFact]]
  /// The tasks that exist for `steps` in each of `sequences`.
  func tasks(_ steps: [String], in sequences: [Sequence]) throws -> [Sequence: [String: TaskFact]]
  /// Both of one sequence, which some can find sooner than one after the other.
  func found(_ events: [String], _ steps: [String], in sequence: Sequence) throws -> (
    events: [String: EventFact], tasks: [String: TaskFact]
  )
  /// Loop `name` in `sequence`, if it was opened.
  func loop(_ name: String, in sequence: Sequence) throws -> LoopState?
  /// The loop with this number.
  func loop(numbered number: Int64) throws -> LoopState?
  /// The iteration with this number.
  func iteration(numbered number: Int64) throws -> IterationState?
  /// The iterations that run, or ran, in `sequence`.
  func iterations(in sequence: Sequence) throws -> [IterationState]
  /// Tasks that are ready or wait, and delays, counted by scope.
  func unstarted() throws -> [Int64: Int]
  /// Loops still open, innermost first.
  func openLoops() throws -> [LoopState]

  /// The end of `step` in `sequence` in the newest earlier recovery in which it ended by itself or by hand.
  func earlierEnd(of step: String, in sequence: Sequence) throws -> EarlierEnd?
  /// Whether loop `name` was opened in `sequence` in an earlier recovery.
  func wasOpened(loop name: String, in sequence: Sequence) throws -> Bool
  /// Whether the iteration of loop `name` in `sequence` succeeded in the newest earlier recovery in which it ended.
  func hadSucceeded(iterationOf name: String, in sequence: Sequence) throws -> Bool
  /// When `event` was first triggered in `sequence`, over earlier recoveries.
  func firstTriggered(_ event: String, in sequence: Sequence) throws -> Timestamp?
  /// The events that somebody triggered from outside in earlier recoveries.
  func earlierFromOutside() throws -> [(event: String, sequence: Sequence)]
  /// The result of `step` in `sequence`, or in the nearest sequence around it that has one.
  func result(of step: String, in sequence: Sequence) throws -> JSONValue?
}
