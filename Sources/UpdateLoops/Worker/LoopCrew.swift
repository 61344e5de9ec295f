/// Several workers of one process, which take their turns together.
public final class LoopCrew: Sendable {
  private let workers: [LoopWorker]
  private let isStoppedByFailure: Bool

  /// Workers of `loop`.
  ///
  /// - Parameters:
  ///   - count: How many, at least one.
  ///   - settings: How each works.
  ///   - tell: Called with what people may want to know.
  ///   - work: Updates a batch for the worker of this number, from 0; false if that failed. What it throws unlocks the
  ///     batch and ends all workers.
  public init(
    _ count: Int, at loop: UpdateLoop, _ settings: LoopWorker.Settings,
    tell: @escaping @Sendable (LoopWorker.Event) -> Void = { _ in },
    work: @escaping @Sendable (Int, [LoopID]) async throws -> Bool
  ) {
    let turns = settings.turns(at: loop)
    workers = (0..<max(1, count)).map { number in
      LoopWorker(turns, settings, tell: tell) { try await work(number, $0) }
    }
    isStoppedByFailure = settings.unlocksOnFailure && settings.poll == nil
  }

  /// Ends each worker after the batch it is at. May be called from anywhere.
  public func stop() {
    for worker in workers { worker.stop() }
  }

  /// Works until no id is left, or with ``LoopWorker/Settings/poll`` until ``stop()``.
  ///
  /// - Returns: What all of them did.
  /// - Throws: What the first that failed threw, once the others have ended their batches.
  public func run() async throws -> LoopWorker.Tally {
    try await withTaskGroup(of: Result<LoopWorker.Tally, any Error>.self) { group in
      for worker in workers {
        group.addTask {
          do { return .success(try await worker.run()) } catch { return .failure(error) }
        }
      }
      var all = Result<LoopWorker.Tally, any Error>.success(.init())
      for await one in group {
        switch (all, one) {
        case (.success(let sum), .success(let tally)):
          all = .success(sum + tally)
          // A batch that was unlocked would come next to each of the others.
          if isStoppedByFailure, tally.failedBatches > 0 { stop() }
        case (.success, .failure):
          all = one
          stop()
        case (.failure, _): break
        }
      }
      return all
    }.get()
  }
}
