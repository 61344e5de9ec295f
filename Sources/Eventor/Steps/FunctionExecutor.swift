import Agent
import Engine
import Logging
import Model
import Synchronization

/// Carries out functions as tasks of this process, and hands every other step, and functions that are to have a process of
/// their own, to whoever starts processes.
final class FunctionExecutor: StepExecutor {
  private struct Running {
    var work: Task<Void, Never>?
    /// Ends it when it has run, or been silent, for too long.
    var limits: Task<Void, Never>?
    var stop: (reason: String, isTimeout: Bool)?
  }

  private struct State {
    var running: [TaskKey: Running] = [:]
    /// Those that have ended here: whoever starts processes knows nothing of them.
    var ended: Set<TaskKey> = []
  }

  private let processes: any StepExecutor
  private let functions: [String: StepFunction]
  private let secrets: [String: String]
  private let logs: String
  private let notes: StepNotes
  private let logLevel: Logger.Level
  private let state = Mutex(State())

  /// An executor of `functions`, by the names under which steps call them.
  ///
  /// - Parameters:
  ///   - processes: Takes every other step.
  ///   - secrets: Values of secret parameters.
  ///   - logs: Where logs of steps go.
  ///   - notes: Takes what functions say of themselves.
  init(
    over processes: any StepExecutor, functions: [String: StepFunction], secrets: [String: String],
    logs: String,
    notes: StepNotes, logLevel: Logger.Level = .info
  ) {
    self.processes = processes
    self.functions = functions
    self.secrets = secrets
    self.logs = logs
    self.notes = notes
    self.logLevel = logLevel
  }

  func begin(_ claim: Claim, in context: RunContext, onEnd: @escaping @Sendable (Outcome) -> Void) {
    guard let step = context.plan.steps[claim.task.step]?.definition, case .function(let call) = step.action
    else { return processes.begin(claim, in: context, onEnd: onEnd) }
    guard let function = functions[call.name] else {
      return onEnd(
        Outcome(
          .failure,
          message: "this build of program '\(context.plan.program.name)' has no function '\(call.name)'"))
    }
    guard function.isInProcess else { return processes.begin(claim, in: context, onEnd: onEnd) }
    begin(function, call, step, claim, context, onEnd)
  }

  func extend(_ tasks: [TaskKey], trustedUntil: Int64) { processes.extend(tasks, trustedUntil: trustedUntil) }

  func stop(_ tasks: [TaskKey], because reason: String) {
    processes.stop(tasks.filter { !stop($0, reason, isTimeout: false) }, because: reason)
  }

  func recorded(_ tasks: [TaskKey]) {
    let others = state.withLock { state in tasks.filter { state.ended.remove($0) == nil } }
    if !others.isEmpty { processes.recorded(others) }
  }

  // MARK: Functions

  private func begin(
    _ function: StepFunction, _ call: Program.FunctionCall, _ step: Program.Step, _ claim: Claim,
    _ context: RunContext, _ onEnd: @escaping @Sendable (Outcome) -> Void
  ) {
    let key = TaskKey(claim, in: context.run)
    let facts = FunctionContext(claim, call, in: context)
    let hidden = secrets.values.filter { !$0.isEmpty }
    let path = try? StepLog.path(
      in: logs, run: context.run, step: claim.task.step, sequence: claim.task.sequence.text,
      recovery: claim.recovery, attempt: claim.task.attempt)
    let log = SharedStepLog(path: path, secrets: hidden)
    var logger = Logger(label: "\(facts.program).\(facts.step)") { _ in StepLogHandler(write: log.write) }
    logger.logLevel = logLevel
    let triggers = Mutex<[FileTrigger]>([])
    let keeper = NoteKeeper { [notes] fraction, message in
      notes.post(
        StepNote(
          number: key.number, attempt: key.attempt, fraction: fraction,
          message: message.map { Masking.mask($0, hidden) }), of: key.run)
    }
    let channel = StepContext.Channel(
      note: keeper.note,
      trigger: { event, sequence in
        triggers.withLock { $0.append(FileTrigger(event: event, sequence: sequence.map { Sequence($0) })) }
      }, secrets: secrets)
    state.withLock { $0.running[key] = Running() }
    let told = StepContext(facts, channel, logger: logger)
    let work = Task { [self] in
      let result: Result<JSONValue?, any Error>
      do { result = .success(try await function.call(told)) } catch { result = .failure(error) }
      let stop = state.withLock { state in
        state.ended.insert(key)
        let running = state.running.removeValue(forKey: key)
        running?.limits?.cancel()
        return running?.stop
      }
      var outcome = Self.outcome(of: result, stop)
      if outcome.status != .cancelled { outcome.fileTriggers = triggers.withLock { $0 } }
      if let (path, tail) = await log.finish() {
        outcome.logPath = path
        outcome.tail = tail
      }
      outcome.hide(hidden)
      onEnd(outcome)
    }
    let limits = limits(key, step.timeout, call.heartbeat, keeper)
    let isStopped = state.withLock { state -> Bool in
      guard state.running[key] != nil else { return true }
      state.running[key]?.work = work
      state.running[key]?.limits = limits
      return state.running[key]?.stop != nil
    }
    // It has ended, or was told to before it was known here.
    if isStopped {
      limits?.cancel()
      work.cancel()
    }
  }

  /// Waits for the end of the function's time, or for too long a silence.
  private func limits(_ key: TaskKey, _ timeout: TimeSpan?, _ heartbeat: TimeSpan?, _ keeper: NoteKeeper)
    -> Task<
      Void, Never
    >?
  {
    guard timeout != nil || heartbeat != nil else { return nil }
    let end = timeout.map { ContinuousClock.now + .microseconds($0.microseconds) }
    return Task { [weak self] in
      while !Task.isCancelled {
        let silence = heartbeat.map { keeper.heardAt + .microseconds($0.microseconds) }
        guard let next = [end, silence].compactMap({ $0 }).min() else { return }
        guard next <= .now else {
          do { try await Task.sleep(until: next, clock: .continuous) } catch { return }
          continue
        }
        let reason =
          next == end
          ? "exceeded its timeout of \(timeout ?? .zero)"
          : "gave no sign of life for \(heartbeat ?? .zero) (its heartbeat)"
        _ = self?.stop(key, reason, isTimeout: true)
        return
      }
    }
  }

  /// Asks a function to end; false if it does not run here.
  private func stop(_ key: TaskKey, _ reason: String, isTimeout: Bool) -> Bool {
    let (isHere, work) = state.withLock { state -> (Bool, Task<Void, Never>?) in
      guard let running = state.running[key] else { return (state.ended.contains(key), nil) }
      if running.stop == nil { state.running[key]?.stop = (reason, isTimeout) }
      return (true, running.work)
    }
    work?.cancel()
    return isHere
  }

  private static func outcome(
    of result: Result<JSONValue?, any Error>, _ stop: (reason: String, isTimeout: Bool)?
  ) -> Outcome {
    var outcome = Outcome(.success)
    switch result {
    case .success(let value):
      outcome.exitCode = 0
      outcome.result = value
    case .failure(let error):
      let (message, exitCode) = StepFailure.recorded(error)
      outcome.status = .failure
      outcome.exitCode = exitCode
      outcome.message = message
    }
    guard let stop else { return outcome }
    // It was told to stop: whatever it made of that, it is not a success to go on from.
    outcome = Outcome(stop.isTimeout ? .failure : .cancelled, message: stop.reason)
    outcome.timedOut = stop.isTimeout
    return outcome
  }
}
