import Foundation
import Glibc

/// What earlier attempts of a task have left running on this host: they may have been given up from afar while they ran,
/// and must be ended before the task is started again.
struct EarlierAttempts {
  /// The work directory of agents, with their journals.
  let directory: String
  /// What is about to be started.
  let next: TaskKey

  /// Ends them; blocks meanwhile. Returns those of which something is left all the same.
  func end() -> [KeeperJournal.Entry] {
    KeeperJournal.paths(in: directory).flatMap { end(in: $0) }
  }

  private func end(in path: String) -> [KeeperJournal.Entry] {
    var left = unfinished(in: path)
    guard !left.isEmpty else { return [] }
    let control = KeeperControl(journal: path)
    let isTold =
      KeeperJournal.isKeeperAlive(path)
      && control.send(
        KeeperRequests.stop(left.map(\.ticket), killAt: LocalClock.sinceBoot + 2_000_000))
    // A keeper says in its journal when nothing is left.
    for _ in 0..<200 where isTold && KeeperJournal.isKeeperAlive(path) {
      usleep(50_000)
      left = unfinished(in: path)
      if left.isEmpty { return [] }
    }
    return left.filter { entry in
      StrayProcesses(identity: entry.identity, mark: entry.mark).end()
      return !LocalProcess.tree(of: entry.identity, mark: entry.mark).isEmpty
    }
  }

  private func unfinished(in path: String) -> [KeeperJournal.Entry] {
    ((try? KeeperJournal.read(path)) ?? []).filter { !$0.state.isFinal && isEarlier($0.key) }
  }

  /// Of the same task, or of an earlier recovery of the run: that was over before this one began.
  private func isEarlier(_ key: String) -> Bool {
    guard let key = TaskKey(text: key), key.run == next.run else { return false }
    return key.number == next.number || key.recovery < next.recovery
  }
}
