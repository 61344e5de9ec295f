import Glibc

/// Processes of a step that no keeper ends any more.
struct StrayProcesses: Sendable {
  /// The step's main process, if it is known.
  let identity: ProcessIdentity?
  /// The value of `EVENTOR_TASK_MARK`.
  let mark: String

  /// Kills them; blocks until none is left, or, for those that can't be killed, two seconds have passed.
  func kill() {
    _ = wait { Self.severalTimes { LocalProcess.killTree(of: identity, mark: mark, SIGKILL) == 0 } }
  }

  /// Tells them to end and kills those that have not after two seconds; blocks meanwhile.
  func end() {
    if Self.severalTimes({ LocalProcess.killTree(of: identity, mark: mark, SIGTERM) == 0 }) { return }
    // A stopped process has to go on to notice the signal.
    LocalProcess.killTree(of: identity, mark: mark, SIGCONT)
    if !wait(until: { Self.severalTimes { LocalProcess.tree(of: identity, mark: mark).isEmpty } }) { kill() }
  }

  /// Of a chain whose members fork the next and end, a list may show none though there is one: it was read past the place
  /// where the next one came to be. Looked so often, and not at one pace, it is as good as seen.
  private static func severalTimes(_ isGone: () -> Bool) -> Bool {
    (0..<16).allSatisfy { _ in
      guard isGone() else { return false }
      usleep(.random(in: 100...2000))
      return true
    }
  }

  private func wait(until condition: () -> Bool) -> Bool {
    for _ in 0..<40 {
      if condition() { return true }
      usleep(50_000)
    }
    return false
  }
}
