import Coordinator
import Engine
public import Model
import Storage

/// Waits for the end of a run that others work on.
public struct Waiting {
  private let open: OpenStore
  private let json: Bool
  private let exitCodeFrom: String?
  private let timeout: TimeSpan?

  /// Waits for runs in `open`, at most for `timeout`.
  public init(open: OpenStore, json: Bool, exitCodeFrom: String? = nil, timeout: TimeSpan?) {
    self.open = open
    self.json = json
    self.exitCodeFrom = exitCodeFrom
    self.timeout = timeout
  }

  /// Waits for the end of `run`, and tells it.
  public func wait(for run: String) async throws {
    let began = ContinuousClock.now
    while try await !open.store.glance(at: run).status.isOver {
      if let timeout, ContinuousClock.now - began >= .microseconds(timeout.microseconds) {
        if json {
          Say.out(RunJSON.document(try await open.store.report(on: run, recovery: nil, allAttempts: false)))
        }
        throw CommandFailure(
          status: .timedOut, what: "run \(run) is not over after \(timeout)",
          mend: "`coordinator why \(run)` says why")
      }
      try await Task.sleep(for: .milliseconds(200))
    }
    try await Ending(open: open, json: json, exitCodeFrom: exitCodeFrom).tell(run)
  }
}
