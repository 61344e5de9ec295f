import Dispatch
public import Engine
import Foundation
import Glibc
import Model
import Synchronization

/// Carries out tasks as processes through the keeper.
public final class ProcessExecutor: StepExecutor {
  /// Where things are on this host.
  public struct Places: Sendable {
    /// Logs of steps: `LOGDIR/RUN/STEP/SEQUENCE.ATTEMPT.log`.
    public var logs: String
    /// Result and trigger files of steps.
    public var files: String

    /// These directories.
    public init(logs: String, files: String) {
      self.logs = logs
      self.files = files
    }
  }

  /// A step that was begun.
  private struct Running {
    var ticket: UInt64?
    /// Its processes, if an earlier agent's keeper started it.
    var foreign: (identity: ProcessIdentity?, mark: String)?
    /// Set when a stop or timeout was asked for, perhaps before the process was there.
    var stop: (reason: String, isTimeout: Bool)?
    var killAfter: Duration
    var timers: [Task<Void, Never>] = []
  }

  private let keeper: Keeper
  private let places: Places
  private let inherited: [String: String]
  private let secrets: [String: String]
  private let running = Mutex<[TaskKey: Running]>([:])
  /// Tickets of steps that have ended and whose ends are not yet known to be safe.
  private let ended = Mutex<[TaskKey: UInt64]>([:])
  /// Reading what ended steps left behind: files, so not on the keeper's thread nor on a cooperative one.
  private let collector = DispatchQueue(label: "eventor.step-files", attributes: .concurrent)

  /// An executor.
  ///
  /// - Parameters:
  ///   - keeper: What starts the processes.
  ///   - places: Where their files are.
  ///   - environment: The environment they inherit; credentials are taken out of it.
  ///   - secrets: Values of secret parameters by name, masked in what they print.
  ///   - credentials: Other texts that no step may inherit, such as a database's password.
  public init(
    keeper: Keeper, places: Places, environment: [String: String], secrets: [String: String],
    credentials: [String]
  ) {
    self.keeper = keeper
    self.places = places
    self.secrets = secrets
    inherited = StepEnvironment.inheritable(environment, without: Array(secrets.values) + credentials)
  }

  /// Starts the task's process, after its precondition if it has one.
  public func begin(_ claim: Claim, in context: RunContext, onEnd: @escaping @Sendable (Outcome) -> Void) {
    guard let step = context.plan.steps[claim.task.step]?.definition else {
      return onEnd(Outcome(.failure, message: "the program has no step '\(claim.task.step)'"))
    }
    let key = TaskKey(claim, in: context.run)
    running.withLock { $0[key] = Running(killAfter: step.killAfterDuration) }
    collector.async { [self] in
      do throws(Job.Failure) {
        let job = try Job(claim, context, step, key, places: places, inherited: inherited, secrets: secrets)
        if let precondition = job.precondition {
          start(precondition, key, timeout: step.timeout) { [self] end in
            if case .exited(0) = end.cause, stopReason(key) == nil { return start(job, step, onEnd) }
            finish(job, precondition: end, onEnd)
          }
        } else {
          start(job, step, onEnd)
        }
      } catch {
        forget(key)
        onEnd(Outcome(.failure, message: error.message))
      }
    }
  }

  private func start(_ job: Job, _ step: Program.Step, _ onEnd: @escaping @Sendable (Outcome) -> Void) {
    guard let request = job.request else { return finish(job, ProcessEnd(.exited(0)), onEnd) }
    start(request, job.key, timeout: step.timeout) { [self] end in finish(job, end, onEnd) }
  }

  private func start(
    _ request: ProcessRequest, _ key: TaskKey, timeout: TimeSpan?,
    _ then: @escaping @Sendable (ProcessEnd) -> Void
  ) {
    if let stop = running.withLock({ $0[key]?.stop }) {
      return then(ProcessEnd(.notStarted("not started: \(stop.reason)")))
    }
    do { try fault(.spawnBefore) } catch { return then(ProcessEnd(.notStarted("\(error)"))) }
    keeper.begin(request) { [self] result in
      switch result {
      case .failure(let end): collector.async { then(end) }
      case .success(let handle):
        started(key, handle, timeout)
        try? fault(.spawnAfter)
      }
    } onEnd: { [self] _, end in
      collector.async { then(end) }
    }
  }

  private func limit(_ key: TaskKey, to timeout: TimeSpan) {
    let timer = Task { [weak self] in
      do { try await Task.sleep(for: .microseconds(timeout.microseconds)) } catch { return }
      self?.stop(key, "exceeded its timeout of \(timeout)", isTimeout: true)
    }
    running.withLock { $0[key]?.timers.append(timer) }
  }

  private func started(_ key: TaskKey, _ handle: Keeper.Handle, _ timeout: TimeSpan?) {
    let isStopped = running.withLock { running in
      running[key]?.ticket = handle.ticket
      return running[key]?.stop != nil
    }
    if isStopped { return terminate(key) }
    if let timeout { limit(key, to: timeout) }
  }

  /// Goes on with a task that an earlier agent's keeper started. Its end comes to the function that is returned.
  func adopt(
    _ claim: Claim, in context: RunContext, identity: ProcessIdentity?, mark: String, files directory: String,
    onEnd: @escaping @Sendable (Outcome) -> Void
  ) throws(Job.Failure) -> @Sendable (ProcessEnd) -> Void {
    guard let step = context.plan.steps[claim.task.step]?.definition else {
      throw Job.Failure(message: "the program has no step '\(claim.task.step)'")
    }
    let key = TaskKey(claim, in: context.run)
    let job = try Job(
      claim, context, step, key, places: Places(logs: places.logs, files: directory), inherited: [:],
      secrets: secrets, isNew: false)
    running.withLock { running in
      var state = Running(killAfter: step.killAfterDuration)
      state.foreign = (identity, mark)
      running[key] = state
    }
    if let timeout = step.timeout { limit(key, to: timeout) }
    return { [self] end in collector.async { [self] in finish(job, end, onEnd) } }
  }

  /// Knows nothing of an adopted task any more.
  func abandon(_ key: TaskKey) { forget(key) }

  // MARK: Stopping

  /// Stops tasks with SIGTERM, and SIGKILL after `kill_after`, to every process of theirs.
  public func stop(_ tasks: [TaskKey], because reason: String) {
    for key in tasks { stop(key, reason, isTimeout: false) }
  }

  private func stop(_ key: TaskKey, _ reason: String, isTimeout: Bool) {
    let isFirst = running.withLock { running in
      guard running[key] != nil, running[key]?.stop == nil else { return false }
      running[key]?.stop = (reason, isTimeout)
      return running[key]?.ticket != nil || running[key]?.foreign != nil
    }
    if isFirst { terminate(key) }
  }

  private func terminate(_ key: TaskKey) {
    guard let state = running.withLock({ $0[key] }) else { return }
    signal(state, SIGTERM)
    // A stopped process has to go on to notice the signal.
    signal(state, SIGCONT)
    let timer = Task { [weak self] in
      do { try await Task.sleep(for: state.killAfter) } catch { return }
      self?.signal(state, SIGKILL)
    }
    running.withLock { $0[key]?.timers.append(timer) }
  }

  private func signal(_ state: Running, _ signal: Int32) {
    if let ticket = state.ticket { keeper.killTree(ticket, signal) }
    guard let (identity, mark) = state.foreign else { return }
    collector.async { LocalProcess.killTree(of: identity, mark: mark, signal) }
  }

  private func stopReason(_ key: TaskKey) -> String? { running.withLock { $0[key]?.stop?.reason } }

  @discardableResult
  private func forget(_ key: TaskKey) -> Running? {
    let state = running.withLock { $0.removeValue(forKey: key) }
    for timer in state?.timers ?? [] { timer.cancel() }
    // What it left running in the background, past its own end, goes with a stop too.
    if let state, state.stop != nil { signal(state, SIGKILL) }
    if let ticket = state?.ticket { ended.withLock { $0[key] = ticket } }
    return state
  }

  // MARK: Ends

  private func finish(_ job: Job, _ end: ProcessEnd, _ onEnd: @Sendable (Outcome) -> Void) {
    let stop = forget(job.key)?.stop
    onEnd(job.outcome(of: end, stop: stop))
  }

  private func finish(_ job: Job, precondition end: ProcessEnd, _ onEnd: @Sendable (Outcome) -> Void) {
    let stop = forget(job.key)?.stop
    var outcome = job.outcome(of: end, stop: stop)
    switch end.cause {
    case .exited(let code) where stop == nil:
      outcome = Outcome(.success, message: "its precondition ended with exit code \(code)")
      outcome.skipped = true
    case .signalled where stop == nil:
      outcome.message = "its precondition was ended by \(outcome.signal ?? "a signal")"
    default: break
    }
    onEnd(outcome)
  }

  /// Removes the files of tasks whose ends are safe.
  public func recorded(_ tasks: [TaskKey]) {
    guard !tasks.isEmpty else { return }
    let tickets = ended.withLock { ended in tasks.compactMap { ended.removeValue(forKey: $0) } }
    if !tickets.isEmpty { keeper.recorded(tickets) }
    collector.async { [places] in
      for key in tasks { StepFiles(of: key, in: places.files).remove() }
    }
  }

  /// The run is over: what is left of its files goes, after what was asked for before.
  public func finished(run: String) async {
    await withCheckedContinuation { continuation in
      collector.async(flags: .barrier) { [places] in
        StepFiles.remove(run: run, in: places.files)
        continuation.resume()
      }
    }
  }
}

extension Program.Step {
  /// Between SIGTERM and SIGKILL.
  fileprivate var killAfterDuration: Duration {
    .microseconds((killAfter ?? Self.defaultKillAfter).microseconds)
  }
}

/// Reaches a fault point of the agent; without the package trait this does nothing.
private func fault(_ point: FaultPoint) throws {
  #if FAULT_POINTS
  if case .fail = point.reach() { throw InjectedFault(point) }
  #endif
}
