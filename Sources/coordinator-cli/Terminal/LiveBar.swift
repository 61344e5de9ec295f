import CommandSupport
import Coordinator
import Synchronization

/// A progress bar on standard error, redrawn in place; nothing where that is no terminal.
///
/// Work that is done in one go has none: the bar comes when something is done and something left.
final class LiveBar: Sendable {
  private struct State {
    var first: (done: Int, at: ContinuousClock.Instant)?
    var drawnAt: ContinuousClock.Instant?
  }

  private static let redrawnAfter = Duration.milliseconds(100)

  private let verb: String
  private let profile = Say.errorProfile
  private let state = Mutex(State())

  /// A bar for `verb`, as in `making documents`.
  init(_ verb: String) { self.verb = verb }

  /// Shows that `done` of `total` is done.
  func show(_ done: Int, of total: Int) {
    guard profile.isTerminal else { return }
    let now = ContinuousClock.now
    let bar = state.withLock { state -> ProgressBar? in
      let first = state.first ?? (done, now)
      state.first = first
      let isDue = state.drawnAt.map { now - $0 >= Self.redrawnAfter } ?? (done > first.done && done < total)
      guard isDue else { return nil }
      state.drawnAt = now
      return ProgressBar(
        verb: verb, before: first.done, done: done, total: total, seconds: (now - first.at) / .seconds(1))
    }
    if let bar { Say.aside("\r" + bar.line(on: profile) + "\u{1B}[K") }
  }

  /// Takes the bar away.
  func finish() {
    let wasDrawn = state.withLock { state in
      defer { state = State() }
      return state.drawnAt != nil
    }
    if wasDrawn { Say.aside("\r\u{1B}[K") }
  }
}
