import Engine
import Logging
import Model
import Runtime
import Synchronization

/// An agent's touch with its store: tries again while it is away, says so once, and knows for how long there has been
/// no gap.
///
/// Whoever declares another's lock expired must have been in touch for as long as that lock lasts (rule 7): then its
/// holder, too, could have reported, and the store's own absence has expired nothing.
final class StoreTouch: Sendable {
  private struct State {
    /// Since when every request was answered, and none was long in coming; nil before the first.
    var since: ContinuousClock.Instant?
    var lastAnswer: ContinuousClock.Instant?
    /// Requests that wait for the store to be back.
    var waiting = 0
    var isAway = false
    var awaySince: ContinuousClock.Instant?
  }

  /// An agent that asks every second and hears nothing for so long has been out of touch: it was stopped, or cut off.
  private static let longestGap = Duration.seconds(5)
  /// The longest pause between two tries, so that what gathered during an outage is told soon after it.
  private static let policy = RetryPolicy(attempts: .max, first: .milliseconds(100), cap: .seconds(2))

  private let state = Mutex(State())
  private let log: Logger
  private let told: @Sendable (Bool) -> Void

  /// - Parameter told: Called when the store goes away (true) and when it is back (false).
  init(log: Logger, told: @escaping @Sendable (Bool) -> Void = { _ in }) {
    self.log = log
    self.told = told
  }

  /// For how long there has been no gap.
  var length: TimeSpan {
    state.withLock { state in
      guard let since = state.since, let last = state.lastAnswer, .now - last <= Self.longestGap else {
        return .zero
      }
      return TimeSpan(microseconds: Int64((last - since) / .microseconds(1)))
    }
  }

  /// Whether the last that was heard of the store is that it is away.
  var isAway: Bool { state.withLock { $0.isAway } }

  /// Does `body`, and again as long as the store is away.
  ///
  /// - Parameter body: Is given the number of the try, from 0; after a failed one its effect may have come about.
  /// - Throws: What waiting does not mend; `CancellationError`.
  func reach<T: Sendable>(_ body: @Sendable (Int) async throws -> T) async throws -> T {
    var attempt = 0
    while true {
      let asked = ContinuousClock.now
      do {
        let value = try await body(attempt)
        noteAnswer(asked)
        return value
      } catch let failure as any StoreFailure where failure.isOutage {
        try Task.checkCancellation()
        noteAbsence("\(failure)")
        attempt += 1
        try await Task.sleep(for: Self.policy.pause(after: min(attempt, 30)))
      }
    }
  }

  /// Does `body` once; nil if the store is away.
  func attempt<T: Sendable>(_ body: @Sendable () async throws -> T) async throws -> T? {
    let asked = ContinuousClock.now
    do {
      let value = try await body()
      noteAnswer(asked)
      return value
    } catch let failure as any StoreFailure where failure.isOutage {
      try Task.checkCancellation()
      noteAbsence("\(failure)")
      return nil
    }
  }

  private func noteAnswer(_ asked: ContinuousClock.Instant) {
    let now = ContinuousClock.now
    let away = state.withLock { state -> Duration? in
      // An answer that took long proves nothing about the time in between.
      let isPrompt = now - asked <= Self.longestGap
      if let last = state.lastAnswer, now - last <= Self.longestGap, isPrompt, !state.isAway {
        state.since = state.since ?? asked
      } else {
        state.since = now
      }
      state.lastAnswer = now
      guard state.isAway else { return nil }
      state.isAway = false
      return now - (state.awaySince ?? now)
    }
    guard let away else { return }
    log.notice("store is back", metadata: ["after": "\(away / .seconds(1))s"])
    told(false)
  }

  private func noteAbsence(_ why: String) {
    let isNew = state.withLock { state in
      state.since = nil
      guard !state.isAway else { return false }
      state.isAway = true
      state.awaySince = .now
      return true
    }
    guard isNew else { return }
    log.error("store is away; running steps go on", metadata: ["error": "\(why.firstLine)"])
    told(true)
  }
}

extension String {
  /// What stands before the first line break: errors of the store have their statement behind it.
  var firstLine: String { split(whereSeparator: \.isNewline).first.map(String.init) ?? self }
}
