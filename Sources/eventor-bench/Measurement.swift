import CFloor
import CommandSupport
import Glibc
import Runtime
import Synchronization

/// One call of a subcommand: signals end it in good order, its report is printed.
enum Measurement {
  /// Carries `body` out and prints its report. Ctrl-C cancels it; what it has made it removes itself.
  static func run(
    _ options: BenchOptions, _ body: @escaping @Sendable (StorePlace) async throws -> Report
  ) async throws {
    let place = try StorePlace(options.store)
    try await place.refuseIfInUse()
    var report = try await interruptible { try await body(place) }
    report.server = try await place.version()
    if options.json { try Say.json(report) } else { Say.line(report.text) }
  }

  /// Cancels `body` at the first signal; later ones are passed over, as clearing up goes on already.
  static func interruptible<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
    let state = Mutex<(task: Task<T, any Error>?, isOver: Bool)>((nil, false))
    let signals = try Interrupts([SIGINT, SIGTERM, SIGHUP]) { _, _ in
      // What blocks in C looks at this one.
      evf_stop()
      state.withLock { state in
        state.isOver = true
        state.task?.cancel()
      }
    }
    let task = Task { try await body() }
    state.withLock { state in
      state.task = task
      if state.isOver { task.cancel() }
    }
    let result = await task.result
    signals.stop()
    return try result.get()
  }
}
