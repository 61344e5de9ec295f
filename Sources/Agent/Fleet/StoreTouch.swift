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
    /// Since when every request was answered; nil before the first.
    var since: ContinuousClock.Instant?
    var lastAnswer: ContinuousClock.Instant?
    /// The longest pause between two answers, the longest after that, and so on: all that can matter to anybody.
    var pauses: [(end: ContinuousClock.Instant, length: Duration)] = []
    /// When the heartbeat was asked for whose answer is still to come.
    var beatAsked: ContinuousClock.Instant?
    var isAway = false
    var awaySince: ContinuousClock.Instant?
  }

  /// How long a pause between two answers may be that is no gap for locks of `length`: a third of that, as renewals come,
  /// though an idle agent asks only about once a second, and one that hears nothing for five was stopped, or cut off.
  static func longestPause(for length: TimeSpan) -> TimeSpan {
    TimeSpan(microseconds: min(mostPause, max(leastPause, length.microseconds / 3)))
  }
  private static let leastPause: Int64 = 2_500_000
  private static let mostPause: Int64 = 5_000_000
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

  /// For how long there has been no pause between answers longer than `pause`.
  func length(allowing pause: TimeSpan) -> TimeSpan {
    let allowed = Duration.microseconds(pause.microseconds)
    return state.withLock { state in
      let now = ContinuousClock.now
      guard var since = state.since, let last = state.lastAnswer, now - last <= allowed else { return .zero }
      // Reads may be answered all the while: what counts is whether a holder could have renewed.
      if let asked = state.beatAsked, now - asked > allowed { return .zero }
      if let gap = state.pauses.last(where: { $0.length > allowed }) { since = gap.end }
      return TimeSpan(microseconds: Int64((last - since) / .microseconds(1)))
    }
  }

  /// Whether whoever holds a lock of `length` that expired has had the time to report: the touch has lasted for as long as
  /// the lock, and as one pause.
  func outlasts(_ length: TimeSpan) -> Bool {
    let pause = Self.longestPause(for: length)
    return self.length(allowing: pause).microseconds >= length.microseconds + pause.microseconds
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

  /// As ``reach(_:)``, for what an agent renews its locks with.
  func beat<T: Sendable>(_ body: @Sendable () async throws -> T) async throws -> T {
    state.withLock { $0.beatAsked = .now }
    // Once the answer is noted: until then nothing else tells of the gap.
    defer { state.withLock { $0.beatAsked = nil } }
    return try await reach { _ in try await body() }
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
      let last = state.lastAnswer
      state.lastAnswer = now
      // An answer that took long proves nothing about the time in between.
      let pause = max(now - (last ?? asked), now - asked)
      if state.since == nil || state.isAway || pause > .microseconds(Self.mostPause) {
        state.since = now
        state.pauses = []
      } else if pause > .microseconds(Self.leastPause) {
        state.pauses.removeAll { $0.length <= pause }
        state.pauses.append((now, pause))
      }
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
