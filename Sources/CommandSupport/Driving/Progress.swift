import Agent
import Coordinator
import Engine
import Foundation
import Glibc
import Model
import Storage
import Synchronization

/// What `run` shows while it works: a live picture on a terminal, a line for each start and end elsewhere.
final class Progress: Sendable {
  private struct State {
    var view = ProgressView()
    var picture: ProgressState
    var running: [Int64: (claim: Claim, since: ContinuousClock.Instant)] = [:]
    var isOver = false
    var storeLost: String?
  }

  private let state: Mutex<State>
  private let profile: TerminalProfile
  private let isQuiet: Bool
  private let began = ContinuousClock.now
  private let redrawing = Mutex<Task<Void, Never>?>(nil)

  private init(_ picture: ProgressState, isQuiet: Bool) {
    profile = Say.errorProfile
    self.isQuiet = isQuiet
    state = Mutex(State(picture: picture))
  }

  /// Shows the progress of `run` from here on.
  static func start(_ run: String, _ store: SQLStore, isQuiet: Bool) async throws -> Progress {
    let summary = try await store.summary(of: run, failures: 0)
    let progress = Progress(ProgressState(summary: summary, now: Say.now), isQuiet: isQuiet)
    guard progress.isLive else {
      if !isQuiet { Say.aside("run \(run) of program \(summary.run.program)\n") }
      return progress
    }
    let task = Task {
      while !Task.isCancelled {
        progress.redraw()
        try? await Task.sleep(for: .milliseconds(150))
      }
    }
    progress.redrawing.withLock { $0 = task }
    return progress
  }

  private var isLive: Bool { profile.isTerminal && !isQuiet }

  /// Takes in what the agent says.
  func note(_ happening: RunAgent.Happening) {
    switch happening {
    case .started(let claim):
      state.withLock { $0.running[claim.task.number] = (claim, .now) }
      tell(claim, .started(host: claim.task.host))
    case .ended(let claim, let outcome):
      let since = state.withLock { $0.running.removeValue(forKey: claim.task.number)?.since }
      let seconds = since.map { Double((ContinuousClock.now - $0) / .microseconds(1)) / 1_000_000 }
      tell(
        claim, outcome.skipped ? .skipped : .ended(outcome.status, seconds: seconds, detail: outcome.detail))
    case .advanced(let advance):
      state.withLock { state in
        state.picture.status = advance.status
        for entry in advance.history where entry.subject == .task {
          if let from = TaskStatus(rawValue: entry.from) { state.picture.counts[from, default: 0] -= 1 }
          if let to = TaskStatus(rawValue: entry.to) { state.picture.counts[to, default: 0] += 1 }
        }
        // Claims are not in the history of the transition; their tasks were ready.
        state.picture.counts[.ready, default: 0] -= advance.claims.count
        state.picture.counts[.running, default: 0] += advance.claims.count
        for (status, count) in state.picture.counts where count < 0 { state.picture.counts[status] = 0 }
      }
    case .storeLost(let why): say("the store is away (\(why.prefix { $0 != "\n" })); running steps go on")
    case .storeFound: say("the store is back")
    }
  }

  /// Says a line without disturbing the picture.
  func say(_ text: String) {
    let cleared = state.withLock { isLive ? $0.view.cleared(on: profile) : "" }
    Say.aside(cleared + text + "\n")
  }

  /// Takes the picture away.
  func finish() {
    redrawing.withLock { $0?.cancel() }
    let cleared = state.withLock { state in
      state.isOver = true
      return isLive ? state.view.cleared(on: profile) : ""
    }
    Say.aside(cleared)
  }

  private func redraw() {
    let frame = state.withLock { state -> String in
      guard !state.isOver else { return "" }
      let now = ContinuousClock.now
      state.picture.elapsed = (now - began) / .seconds(1)
      state.picture.running = state.running.values
        .sorted { $0.claim.task.number < $1.claim.task.number }
        .map { claim, since in
          ProgressState.Running(
            step: claim.task.step, sequence: claim.task.sequence, host: claim.task.host,
            seconds: (now - since) / .seconds(1))
        }
      return state.view.frame(of: state.picture, on: profile)
    }
    Say.aside(frame)
  }

  private func tell(_ claim: Claim, _ change: ProgressTransition.Change) {
    guard !isLive, !isQuiet else { return }
    let transition = ProgressTransition(
      at: Say.now, step: claim.task.step, sequence: claim.task.sequence, change: change)
    Say.aside(ProgressView.plainLine(for: transition, on: profile) + "\n")
  }
}

extension Outcome {
  /// Exit code, signal or message, in a few words.
  fileprivate var detail: String? {
    if let message { return message }
    if let exitCode, exitCode != 0 { return "exit code \(exitCode)" }
    return signal
  }
}
