import CProcess
import Dispatch
import Glibc
import Model
import Synchronization

/// A step that an earlier agent's keeper has started, as the agent that took it over reaches it: through that keeper, or,
/// if it can't be reached, by itself through the process table. By itself it must be alive to keep a deadline.
final class ForeignStep: Sendable {
  private struct State {
    var times: GuardDeadlines.Times?
    /// Whether a signal was sent that only SIGKILL may follow.
    var isTold = false
    var wasCutOff = false
    var isOver = false
    var watcher: Task<Void, Never>?
  }

  /// The number its keeper knows it by; nil if the journal's mark is none.
  let ticket: UInt64?
  private let identity: ProcessIdentity?
  private let mark: String
  private let control: KeeperControl?
  private let queue: DispatchQueue
  private let state = Mutex(State())

  /// A step whose main process is `identity`, if that is known; `queue` is for walks through the process table.
  init(identity: ProcessIdentity?, mark: String, control: KeeperControl?, queue: DispatchQueue) {
    ticket = TaskMark.ticket(in: mark)
    self.identity = identity
    self.mark = mark
    self.control = control
    self.queue = queue
  }

  /// Whether its deadlines passed here. Its keeper says in the journal if they passed there.
  var wasCutOff: Bool { state.withLock { $0.wasCutOff } }

  /// For how long its main process has been running, if it still does.
  var running: TimeSpan? {
    guard let identity, LocalProcess.isAlive(identity) else { return nil }
    let ticks = Int64(max(1, sysconf(Int32(_SC_CLK_TCK))))
    let began =
      Int64(identity.startTime) / ticks * 1_000_000 + Int64(identity.startTime) % ticks * 1_000_000 / ticks
    return TimeSpan(microseconds: max(0, LocalClock.sinceBoot - began))
  }

  /// Sets when it must be dead.
  func `guard`(_ times: GuardDeadlines.Times) {
    if let ticket, let control, control.send(KeeperRequests.guard([.init(ticket: ticket, times)])) { return }
    watch { state in
      guard !state.isTold else { return }
      state.times = times
    }
  }

  /// Tells it to end, and kills it at `killAt`.
  func stop(killAt: Int64) {
    if let ticket, let control, control.send(KeeperRequests.stop([ticket], killAt: killAt)) { return }
    watch { state in
      let killAt = min(killAt, state.times?.killAt ?? .max)
      state.times = GuardDeadlines.Times(terminateAt: 0, killAt: killAt)
      state.isTold = true
    }
    queue.async { [self] in
      LocalProcess.killTree(of: identity, mark: mark, SIGTERM)
      LocalProcess.killTree(of: identity, mark: mark, SIGCONT)
    }
  }

  /// Its end is safe in the store: its keeper may forget it.
  func recorded() {
    if let ticket, let control { _ = control.send(KeeperRequests.list(EVK_RECORDED, [ticket])) }
  }

  /// Its main process has ended. If it was told to end, whatever is left of it is killed first.
  ///
  /// To be called where waiting does no harm: it returns when nothing is left, or nothing can be killed.
  func finish() {
    let isTold = state.withLock { state in
      state.isOver = true
      state.watcher?.cancel()
      return state.isTold || state.wasCutOff
    }
    if isTold { StrayProcesses(identity: identity, mark: mark).kill() }
  }

  // MARK: Deadlines kept by this process

  private func watch(_ change: (inout State) -> Void) {
    state.withLock { state in
      guard !state.isOver else { return }
      change(&state)
      guard state.watcher == nil else { return }
      state.watcher = Task { [weak self] in
        // Looks at least once a second: the host may have slept meanwhile.
        while let pause = await self?.act() {
          do { try await Task.sleep(for: .microseconds(min(pause, 1_000_000))) } catch { return }
        }
      }
    }
  }

  /// Does what is due; how long until there may be more to do, nil if nothing more is.
  private func act() async -> Int64? {
    let now = LocalClock.sinceBoot
    let (signal, pause) = state.withLock { state -> (Int32?, Int64?) in
      guard !state.isOver, let times = state.times else { return (nil, nil) }
      if times.killAt <= now {
        state.wasCutOff = state.wasCutOff || !state.isTold
        return (SIGKILL, 50_000)
      }
      if !state.isTold, !state.wasCutOff, times.terminateAt <= now {
        state.wasCutOff = true
        return (SIGTERM, 50_000)
      }
      let next = state.isTold || state.wasCutOff ? times.killAt : times.terminateAt
      return (nil, max(1_000, next - now))
    }
    guard let signal else { return pause }
    await withCheckedContinuation { continuation in
      queue.async { [self] in
        LocalProcess.killTree(of: identity, mark: mark, signal)
        if signal == SIGTERM { LocalProcess.killTree(of: identity, mark: mark, SIGCONT) }
        continuation.resume()
      }
    }
    return pause
  }
}
