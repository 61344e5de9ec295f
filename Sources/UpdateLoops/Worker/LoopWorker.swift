public import Database
import Runtime
import Synchronization

/// A worker: gets a batch, has it worked, marks it as done, and again.
///
/// Nothing is lost whenever it is killed: a batch that was not marked is handed out again when its locks end.
public final class LoopWorker: Sendable {
  /// How it works.
  public struct Settings: Sendable {
    /// The most ids at a time.
    public var batch: Int
    /// How long a batch stays locked: a safe upper bound of what its work takes.
    public var lockFor = UpdateLoop.usualLock
    /// No id is worked again within this time.
    public var minLoopTime = UpdateLoop.usualLoopTime
    /// Unlocks a batch that failed, and stops or pauses, instead of leaving it locked and going on with others.
    public var unlocksOnFailure = false
    /// Without it the worker ends when no id is left; with it the worker looks again so much later, for ever.
    public var poll: Duration?

    /// Settings with all but the size of a batch as usual.
    public init(batch: Int) { self.batch = batch }

    /// Turns of these times.
    func turns(at loop: UpdateLoop) -> SharedTurns {
      SharedTurns(loop, lockFor: lockFor, minLoopTime: minLoopTime)
    }
  }

  /// What came of it.
  public struct Tally: Sendable, Hashable {
    /// Batches worked, the failed ones among them.
    public var batches = 0
    /// Ids marked as updated.
    public var updated = 0
    /// Batches that failed.
    public var failedBatches = 0
    /// Ids of the failed batches.
    public var failed = 0

    static func + (one: Tally, other: Tally) -> Tally {
      Tally(
        batches: one.batches + other.batches, updated: one.updated + other.updated,
        failedBatches: one.failedBatches + other.failedBatches, failed: one.failed + other.failed)
    }
  }

  /// Something that people may want to know while it works.
  public enum Event: Sendable {
    /// A batch of so many ids failed; they stay locked unless it was unlocked.
    case failed(ids: Int, unlocked: Bool)
    /// A batch took longer than its locks held: another worker may have been given the same ids.
    case overran(ids: Int, took: Duration)
    /// The database can't be used; it is tried again after a pause.
    case lost(DatabaseError, pause: Duration)
  }

  private struct State {
    var isStopping = false
    var pause: Task<Void, Never>?
  }

  private let turns: SharedTurns
  private let settings: Settings
  private let work: @Sendable ([LoopID]) async throws -> Bool
  private let tell: @Sendable (Event) -> Void
  private let state = Mutex(State())

  /// A worker of `loop`.
  ///
  /// - Parameters:
  ///   - settings: How it works.
  ///   - tell: Called with what people may want to know.
  ///   - work: Updates a batch; false if that failed. What it throws unlocks the batch and ends the worker.
  public convenience init(
    _ loop: UpdateLoop, _ settings: Settings, tell: @escaping @Sendable (Event) -> Void = { _ in },
    work: @escaping @Sendable ([LoopID]) async throws -> Bool
  ) {
    self.init(settings.turns(at: loop), settings, tell: tell, work: work)
  }

  /// One of several that take their turns together.
  init(
    _ turns: SharedTurns, _ settings: Settings, tell: @escaping @Sendable (Event) -> Void,
    work: @escaping @Sendable ([LoopID]) async throws -> Bool
  ) {
    self.turns = turns
    self.settings = settings
    self.tell = tell
    self.work = work
  }

  /// Ends the worker after the batch it is at; at once if it pauses. May be called from anywhere.
  public func stop() {
    state.withLock { state in
      state.isStopping = true
      state.pause?.cancel()
    }
  }

  private var loop: UpdateLoop { turns.loop }

  private var isStopping: Bool { state.withLock(\.isStopping) }

  /// Works until no id is left, or with ``Settings/poll`` until ``stop()``.
  ///
  /// A database that is away is waited for: about a minute, or in a worker that polls as long as it takes.
  public func run() async throws -> Tally {
    var tally = Tally()
    var done: [LoopID] = []
    while !isStopping {
      let batch = try await next(after: done)
      tally.updated += done.count
      done = []
      if batch.isEmpty {
        guard let poll = settings.poll else { return tally }
        await pause(poll)
        continue
      }
      if isStopping {
        // Stopped while it waited for its turn.
        await giveBack(batch)
        break
      }
      tally.batches += 1
      if try await carryOut(batch) {
        done = batch
      } else {
        tally.failedBatches += 1
        tally.failed += batch.count
        guard settings.unlocksOnFailure else { continue }
        // The same batch would come next: for ever, if nobody looked into it.
        guard let poll = settings.poll else { return tally }
        await pause(poll)
      }
    }
    if !done.isEmpty { try await persist { [loop, done] in _ = try await loop.did(done, autoAdd: false) } }
    tally.updated += done.count
    return tally
  }

  private func next(after done: [LoopID]) async throws -> [LoopID] {
    try await persist { [turns, settings] in try await turns.turn(did: done, get: settings.batch) }
  }

  private func carryOut(_ batch: [LoopID]) async throws -> Bool {
    let started = ContinuousClock.now
    let isDone: Bool
    do {
      isDone = try await work(batch)
    } catch {
      // Locks that have ended may be another worker's by now.
      if ContinuousClock.now - started < settings.lockFor { await giveBack(batch) }
      throw error
    }
    let took = ContinuousClock.now - started
    let overran = took >= settings.lockFor
    if overran { tell(.overran(ids: batch.count, took: took)) }
    if !isDone {
      // Locks that have ended may be another worker's by now.
      let unlocks = settings.unlocksOnFailure && !overran
      if unlocks { try await persist { [loop] in _ = try await loop.unlock(batch, autoAdd: false) } }
      tell(.failed(ids: batch.count, unlocked: unlocks))
    }
    return isDone
  }

  /// Unlocks a batch, in a task of its own, which is not cancelled where this one was; where that fails, the locks end by
  /// themselves.
  private func giveBack(_ batch: [LoopID]) async {
    await Task { [loop] in _ = try? await loop.unlock(batch, autoAdd: false) }.value
  }

  /// Does what is harmless to do twice until the database has done it.
  private func persist<T: Sendable>(_ body: @Sendable () async throws -> T) async throws -> T {
    let policy = RetryPolicy(attempts: 12, first: .milliseconds(200), cap: .seconds(10))
    var attempt = 1
    while true {
      do {
        return try await body()
      } catch let error as DatabaseError where error.kind.mayPass {
        let isPatient = settings.poll != nil && !isStopping
        guard isPatient || policy.allowsAnother(after: attempt) else { throw error }
        let pause = policy.pause(after: attempt)
        tell(.lost(error, pause: pause))
        // Not ended by a stop: what is done must be marked.
        try await Task.sleep(for: pause)
        attempt += 1
      }
    }
  }

  private func pause(_ length: Duration) async {
    let pause = Task { do { try await Task.sleep(for: length) } catch {} }
    state.withLock { state in
      state.pause = pause
      if state.isStopping { pause.cancel() }
    }
    await pause.value
  }
}

extension DatabaseError.Kind {
  /// Whether waiting may help.
  fileprivate var mayPass: Bool {
    switch self {
    case .unreachable, .connectionLost, .outcomeUnknown, .busy, .deadlock, .serialization, .lockTimeout: true
    default: false
    }
  }
}
