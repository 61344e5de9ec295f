import Dispatch
import Engine
import Foundation
import Glibc
import Model
import Synchronization

/// Looks at the note files of functions that run in processes of their own: hands on what is new in them, and says whose
/// silence has lasted too long.
final class NoteWatch: Sendable {
  private struct Watched {
    let path: String
    let limit: TimeSpan?
    let shown: @Sendable (String) -> String?
    let onSilence: @Sendable () -> Void
    /// The file's last change that was seen.
    var stamp: [Int] = []
    var heardAt = ContinuousClock.now
  }

  private struct State {
    var watched: [TaskKey: Watched] = [:]
    var isLooking = false
  }

  private let queue: DispatchQueue
  private let post: @Sendable (TaskKey, FunctionNote) -> Void
  private let state = Mutex(State())

  /// A watch that reads on `queue`, where blocking does no harm, and hands notes to `post`.
  init(queue: DispatchQueue, post: @escaping @Sendable (TaskKey, FunctionNote) -> Void) {
    self.queue = queue
    self.post = post
  }

  /// Watches the file at `path`.
  ///
  /// - Parameters:
  ///   - limit: `onSilence` is called once if it has not changed for so long.
  ///   - shown: What may be shown of a message; nil: nothing.
  func add(
    _ key: TaskKey, path: String, limit: TimeSpan?, shown: @escaping @Sendable (String) -> String?,
    onSilence: @escaping @Sendable () -> Void
  ) {
    let begins = state.withLock { state in
      state.watched[key] = Watched(path: path, limit: limit, shown: shown, onSilence: onSilence)
      defer { state.isLooking = true }
      return !state.isLooking
    }
    if begins { Task { await self.look() } }
  }

  /// Looks no more.
  func remove(_ key: TaskKey) { state.withLock { _ = $0.watched.removeValue(forKey: key) } }

  private func look() async {
    while true {
      let shortest = state.withLock { state -> Int64? in
        if state.watched.isEmpty { state.isLooking = false }
        return state.isLooking ? state.watched.values.compactMap(\.limit?.microseconds).min() ?? .max : nil
      }
      guard let shortest else { return }
      // A silence is noticed within a quarter of its limit. Nobody cancels this task: the sleep is never cut short.
      try? await Task.sleep(for: .microseconds(max(20_000, min(500_000, shortest / 4))))
      await withCheckedContinuation { continuation in
        queue.async { [self] in
          lookOnce()
          continuation.resume()
        }
      }
    }
  }

  private func lookOnce() {
    for (key, watched) in state.withLock({ $0.watched }) {
      if let stamp = Self.stamp(of: watched.path), stamp != watched.stamp {
        // A file that is being written is read again: it changes once more when that is done.
        if let data = FileManager.default.contents(atPath: watched.path), !data.isEmpty,
          let note = try? JSONDecoder().decode(FunctionNote.self, from: data)
        {
          post(key, FunctionNote(fraction: note.fraction, message: note.message.flatMap(watched.shown)))
        }
        state.withLock { state in
          state.watched[key]?.stamp = stamp
          state.watched[key]?.heardAt = .now
        }
      } else if let limit = watched.limit,
        ContinuousClock.now - watched.heardAt > .microseconds(limit.microseconds)
      {
        remove(key)
        watched.onSilence()
      }
    }
  }

  private static func stamp(of path: String) -> [Int]? {
    var status = Glibc.stat()
    guard lstat(path, &status) == 0 else { return nil }
    return [status.st_mtim.tv_sec, status.st_mtim.tv_nsec, Int(status.st_size)]
  }
}
