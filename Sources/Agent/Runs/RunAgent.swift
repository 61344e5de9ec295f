public import Engine
public import Logging
public import Model
import Runtime
import Synchronization

/// Works on one run until it is over: takes its ready tasks, has them carried out, and records their ends.
///
/// The loop is one task; steps end on other threads and leave their ends in the mailbox, from where all that have
/// gathered go into the next transaction, which also takes the next tasks.
public final class RunAgent: Sendable {
  /// How an agent works.
  public struct Options: Sendable {
    /// Tasks at once.
    public var slots: Int
    /// For how long a task is locked; renewed three times in that.
    public var lockFor: TimeSpan
    /// The longest it goes without looking at the store.
    public var poll: Duration
    /// Take only tasks of this host; nil takes all hosts for the local one.
    public var pinnedTo: String?
    /// The local host's name.
    public var localHost: String
    /// How many times what has matured is worked off before it ends though the run has not; nil is no limit.
    public var passes: Int?

    /// The defaults, with `slots` tasks at once.
    public init(slots: Int, localHost: String) {
      self.slots = slots
      self.localHost = localHost
      lockFor = TimeSpan(seconds: 30)
      poll = .seconds(1)
    }
  }

  /// What a listener is told, in the order in which it happened.
  public enum Happening: Sendable {
    /// A task was taken and is being started.
    case started(Claim)
    /// A task's attempt ended; nothing is recorded yet.
    case ended(Claim, Outcome)
    /// A transaction was recorded.
    case advanced(Advance)
    /// The store is away.
    case storeLost(String)
    /// The store is back.
    case storeFound
  }

  /// How working on a run came to its end.
  public enum Ending: Sendable, Hashable {
    /// The run is over.
    case over(RunStatus)
    /// All passes are done, and something is left to wait for.
    case passesDone
    /// It was asked to finish what was running and take nothing more.
    case drained
  }

  private enum Message: Sendable {
    case ended(number: Int64, outcome: Outcome)
    case lockLost([Int64])
    case drain
    case look
  }

  private let store: any RunDriver
  private let run: String
  private let agent: Int64
  private let executor: any StepExecutor
  private let options: Options
  private let log: Logger
  private let listener: @Sendable (Happening) -> Void
  private let mailbox = Mailbox<Message>()
  /// Fencing tokens of the tasks that are being carried out, by number: shared with whoever renews their locks.
  private let held = Mutex<[Int64: Int64]>([:])

  /// An agent, enlisted in `store` under the number `agent`, for `run`.
  public init(
    store: any RunDriver, run: String, agent: Int64, executor: any StepExecutor, options: Options,
    log: Logger,
    listener: @escaping @Sendable (Happening) -> Void = { _ in }
  ) {
    self.store = store
    self.run = run
    self.agent = agent
    self.executor = executor
    self.options = options
    self.log = log
    self.listener = listener
  }

  /// Takes nothing more, and ends when what runs has ended.
  public func drain() { mailbox.post(.drain) }

  /// Looks at the store now instead of at the next poll.
  public func look() { mailbox.post(.look) }

  /// Works on the run.
  ///
  /// - Parameter adopted: Tasks of an earlier agent that go on, or have ended since.
  /// - Throws: ``StoreError`` and errors of the store that waiting does not mend; `CancellationError`.
  public func work(adopted: [Adopted] = []) async throws -> Ending {
    try await withThrowingTaskGroup(of: Ending?.self) { group in
      group.addTask { try await self.loop(adopted) }
      group.addTask {
        try await self.keepLocks()
        return nil
      }
      defer { group.cancelAll() }
      while let ending = try await group.next() {
        if let ending { return ending }
      }
      return .drained
    }
  }

  // MARK: The loop

  /// What the loop keeps from turn to turn.
  private struct State {
    var running: [Int64: Claim] = [:]
    var ends: [TaskEnd] = []
    var endedKeys: [TaskKey] = []
    /// What an earlier agent had ordered and its keeper did not start any more.
    var lost: [HeldTask] = []
    var isDraining = false
    var isStopping = false
    var passesLeft: Int?
    var context: RunContext?
  }

  private func loop(_ adopted: [Adopted]) async throws -> Ending {
    var state = State()
    state.passesLeft = options.passes
    for task in adopted {
      state.running[task.claim.task.number] = task.claim
      held.withLock { $0[task.claim.task.number] = task.claim.fence }
      let number = task.claim.task.number
      task.whenEnded { [mailbox] outcome in mailbox.post(.ended(number: number, outcome: outcome)) }
    }
    while true {
      let advance = try await advance(&state)
      if let ending = ending(after: advance, &state) { return ending }
      // What ended meanwhile goes into the next transaction at once.
      if take(mailbox.take(), &state) || !state.ends.isEmpty || advance.isUnfinished { continue }
      try await waitForWork(advance, &state)
    }
  }

  /// Reports what ended and takes what is ready; waits for the store as long as it is away.
  private func advance(_ state: inout State) async throws -> Advance {
    if !state.lost.isEmpty {
      let lost = state.lost
      let run = run
      try await throughOutages(&state) {
        try await self.store.lose(lost, of: run, because: "its agent was lost before it was started")
      }
      state.lost = []
    }
    let isTaking = !state.isDraining && !state.isStopping
    let request = AdvanceRequest(
      run: run, agent: agent, ends: state.ends,
      slots: isTaking ? max(0, options.slots - state.running.count) : 0,
      lockFor: options.lockFor, host: options.pinnedTo, localHost: options.localHost, passesEmptySteps: true)
    let keys = state.endedKeys
    let advance = try await throughOutages(&state) { try await self.store.advance(request) }
    executor.recorded(keys)
    for number in advance.superseded {
      log.warning(
        "end not recorded: the task was taken over", metadata: ["run": "\(run)", "task": "\(number)"])
    }
    // Others may have come while the store was away.
    state.ends.removeFirst(request.ends.count)
    state.endedKeys.removeFirst(keys.count)
    state.context = advance.context
    for claim in advance.passed {
      log.debug("step ended", metadata: metadata(claim))
      listener(.started(claim))
      listener(.ended(claim, Outcome(.success)))
    }
    listener(.advanced(advance))
    for claim in advance.claims { start(claim, advance.context, &state) }
    if let reason = advance.stopsRunning, !state.isStopping {
      state.isStopping = true
      executor.stop(state.running.values.map { TaskKey($0, in: run) }, because: reason)
    }
    return advance
  }

  private func start(_ claim: Claim, _ context: RunContext, _ state: inout State) {
    let number = claim.task.number
    log.debug("step started", metadata: metadata(claim))
    listener(.started(claim))
    if context.plan.steps[claim.task.step]?.isEmpty == true {
      note(claim, Outcome(.success), &state, leavesFiles: false)
      return
    }
    state.running[number] = claim
    held.withLock { $0[number] = claim.fence }
    executor.begin(claim, in: context) { [mailbox] outcome in
      mailbox.post(.ended(number: number, outcome: outcome))
    }
  }

  /// - Parameter leavesFiles: Whether the executor knows of it, and is to be told once its end is recorded.
  private func note(_ claim: Claim, _ outcome: Outcome, _ state: inout State, leavesFiles: Bool = true) {
    var described = metadata(claim)
    described["status"] = "\(outcome.status.rawValue)"
    if let code = outcome.exitCode { described["exit"] = "\(code)" }
    if let message = outcome.message { described["message"] = "\(message)" }
    log.log(level: outcome.status == .success ? .debug : .warning, "step ended", metadata: described)
    listener(.ended(claim, outcome))
    state.ends.append(TaskEnd(of: claim, outcome))
    if leavesFiles { state.endedKeys.append(TaskKey(claim, in: run)) }
  }

  /// Takes messages in. True if there is something to report.
  private func take(_ messages: [Message], _ state: inout State) -> Bool {
    var isDue = false
    for message in messages {
      switch message {
      case .ended(let number, let outcome):
        held.withLock { _ = $0.removeValue(forKey: number) }
        guard let claim = state.running.removeValue(forKey: number) else { continue }
        if outcome.wasWithheld {
          state.lost.append(HeldTask(run: run, number: number, fence: claim.fence))
        } else {
          note(claim, outcome, &state)
        }
        isDue = true
      case .lockLost(let numbers):
        let claims = numbers.compactMap { state.running[$0] }
        for claim in claims { log.error("lock lost: the step is stopped", metadata: metadata(claim)) }
        executor.stop(claims.map { TaskKey($0, in: run) }, because: "its lock was taken over")
      case .drain:
        state.isDraining = true
        isDue = true
      case .look: isDue = true
      }
    }
    return isDue
  }

  private func ending(after advance: Advance, _ state: inout State) -> Ending? {
    guard state.running.isEmpty, state.ends.isEmpty else { return nil }
    if advance.status.isOver { return .over(advance.status) }
    if state.isDraining { return .drained }
    guard let left = state.passesLeft, advance.claims.isEmpty, !advance.isUnfinished else { return nil }
    // Nothing runs and nothing could be taken: a pass is done. What is due by now belongs to it.
    if let due = advance.nextDue, due <= 0 { return nil }
    state.passesLeft = left - 1
    return left <= 1 ? .passesDone : nil
  }

  /// Returns when an advance is due: something ended, the next delay is over, or a look shows work.
  private func waitForWork(_ last: Advance, _ state: inout State) async throws {
    var nextDue = last.nextDue
    while true {
      var time = options.poll
      if let nextDue { time = min(time, .microseconds(max(1000, nextDue))) }
      await mailbox.wait(atMost: time)
      try Task.checkCancellation()
      if take(mailbox.take(), &state) { return }
      let run = run
      let glance = try await throughOutages(&state) { try await self.store.glance(at: run) }
      nextDue = glance.nextDue
      let mayTake = !state.isDraining && !state.isStopping && state.running.count < options.slots
      if glance.status.isOver || (glance.stopsRunning != nil && !state.isStopping) { return }
      if (nextDue.map { $0 <= 0 } ?? false) || (glance.hasWork && mayTake) { return }
    }
  }

  private func metadata(_ claim: Claim) -> Logger.Metadata {
    [
      "run": "\(run)", "step": "\(claim.task.step)", "sequence": "\(claim.task.sequence)",
      "host": "\(claim.task.host ?? options.localHost)", "attempt": "\(claim.task.attempt)",
    ]
  }

  // MARK: The store's absence

  /// Does `body`, and again as long as the store is away: running steps go on meanwhile. Before it goes on after an
  /// outage it looks for tasks that a transaction took whose outcome it never learned.
  private func throughOutages<T: Sendable>(
    _ state: inout State, _ body: @Sendable () async throws -> T
  ) async throws -> T {
    let policy = RetryPolicy(attempts: .max, first: .milliseconds(100), cap: .seconds(5))
    var attempt = 0
    while true {
      do {
        if attempt > 0 {
          try await findUnknownClaims(&state)
          listener(.storeFound)
          log.notice("store is back", metadata: ["run": "\(run)"])
        }
        return try await body()
      } catch let failure as any StoreFailure where failure.isOutage {
        try Task.checkCancellation()
        if attempt == 0 {
          listener(.storeLost("\(failure)"))
          log.error("store is away; running steps go on", metadata: ["run": "\(run)", "error": "\(failure)"])
        }
        attempt = min(attempt + 1, 1000)
        try await Task.sleep(for: policy.pause(after: attempt))
      }
    }
  }

  /// Tasks this agent holds without knowing: a transaction that took them was committed, and the answer was lost.
  /// They were never started, so they are taken again and begin now.
  private func findUnknownClaims(_ state: inout State) async throws {
    let known = Set(state.running.keys).union(state.ends.map(\.number))
    let unknown = try await store.renew(agent: agent, lockFor: options.lockFor)
      .filter { $0.run == run && !known.contains($0.number) }
    guard !unknown.isEmpty else { return }
    let context: RunContext
    if let last = state.context {
      context = last
    } else {
      // It was the very first transaction whose outcome was lost.
      context = try await store.advance(
        AdvanceRequest(
          run: run, agent: agent, ends: [], slots: 0, lockFor: options.lockFor, host: options.pinnedTo,
          localHost: options.localHost)
      ).context
      state.context = context
    }
    for claim in try await store.adopt(unknown, of: run, by: agent, lockFor: options.lockFor) {
      start(claim, context, &state)
    }
  }

  // MARK: Locks

  /// Renews all locks three times in their life, and says which are gone.
  private func keepLocks() async throws {
    while true {
      try await Task.sleep(for: .microseconds(options.lockFor.microseconds / 3))
      let before = held.withLock { $0 }
      do {
        let kept = try await store.renew(agent: agent, lockFor: options.lockFor)
        let tokens = Dictionary(kept.map { ($0.number, $0.fence) }, uniquingKeysWith: { first, _ in first })
        // Only what was held all the while: a task may have ended, and been recorded, since.
        let lost = held.withLock { now in
          before.filter { now[$0.key] == $0.value && tokens[$0.key] != $0.value }.map(\.key)
        }
        if !lost.isEmpty { mailbox.post(.lockLost(lost)) }
      } catch let failure as any StoreFailure where failure.isOutage {
        // The loop says so, once; the locks of an absent store expire for nobody.
        continue
      }
    }
  }
}
