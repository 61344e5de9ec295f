import Synchronization

/// Bytes on their way between a task and a session's thread, never more than its capacity: whoever is faster waits.
///
/// One side may write and one may read; both may give up.
public final class BytePipe: Sendable, AsyncSequence {
  /// Pieces of at least one byte.
  public typealias Element = [UInt8]

  private struct State {
    var bytes: [UInt8] = []
    var isFinished = false
    var isAbandoned = false
    var reader: CheckedContinuation<Void, Never>?
    var writer: CheckedContinuation<Void, Never>?
    /// Rings for the session's thread.
    var onChange: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())
  private let capacity: Int

  /// An empty pipe that takes `capacity` bytes.
  public init(capacity: Int = 256 << 10) { self.capacity = Swift.max(1, capacity) }

  // MARK: For tasks

  /// Writes all of `bytes`, waiting for room; false if nobody reads any more, or the task is cancelled.
  public func write(_ bytes: [UInt8]) async -> Bool {
    var rest = bytes[...]
    while true {
      let (isAbandoned, onChange) = state.withLock { state -> (Bool, (@Sendable () -> Void)?) in
        let count = Swift.min(rest.count, capacity - state.bytes.count)
        state.bytes += rest.prefix(count)
        rest = rest.dropFirst(count)
        return (state.isAbandoned || state.isFinished, state.onChange)
      }
      wakeReader()
      onChange?()
      if isAbandoned || Task.isCancelled { return false }
      if rest.isEmpty { return true }
      await change(\.writer) { $0.bytes.count >= self.capacity && !$0.isAbandoned && !$0.isFinished }
    }
  }

  /// Says that nothing more is written; what is in the pipe is still read.
  public func finish() {
    state.withLock { $0.isFinished = true }
    wakeAll()
  }

  /// Says that nothing more is read.
  public func abandon() {
    state.withLock { state in
      state.isAbandoned = true
      state.bytes = []
    }
    wakeAll()
  }

  /// Reads a piece after the other, until the writer has finished.
  public struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let pipe: BytePipe

    /// What has gathered, at least one byte; nil at the end, and if the task is cancelled.
    public mutating func next() async -> [UInt8]? {
      while !Task.isCancelled {
        let (bytes, isOver, onChange) = pipe.state.withLock { state in
          defer { state.bytes = [] }
          return (state.bytes, state.isFinished || state.isAbandoned, state.onChange)
        }
        if !bytes.isEmpty {
          pipe.wakeWriter()
          onChange?()
          return bytes
        }
        if isOver { return nil }
        await pipe.change(\.reader) { $0.bytes.isEmpty && !$0.isFinished && !$0.isAbandoned }
      }
      return nil
    }
  }

  /// The reading end; there is only one.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(pipe: self) }

  /// Waits until it is woken, if `mustWait` still says so.
  private func change(
    _ slot: any WritableKeyPath<State, CheckedContinuation<Void, Never>?> & Sendable,
    while mustWait: @Sendable (State) -> Bool
  ) async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let waits = state.withLock { state in
          guard mustWait(state), state[keyPath: slot] == nil, !Task.isCancelled else { return false }
          state[keyPath: slot] = continuation
          return true
        }
        if !waits { continuation.resume() }
      }
    } onCancel: {
      wake(slot)
    }
  }

  private func wake(_ slot: WritableKeyPath<State, CheckedContinuation<Void, Never>?>) {
    let waiting = state.withLock { state in
      defer { state[keyPath: slot] = nil }
      return state[keyPath: slot]
    }
    waiting?.resume()
  }

  private func wakeReader() { wake(\.reader) }
  private func wakeWriter() { wake(\.writer) }

  private func wakeAll() {
    wakeReader()
    wakeWriter()
    state.withLock { $0.onChange }?()
  }

  // MARK: For the session's thread, which never waits here

  /// Has `body` called whenever something changes.
  func observe(_ body: (@Sendable () -> Void)?) { state.withLock { $0.onChange = body } }

  /// How many bytes it takes at the moment; nil if nobody reads any more.
  var room: Int? { state.withLock { $0.isAbandoned ? nil : capacity - $0.bytes.count } }

  /// Puts in as much as there is room for; returns how much that was.
  func put(_ bytes: ArraySlice<UInt8>) -> Int {
    let count = state.withLock { state in
      let count = state.isAbandoned ? bytes.count : Swift.min(bytes.count, capacity - state.bytes.count)
      if !state.isAbandoned { state.bytes += bytes.prefix(count) }
      return count
    }
    wakeReader()
    return count
  }

  /// Takes what there is, up to `count` bytes; nil if nothing will come any more.
  func take(_ count: Int) -> [UInt8]? {
    let taken = state.withLock { state -> [UInt8]? in
      if state.bytes.isEmpty { return state.isFinished || state.isAbandoned ? nil : [] }
      let taken = Array(state.bytes.prefix(count))
      state.bytes.removeFirst(taken.count)
      return taken
    }
    wakeWriter()
    return taken
  }
}
