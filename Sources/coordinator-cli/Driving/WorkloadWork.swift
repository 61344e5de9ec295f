import CommandSupport
import Coordinator
import Model
import Runtime
import Synchronization
import Workload

/// Work on documents in the foreground: shows how far it has come, and stops at Ctrl-C with nothing lost.
enum WorkloadWork {
  /// Runs `body`, telling people what it says.
  ///
  /// - Parameter tellsOfRuns: Whether the beginning of a run belongs to the answer.
  /// - Throws: What `body` throws; ``CommandFailure`` (`cancelled`) after Ctrl-C or SIGTERM.
  static func carryOut<T: Sendable>(
    tellsOfRuns: Bool = false,
    _ body: @escaping @Sendable (@escaping WorkloadDatabase.Listener) async throws -> T
  ) async throws -> T {
    let teller = WorkloadTeller(tellsOfRuns: tellsOfRuns)
    defer { teller.finish() }
    do {
      return try await interruptible { try await body(teller.note) }
    } catch is CancellationError {
      throw CommandFailure(
        status: .cancelled, what: "interrupted", why: "what was done so far is kept",
        mend: "call it again to go on with the rest")
    }
  }

  /// Sleeps; false if Ctrl-C or SIGTERM came meanwhile.
  static func sleeps(for span: TimeSpan) async throws -> Bool {
    do {
      try await interruptible { try await Task.sleep(for: .microseconds(span.microseconds)) }
      return true
    } catch is CancellationError {
      return false
    }
  }

  private static func interruptible<T: Sendable>(
    _ body: @escaping @Sendable () async throws -> T
  ) async throws -> T {
    let task = Task { try await body() }
    let signals = try Interrupts { _, _ in task.cancel() }
    defer { signals.stop() }
    return try await task.value
  }
}

/// Turns happenings into bars and lines.
private final class WorkloadTeller: Sendable {
  private let tellsOfRuns: Bool
  private let filling = LiveBar("making documents")
  private let updating = LiveBar("updating documents")
  private let verifying = LiveBar("verifying documents")
  private let isFilling = Mutex(false)

  init(tellsOfRuns: Bool) { self.tellsOfRuns = tellsOfRuns }

  func finish() {
    for bar in [filling, updating, verifying] { bar.finish() }
  }

  func note(_ happening: WorkloadHappening) {
    switch happening {
    case .waiting(let holder): Say.aside("waiting for \(holder?.name ?? "another program")\n")
    case .filling(let done, let total):
      let isFirst = isFilling.withLock { isFilling in
        defer { isFilling = true }
        return !isFilling
      }
      if isFirst, tellsOfRuns { Say.line("Finishing the set-up: \(done) of \(total) docs are there") }
      filling.show(done, of: total)
      if done == total { filling.finish() }
    case .began(let state): if tellsOfRuns { tell(state) }
    case .updating(let done, let total): updating.show(done, of: total)
    case .verifying(let done, let total): verifying.show(done, of: total)
    }
  }

  private func tell(_ state: WorkloadState) {
    Say.out("Updating docs. Configuration:\n" + WorkloadView.lines(state, open: false))
    guard let open = state.open, open.done > 0 else { return }
    Say.line(
      "going on with run \(open.number): \(open.done) of \(open.updates) docs were updated before it was interrupted"
    )
  }
}
