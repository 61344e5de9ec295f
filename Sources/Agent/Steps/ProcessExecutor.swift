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
    /// The file of the Swift program whose run this is, where that drives it itself; nil: functions are carried out by
    /// the files that they were submitted with.
    public var program: String?

    /// These directories.
    public init(logs: String, files: String, program: String? = nil) {
      self.logs = logs
      self.files = files
      self.program = program
    }
  }

  /// Steps whose ends are not yet known to be safe, and who must be told when they are.
  private enum Ended {
    case own([UInt64])
    case foreign(ForeignStep)
  }

  private let keeper: Keeper
  private let places: Places
  private let cgroups: CgroupTree?
  private let inherited: [String: String]
  private let secrets: StepSecrets
  private let running = Mutex<[TaskKey: RunningStep]>([:])
  private let ended = Mutex<[TaskKey: Ended]>([:])
  /// Starts that the keeper has not answered, and whether there are to be no more.
  private let starts = Mutex<(underWay: Int, areOver: Bool)>((0, false))
  /// The latest time anybody vouched for.
  private let trust = Mutex<Int64?>(nil)
  /// Earlier agents' keepers, by their journals.
  private let controls = Mutex<[String: KeeperControl]>([:])
  /// Reading what ended steps left behind: files, so not on the keeper's thread nor on a cooperative one.
  private let collector: DispatchQueue
  private let noteWatch: NoteWatch

  /// An executor.
  ///
  /// - Parameters:
  ///   - keeper: What starts the processes.
  ///   - places: Where their files are.
  ///   - cgroups: Where steps with limits get a cgroup; nil: their processes are limited one by one.
  ///   - environment: The environment they inherit; credentials are taken out of it.
  ///   - secrets: Values of secret parameters by name, masked in what they print.
  ///   - credentials: Other texts that no step may inherit, such as a database's password.
  ///   - notes: Takes what functions say of themselves while they run; nil: nobody does.
  ///   - openSecret: Gives the value of a secret of this host's vault by its name; blocks.
  public init(
    keeper: Keeper, places: Places, cgroups: CgroupTree? = nil, environment: [String: String],
    secrets: [String: String], credentials: [String], notes: StepNotes? = nil,
    openSecret: (@Sendable (String) throws -> String)? = nil
  ) {
    collector = DispatchQueue(label: "eventor.step-files", attributes: .concurrent)
    noteWatch = NoteWatch(queue: collector) { key, note in
      notes?.post(
        StepNote(number: key.number, attempt: key.attempt, fraction: note.fraction, message: note.message),
        of: key.run)
    }
    self.keeper = keeper
    self.places = places
    self.cgroups = cgroups
    self.secrets = StepSecrets(values: secrets, open: openSecret)
    inherited = StepEnvironment.inheritable(environment, without: Array(secrets.values) + credentials)
  }

  /// Starts the task's process, after its precondition if it has one. Nothing is known of its lock: it is guarded by the
  /// last ``extend(_:trustedUntil:)``, if there was one.
  public func begin(_ claim: Claim, in context: RunContext, onEnd: @escaping @Sendable (Outcome) -> Void) {
    start(claim, context, trustedUntil: trust.withLock { $0 }, onEnd)
  }

  /// The same for a task whose lock is certain until `trustedUntil`, in microseconds as `LocalClock.sinceBoot` has them:
  /// with `on_cut_off: stop` it is dead by then unless ``extend(_:trustedUntil:)`` puts that off, and none is begun any
  /// later.
  public func begin(
    _ claim: Claim, in context: RunContext, trustedUntil: Int64,
    onEnd: @escaping @Sendable (Outcome) -> Void
  ) {
    start(claim, context, trustedUntil: trustedUntil, onEnd)
  }

  private func start(
    _ claim: Claim, _ context: RunContext, trustedUntil: Int64?,
    _ onEnd: @escaping @Sendable (Outcome) -> Void
  ) {
    guard let step = context.plan.steps[claim.task.step]?.definition else {
      return onEnd(Outcome(.failure, message: "the program has no step '\(claim.task.step)'"))
    }
    let key = TaskKey(claim, in: context.run)
    let state = RunningStep(step, trustedUntil: trustedUntil)
    running.withLock { $0[key] = state }
    collector.async { [self] in
      do throws(Job.Failure) {
        if claim.fence > 1 || claim.recovery > 0 { try endEarlierAttempts(key) }
        let job = try Job(
          claim, context, step, key, places: places, cgroups: cgroups, inherited: inherited,
          secrets: secrets.needed(by: step, in: context))
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

  /// What somebody took from us, or from an agent before us, while it ran must not run beside what is started now.
  private func endEarlierAttempts(_ key: TaskKey) throws(Job.Failure) {
    let directory = (places.files as NSString).deletingLastPathComponent
    let left = EarlierAttempts(directory: directory, next: key).end()
    guard let first = left.first else { return }
    let process = first.identity.map { "process \($0.pid)" } ?? "some process"
    throw Job.Failure(
      message: "not started: an earlier attempt still runs on this host (\(process)) and can't be ended; "
        + "end it, and start the step again")
  }

  private func start(_ job: Job, _ step: Program.Step, _ onEnd: @escaping @Sendable (Outcome) -> Void) {
    guard let request = job.request else { return finish(job, ProcessEnd(.exited(0)), onEnd) }
    watch(job)
    start(request, job.key, timeout: step.timeout) { [self] end in finish(job, end, onEnd) }
  }

  /// Hands on what a function says of itself, and ends it when it has been silent for too long.
  private func watch(_ job: Job) {
    guard let call = job.function else { return }
    noteWatch.add(job.key, path: job.files.note, limit: call.heartbeat, shown: job.shown) { [weak self] in
      self?.stop(
        job.key, "gave no sign of life for \(call.heartbeat ?? .zero) (its heartbeat)", isTimeout: true)
    }
  }

  private func start(
    _ request: ProcessRequest, _ key: TaskKey, timeout: TimeSpan?,
    _ then: @escaping @Sendable (ProcessEnd) -> Void
  ) {
    let state = running.withLock { $0[key] }
    if let stop = state?.stop { return then(ProcessEnd(.notStarted("not started: \(stop.reason)"))) }
    do { try fault(.spawnBefore) } catch { return then(ProcessEnd(.notStarted("\(error)"))) }
    let mayStart = starts.withLock { starts in
      if !starts.areOver { starts.underWay += 1 }
      return !starts.areOver
    }
    guard mayStart else {
      var end = ProcessEnd(.notStarted("its agent was about to leave"))
      end.wasCutOff = true
      return then(end)
    }
    var request = request
    request.deadlines = state?.deadlines
    request.startBefore = state?.trustedUntil
    let trustedUntil = state?.trustedUntil
    keeper.begin(request) { [self] result in
      starts.withLock { $0.underWay -= 1 }
      switch result {
      case .failure(let end): collector.async { then(end) }
      case .success(let handle):
        started(key, handle, timeout, trustedUntil)
        try? fault(.spawnAfter)
      }
    } onEnd: { [self] handle, end in
      collector.async {
        // Its keeper is gone: what nobody waits for any more must not run beside the next attempt.
        if case .lost = end.cause { StrayProcesses(identity: handle.identity, mark: handle.mark).end() }
        then(end)
      }
    }
  }

  private func started(_ key: TaskKey, _ handle: Keeper.Handle, _ timeout: TimeSpan?, _ trustedUntil: Int64?)
  {
    let state = running.withLock { running in
      running[key]?.tickets.append(handle.ticket)
      return running[key]
    }
    guard let state else { return }
    if state.stop != nil { return terminate(state) }
    // It was put off while the step was being started.
    if state.isGuarded, state.trustedUntil != trustedUntil {
      keeper.guard([GuardDeadlines(ticket: handle.ticket, state.deadlines)])
    }
    if let timeout { limit(key, to: timeout) }
  }

  private func limit(_ key: TaskKey, to time: TimeSpan, saying timeout: TimeSpan? = nil) {
    let timer = Task { [weak self] in
      do { try await Task.sleep(for: .microseconds(time.microseconds)) } catch { return }
      self?.stop(key, "exceeded its timeout of \(timeout ?? time)", isTimeout: true)
    }
    let former = running.withLock { running in
      let former = running[key]?.timeout
      running[key]?.timeout = timer
      return former
    }
    former?.cancel()
  }

  /// Starts nothing any more, and returns when the keeper's journal tells of all that was: from then on the next agent of
  /// this host can go by it.
  public func close() async {
    starts.withLock { $0.areOver = true }
    // The keeper answers each, or is gone.
    while starts.withLock({ $0.underWay > 0 }) { try? await Task.sleep(for: .milliseconds(5)) }
  }

  // MARK: Steps of earlier agents

  /// Goes on with a task that an earlier agent's keeper started. Its end comes to the function that is returned.
  ///
  /// - Parameters:
  ///   - identity: Its main process, if that was started.
  ///   - mark: The value of its `EVENTOR_TASK_MARK`.
  ///   - journal: The journal of its keeper, through which that is reached; nil: its processes are signalled from here.
  func adopt(
    _ claim: Claim, in context: RunContext, identity: ProcessIdentity?, mark: String, files directory: String,
    journal: String? = nil, onEnd: @escaping @Sendable (Outcome) -> Void
  ) throws(Job.Failure) -> @Sendable (ProcessEnd) -> Void {
    guard let step = context.plan.steps[claim.task.step]?.definition else {
      throw Job.Failure(message: "the program has no step '\(claim.task.step)'")
    }
    let key = TaskKey(claim, in: context.run)
    // It has its secrets. Those that can't be opened any more can't be masked either: then nothing it wrote is passed on.
    let (values, complaint) = secrets.stillNeeded(by: step, in: context)
    let job = try Job(
      claim, context, step, key, places: Places(logs: places.logs, files: directory), cgroups: nil,
      inherited: [:], secrets: values, isNew: false, withholds: complaint)
    let foreign = ForeignStep(
      identity: identity, mark: mark, control: journal.map(control), queue: collector)
    // Its lock was taken a moment ago: it holds longer than those that were renewed last.
    var state = RunningStep(step, trustedUntil: trust.withLock { $0 })
    state.foreign = foreign
    running.withLock { $0[key] = state }
    if let deadlines = state.deadlines { foreign.guard(deadlines) }
    watch(job)
    // What has passed counts. One that has ended can't exceed it any more.
    if let timeout = step.timeout, let passed = foreign.running {
      let left = TimeSpan(microseconds: max(0, timeout.microseconds - passed.microseconds))
      limit(key, to: left, saying: timeout)
    }
    return { [self] end in
      collector.async { [self] in
        foreign.finish()
        var end = end
        end.wasCutOff = end.wasCutOff || foreign.wasCutOff
        finish(job, end, onEnd)
      }
    }
  }

  private func control(_ journal: String) -> KeeperControl {
    controls.withLock { controls in
      if let known = controls[journal] { return known }
      let control = KeeperControl(journal: journal)
      controls[journal] = control
      return control
    }
  }

  /// Knows nothing of an adopted task any more.
  func abandon(_ key: TaskKey) { forget(key) }

  // MARK: Trust

  /// The locks of these tasks are surely good until `trustedUntil`, in microseconds as `LocalClock.sinceBoot` has them: the
  /// time by this host's clock when their renewal was begun, and for how long it holds. Those with `on_cut_off: stop` are
  /// told to end, and killed, before that unless this is called again; their keepers see to it, so that it happens
  /// also if this process is stuck or gone. Of the others nothing is begun after that.
  public func extend(_ tasks: [TaskKey], trustedUntil: Int64) {
    trust.withLock { $0 = max($0 ?? 0, trustedUntil) }
    var own: [GuardDeadlines] = []
    var foreign: [(ForeignStep, GuardDeadlines.Times)] = []
    running.withLock { running in
      for key in tasks {
        running[key]?.trustedUntil = trustedUntil
        guard let state = running[key], let times = state.deadlines else { continue }
        own += state.tickets.map { GuardDeadlines(ticket: $0, times) }
        if let step = state.foreign { foreign.append((step, times)) }
      }
    }
    if !own.isEmpty { keeper.guard(own) }
    for (step, times) in foreign { step.guard(times) }
  }

  // MARK: Stopping

  /// Stops tasks with SIGTERM, and SIGKILL after `kill_after`, to every process of theirs. They end when no process of
  /// theirs is left.
  public func stop(_ tasks: [TaskKey], because reason: String) {
    for key in tasks { stop(key, reason, isTimeout: false) }
  }

  /// Ends whatever steps of `run` have left running on this host, those that ended long ago too; returns when nothing of
  /// it is left. Steps that still run end as well, so they should have been stopped before.
  public func endLeftovers(of run: String) async {
    let killAt = LocalClock.sinceBoot + Program.Step.defaultKillAfter.microseconds
    await keeper.stopAll(prefix: run + "/", killAt: killAt)
  }

  private func stop(_ key: TaskKey, _ reason: String, isTimeout: Bool) {
    let state = running.withLock { running -> RunningStep? in
      guard running[key] != nil, running[key]?.stop == nil else { return nil }
      running[key]?.stop = (reason, isTimeout)
      return running[key]
    }
    if let state { terminate(state) }
  }

  private func terminate(_ state: RunningStep) {
    let killAt = LocalClock.sinceBoot + max(0, state.killAfter.microseconds)
    if !state.tickets.isEmpty { keeper.stop(state.tickets, killAt: killAt) }
    state.foreign?.stop(killAt: killAt)
  }

  private func stopReason(_ key: TaskKey) -> String? { running.withLock { $0[key]?.stop?.reason } }

  @discardableResult
  private func forget(_ key: TaskKey) -> RunningStep? {
    let state = running.withLock { $0.removeValue(forKey: key) }
    noteWatch.remove(key)
    state?.timeout?.cancel()
    if let foreign = state?.foreign {
      ended.withLock { $0[key] = .foreign(foreign) }
    } else if let tickets = state?.tickets, !tickets.isEmpty {
      ended.withLock { $0[key] = .own(tickets) }
    }
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
    var own: [UInt64] = []
    for ended in ended.withLock({ ended in tasks.compactMap { ended.removeValue(forKey: $0) } }) {
      switch ended {
      case .own(let tickets): own += tickets
      case .foreign(let step): step.recorded()
      }
    }
    if !own.isEmpty { keeper.recorded(own) }
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

/// Reaches a fault point of the agent; without the package trait this does nothing.
private func fault(_ point: FaultPoint) throws {
  #if FAULT_POINTS
  if case .fail = point.reach() { throw InjectedFault(point) }
  #endif
}
