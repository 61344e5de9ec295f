public import Engine
public import Logging
import Synchronization

/// Brings what running steps say of themselves into the store: the last of each, a few times a second at the most. It only
/// informs, so what can't be stored is dropped, and no step ever waits for it.
public final class StepNotes: Sendable {
  private struct Key: Hashable {
    let run: String
    let number: Int64
  }

  private struct State {
    var waiting: [Key: StepNote] = [:]
    var isSending = false
  }

  private let store: any RunDriver
  private let log: Logger
  private let pause: Duration
  private let state = Mutex(State())

  /// Notes for `store`, sent at most once in each `pause`.
  public init(store: any RunDriver, log: Logger, pause: Duration = .milliseconds(500)) {
    self.store = store
    self.log = log
    self.pause = pause
  }

  /// Takes a note of a step of `run`. May be called on any thread; does not wait.
  public func post(_ note: StepNote, of run: String) {
    let begins = state.withLock { state in
      state.waiting[Key(run: run, number: note.number)] = note
      defer { state.isSending = true }
      return !state.isSending
    }
    if begins { Task { await self.send() } }
  }

  private func send() async {
    while true {
      let notes = state.withLock { state in
        if state.waiting.isEmpty { state.isSending = false }
        defer { state.waiting = [:] }
        return state.waiting
      }
      if notes.isEmpty { return }
      for (run, some) in Dictionary(grouping: notes, by: \.key.run) {
        do {
          try await store.note(some.map(\.value), of: run)
        } catch {
          log.debug("notes of steps not stored", metadata: ["run": "\(run)", "error": "\(error)"])
        }
      }
      // What comes meanwhile is sent together. Nobody cancels this task.
      try? await Task.sleep(for: pause)
    }
  }
}
