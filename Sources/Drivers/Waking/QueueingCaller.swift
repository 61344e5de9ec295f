import Database
import Runtime
import Synchronization

/// Rings listeners through a connection, one batch at a time; rings that come meanwhile make the next batch.
final class QueueingCaller: WakeCaller {
  private struct State {
    var waiting: Set<WakeAddress> = []
    var isRinging = false
    var isClosed = false
    /// After failures: until when all rings are dropped, so that a store that is away isn't asked for each.
    var quietUntil: ContinuousClock.Instant?
    var failures = 0
  }

  /// More than there are agents; a store that hangs must not make this grow.
  private static let most = 10_000

  private let bell: any Bell
  private let pool: Pool
  private let ownsPool: Bool
  private let state = Mutex(State())
  private let isDrained = Latch()

  /// A caller on `pool`, which it closes at its end if it is its own.
  init(_ bell: any Bell, _ pool: Pool, ownsPool: Bool) {
    self.bell = bell
    self.pool = pool
    self.ownsPool = ownsPool
  }

  func ring(_ addresses: [String]) {
    let addresses = addresses.compactMap(WakeAddress.init)
    let mustBegin = state.withLock { state in
      guard !addresses.isEmpty, !state.isClosed, state.waiting.count < Self.most else { return false }
      if let quietUntil = state.quietUntil, ContinuousClock.now < quietUntil { return false }
      state.waiting.formUnion(addresses)
      defer { state.isRinging = true }
      return !state.isRinging
    }
    // Whoever rings may be cancelled right after; the ring is made all the same.
    if mustBegin { Task.detached { await self.ringAll() } }
  }

  func close() async {
    let isIdle = state.withLock { state in
      state.isClosed = true
      return !state.isRinging
    }
    if isIdle { isDrained.open() }
    // Closing waits for the statement that runs, which a hanging server may never answer.
    let isClosed = Latch()
    Task.detached { [self] in
      await isDrained.wait(upTo: .milliseconds(900))
      if ownsPool { await pool.close() }
      isClosed.open()
    }
    await isClosed.wait(upTo: .seconds(1))
  }

  private func ringAll() async {
    while let batch = takeBatch() {
      do {
        try await ring(batch)
        state.withLock { $0.failures = 0 }
      } catch {
        // Best effort: the listeners' polls find what it was about.
        state.withLock { state in
          state.failures += 1
          state.quietUntil = .now + RetryPolicy.loss.pause(after: state.failures)
          state.waiting = []
        }
      }
    }
  }

  /// What waits; nil once there is nothing more, and the next ring begins anew.
  private func takeBatch() -> [WakeAddress]? {
    let (batch, isClosed) = state.withLock { state in
      defer { state.waiting = [] }
      if state.waiting.isEmpty { state.isRinging = false }
      return (Array(state.waiting), state.isClosed)
    }
    if !batch.isEmpty { return batch }
    if isClosed { isDrained.open() }
    return nil
  }

  /// Once more if the connection turns out to be gone: it may have been idle for long.
  private func ring(_ batch: [WakeAddress]) async throws {
    let bell = bell
    do {
      try await pool.run { try bell.ring(batch, on: $0) }
    } catch let error as DatabaseError where error.kind == .connectionLost {
      try await pool.run { try bell.ring(batch, on: $0) }
    }
  }
}
