import CProcess
import Glibc
import Runtime
import Synchronization

/// The socket to the keeper: requests go out from any thread, answers come in on one of its own.
///
/// `state` guards everything that changes. The socket and the eventfd are closed only by the reader, and only
/// after `isOver` was set under the lock; whoever writes looks at it under the same lock.
final class KeeperLink: Sendable {
  typealias Started = @Sendable (Result<Keeper.Handle, ProcessEnd>) -> Void
  typealias Ended = @Sendable (Keeper.Handle, ProcessEnd) -> Void

  private struct Step {
    var request: ProcessRequest?
    var handle: Keeper.Handle?
    let onStart: Started
    let onEnd: Ended
  }

  private struct State {
    var nextTicket: UInt64
    var steps: [UInt64: Step] = [:]
    /// What the socket would not take yet; the reader sends it when there is room.
    var outbound: [UInt8] = []
    var isOver = false
    var isQuitting = false
    var isDetached = false
    var failure: KeeperError?
    var waiters: [CheckedContinuation<KeeperError?, Never>] = []
    /// Those who wait until nothing is left of what they had stopped, by the number they asked with.
    var stopping: [UInt64: CheckedContinuation<Void, Never>] = [:]
  }

  private let socket: Int32
  private let wake: Int32
  private let keeper: pid_t
  private let bootID: String
  private let state: Mutex<State>

  /// Starts the reader; nil if the system has no thread or descriptor left.
  init?(socket: Int32, keeper: pid_t, bootID: String) {
    self.socket = socket
    self.keeper = keeper
    self.bootID = bootID
    wake = evk_eventfd()
    // Tickets go on from a random number, so that no two keepers of a host ever share one.
    state = Mutex(State(nextTicket: UInt64.random(in: 1...UInt64.max)))
    guard wake >= 0 else { return nil }
    guard BackgroundThread.start(named: "keeper-link", { [self] in read() }) else {
      close(wake)
      return nil
    }
  }

  // MARK: Requests

  func start(
    _ request: ProcessRequest, account: UserAccount?, _ onStart: @escaping Started, _ onEnd: @escaping Ended
  ) {
    if let flaw = request.flaw { return onStart(.failure(ProcessEnd(.notStarted(flaw)))) }
    let ticket = state.withLock { state in
      state.nextTicket &+= 1
      return state.nextTicket
    }
    guard let frame = request.encoded(ticket: ticket, account: account) else {
      return onStart(.failure(StartFailure(request, phase: EVK_PHASE_EXEC, error: E2BIG).end))
    }
    let taken = state.withLock { state in
      guard !state.isOver, !state.isQuitting, !state.isDetached else { return false }
      state.steps[ticket] = Step(request: request, handle: nil, onStart: onStart, onEnd: onEnd)
      push(frame, &state)
      return true
    }
    if !taken {
      let sentence =
        "cannot start '\(request.arguments.first ?? "")': the keeper of this agent is gone or ending; restart the agent"
      onStart(.failure(ProcessEnd(.notStarted(sentence))))
    }
  }

  /// Sends requests in their order; false if there is nobody to send them to.
  @discardableResult
  func send(_ requests: [[UInt8]], isQuitting: Bool = false) -> Bool {
    state.withLock { state in
      if isQuitting { state.isQuitting = true }
      guard !state.isOver, !state.isDetached else { return false }
      for bytes in requests { push(bytes, &state) }
      return true
    }
  }

  /// Stops every step whose key begins with `prefix`, and returns when nothing of them is left, or the keeper is gone.
  func stopAll(prefix: String, killAt: Int64) async {
    await withCheckedContinuation { continuation in
      let isWaiting = state.withLock { state in
        state.nextTicket &+= 1
        guard !state.isOver, !state.isDetached,
          let bytes = KeeperRequests.stopAll(prefix: prefix, killAt: killAt, ticket: state.nextTicket)
        else { return false }
        state.stopping[state.nextTicket] = continuation
        push(bytes, &state)
        return true
      }
      if !isWaiting { continuation.resume() }
    }
  }

  func gone() async -> KeeperError? {
    await withCheckedContinuation { continuation in
      let isOver = state.withLock { state in
        if !state.isOver { state.waiters.append(continuation) }
        return state.isOver
      }
      if isOver { continuation.resume(returning: state.withLock { $0.failure }) }
    }
  }

  func detach() {
    state.withLock { state in
      guard !state.isOver, !state.isDetached else { return }
      state.isDetached = true
      // Only what was already on its way is sent: as after a crash.
      state.outbound = []
      signalReader()
    }
  }

  /// Sends at once if nothing waits before it, which spares the reader a wake-up.
  private func push(_ bytes: [UInt8], _ state: inout State) {
    var sent = 0
    if state.outbound.isEmpty { sent = write(bytes[...]) }
    guard sent < bytes.count else { return }
    state.outbound.append(contentsOf: bytes[sent...])
    signalReader()
  }

  /// How many bytes the socket took; an error shows itself to the reader as the end of the keeper.
  private func write(_ bytes: ArraySlice<UInt8>) -> Int {
    bytes.withUnsafeBytes { buffer in
      var sent = 0
      while sent < buffer.count {
        let count = Glibc.send(
          socket, buffer.baseAddress?.advanced(by: sent), buffer.count - sent, Int32(MSG_NOSIGNAL))
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { break }
        sent += count
      }
      return sent
    }
  }

  private func signalReader() {
    var one: UInt64 = 1
    // It can fail only by being signalled already.
    _ = Glibc.write(wake, &one, MemoryLayout<UInt64>.size)
  }

  // MARK: Answers, on the reader's thread

  private func read() {
    let size = MemoryLayout<evk_answer>.size
    var buffer = [UInt8](repeating: 0, count: size * 512)
    var filled = 0
    while true {
      let (wantsRoom, isDetached) = state.withLock { (!$0.outbound.isEmpty, $0.isDetached) }
      if isDetached { break }
      var polled = [
        pollfd(fd: socket, events: Int16(POLLIN) | (wantsRoom ? Int16(POLLOUT) : 0), revents: 0),
        pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
      ]
      guard poll(&polled, 2, -1) >= 0 || errno == EINTR else { break }
      if polled[1].revents != 0 {
        var count: UInt64 = 0
        _ = Glibc.read(wake, &count, MemoryLayout<UInt64>.size)
      }
      if polled[0].revents & Int16(POLLOUT) != 0 { flush() }
      guard polled[0].revents & ~Int16(POLLOUT) != 0 else { continue }
      let count = buffer.withUnsafeMutableBytes { bytes in
        recv(socket, bytes.baseAddress?.advanced(by: filled), bytes.count - filled, 0)
      }
      if count < 0 && (errno == EINTR || errno == EAGAIN) { continue }
      if count <= 0 { break }
      filled += count
      let whole = filled / size
      deliver(
        buffer.withUnsafeBytes { bytes in
          (0..<whole).map { bytes.loadUnaligned(fromByteOffset: $0 * size, as: evk_answer.self) }
        })
      let used = whole * size
      if used < filled { buffer.replaceSubrange(0..<(filled - used), with: Array(buffer[used..<filled])) }
      filled -= used
    }
    finish()
  }

  private func flush() {
    state.withLock { state in
      let sent = write(state.outbound[...])
      if sent == state.outbound.count {
        state.outbound = []
      } else {
        state.outbound.removeFirst(sent)
      }
    }
  }

  private func deliver(_ answers: [evk_answer]) {
    // One lock for all that came in one read; the callbacks run without it.
    let news = state.withLock { state in answers.compactMap { take($0, &state) } }
    for tell in news { tell() }
  }

  /// What is to be done about an answer, if anybody waits for it.
  private func take(_ answer: evk_answer, _ state: inout State) -> (@Sendable () -> Void)? {
    if answer.kind == EVK_NONE_LEFT.rawValue {
      guard let waiter = state.stopping.removeValue(forKey: answer.ticket) else { return nil }
      return { waiter.resume() }
    }
    guard var step = state.steps[answer.ticket] else { return nil }
    switch evk_answer_kind(answer.kind) {
    case EVK_STARTED:
      let identity = ProcessIdentity(pid: answer.pid, startTime: answer.start_time, bootID: bootID)
      let handle = Keeper.Handle(ticket: answer.ticket, identity: identity)
      step.handle = handle
      step.request = nil
      state.steps[answer.ticket] = step
      return { [onStart = step.onStart] in onStart(.success(handle)) }
    case EVK_NOT_STARTED:
      state.steps[answer.ticket] = nil
      guard let request = step.request else { return nil }
      let phase = evk_phase(UInt32(bitPattern: answer.phase))
      return { [onStart = step.onStart] in
        onStart(.failure(StartFailure(request, phase: phase, error: answer.error).end))
      }
    case EVK_ENDED:
      state.steps[answer.ticket] = nil
      guard let handle = step.handle else { return nil }
      return { [onEnd = step.onEnd] in onEnd(handle, ProcessEnd(answer)) }
    default:
      return nil
    }
  }

  private func finish() {
    let isDetached = state.withLock { state in
      state.isOver = true
      return state.isDetached
    }
    close(socket)
    close(wake)
    // How it ended is part of the message. A keeper that was let go is waited for last: it may take its time.
    let how = isDetached ? "" : waitForKeeper()
    let (steps, waiters, stopping, failure) = state.withLock { state in
      let steps = state.steps
      state.steps = [:]
      let stopping = state.stopping.values
      state.stopping = [:]
      if !isDetached && !(state.isQuitting && steps.isEmpty) {
        state.failure = KeeperError(.died, "the keeper of this agent is gone: it \(how)")
      }
      let waiters = state.waiters
      state.waiters = []
      return (steps, waiters, stopping, state.failure)
    }
    for step in steps.values {
      if let handle = step.handle {
        if !isDetached {
          step.onEnd(handle, ProcessEnd(.lost("how it ended is unknown: its keeper \(how)")))
        }
      } else {
        let why = isDetached ? "the agent let go of its keeper" : "its keeper \(how)"
        step.onStart(.failure(ProcessEnd(.lost("whether it was started is unknown: \(why)"))))
      }
    }
    for waiter in waiters { waiter.resume(returning: failure) }
    for continuation in stopping { continuation.resume() }
    if isDetached { _ = waitForKeeper() }
  }

  private func waitForKeeper() -> String {
    var status: Int32 = 0
    while waitpid(keeper, &status, 0) < 0 {
      if errno != EINTR { return "has ended" }
    }
    let signal = status & 0x7f
    return signal == 0 ? "ended with exit code \((status >> 8) & 0xff)" : "was killed by signal \(signal)"
  }
}
