import Dispatch

/// A place for blocking work: one closure at a time, in order, never on Swift's cooperative threads.
///
/// A serial dispatch queue is used and not a `pthread`: libdispatch gives a serial queue an overcommit
/// thread, so a hundred blocked workers can't starve each other, and idle ones give their thread back.
/// Nothing here may rely on thread-local state: two jobs can run on two threads, though never at once.
public final class SerialWorker: Sendable {
  private let queue: DispatchQueue

  /// Makes a worker; `name` is for debuggers.
  public init(name: String) {
    queue = DispatchQueue(label: "eventor.\(name)")
  }

  /// Runs `body` after all earlier jobs and hands back what it returned or threw.
  ///
  /// The job is not cancelled with the task that waits: whoever blocks must be woken by its own means.
  public func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Result(catching: body)) }
    }
  }

  /// Runs `body` after all earlier jobs; nobody waits for it.
  public func enqueue(_ body: @escaping @Sendable () -> Void) {
    queue.async(execute: body)
  }
}
