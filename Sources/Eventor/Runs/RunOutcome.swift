public import Model

/// How a run stands: `running`, `paused`, `success`, `failure`, `cancelled`.
public typealias RunStatus = Model.RunStatus
/// How a task stands: `waiting`, `ready`, `running`, `success`, `failure`, `cancelled`.
public typealias TaskStatus = Model.TaskStatus
/// One attempt of a step in one sequence.
public typealias TaskRecord = Model.TaskRecord

/// Everything that a store says of a run.
public typealias RunReport = Model.RunReport
/// A run, as a store has it.
public typealias RunRecord = Model.RunRecord
/// A loop of a run.
public typealias LoopRecord = Model.LoopRecord
/// An event of a run that was triggered.
public typealias EventRecord = Model.EventRecord
/// What an attempt has last said of itself.
public typealias TaskNote = Model.TaskNote
/// A moment by the store's clock, in microseconds since 1970.
public typealias Timestamp = Model.Timestamp
/// Any JSON value.
public typealias JSONValue = Model.JSONValue
/// One pass through a program's graph inside a run.
public typealias RunSequence = Model.Sequence

/// How a run stood when the work on it ended.
public struct RunOutcome: Sendable, Hashable {
  /// Everything the store says of it: what `coordinator status --json` prints.
  public let report: RunReport

  /// The run's id.
  public var id: String { report.run.id }
  /// Its status: `running` if it is not over, as after `RunOptions.maxLoops`.
  public var status: RunStatus { report.run.status }
  /// The newest attempt of each task, in the order in which they became ready.
  public var tasks: [TaskRecord] { report.tasks }
  /// The tasks that have failed.
  public var failures: [TaskRecord] { report.tasks.filter { $0.status == .failure } }

  /// The result of a step; nil if it gave none in that sequence.
  ///
  /// - Throws: ``StepValueError`` if it is of another type.
  public func result<Output>(of step: StepHandle<Output>, sequence: String = "1") throws -> Output? {
    guard
      let json = tasks.last(where: { $0.step == step.name && $0.sequence.text == sequence })?.result
    else { return nil }
    return try JSON.decode(Output.self, json, as: "the result of step '\(step.name)'")
  }

  /// The results of a step that runs once for each item, in the order of the items, with nil where there is none; nil if the
  /// step did not run in that sequence.
  ///
  /// - Throws: ``StepValueError`` if one is of another type.
  public func result<Output>(of step: StepHandle<[Output?]>, sequence: String = "1") throws -> [Output?]? {
    let own = tasks.last { $0.step == step.name && $0.sequence.text == sequence }
    if let json = own?.result {
      return try JSON.decode([Output?].self, json, as: "the result of step '\(step.name)'")
    }
    let loop = report.loops.last { $0.loop == step.name && $0.sequence.text == sequence }
    guard let loop else { return nil }
    var results = [Output?](repeating: nil, count: loop.iterations)
    let outer = Sequence(sequence)
    for task in tasks where task.step == step.name && task.sequence.outer == outer {
      guard let last = task.sequence.components.last, let index = Int(last),
        results.indices.contains(index - 1),
        let json = task.result
      else { continue }
      results[index - 1] = try JSON.decode(Output.self, json, as: "a result of step '\(step.name)'")
    }
    return results
  }

  /// Returns it if it is a success.
  ///
  /// - Throws: ``RunFailed`` otherwise.
  @discardableResult
  public func required() throws -> RunOutcome {
    guard status == .success else { throw RunFailed(outcome: self) }
    return self
  }
}

/// A run that was to succeed has not.
public struct RunFailed: Error, Sendable, CustomStringConvertible {
  /// How it stood.
  public let outcome: RunOutcome

  /// The run, and a line for each failed step.
  public var description: String {
    "run \(outcome.id) of program '\(outcome.report.run.program)' ended as \(outcome.status.rawValue)"
      + outcome.failures.map { task in
        let how = task.message ?? task.signal ?? task.exitCode.map { "exit code \($0)" } ?? "failed"
        return "\n  \(task.step)/\(task.sequence): \(how)"
      }.joined()
  }
}

/// Something that happened in a run, as those who watch it are told.
public enum RunEvent: Sendable {
  /// A step of a run.
  public struct Step: Sendable, Hashable {
    /// Its name.
    public let name: String
    /// The sequence.
    public let sequence: String
    /// The attempt, from 1.
    public let attempt: Int
    /// The host; nil while none has it.
    public let host: String?
  }

  /// A step was started.
  case started(Step)
  /// An attempt of a step has ended, as `status`; the message says what went wrong.
  case ended(Step, status: TaskStatus, message: String?)
  /// The store is away: what runs goes on, and nothing is started.
  case storeLost(String)
  /// The store is back.
  case storeFound
  /// The work on the run has ended.
  case over(RunStatus)
}
