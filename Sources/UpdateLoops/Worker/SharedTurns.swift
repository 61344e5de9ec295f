/// Workers of one process take their turns together: what several want while a transaction is under way is done by the
/// next one, and the ids it got are dealt out.
///
/// A commit and the statements before it cost a server nearly the same for one batch as for eight, and workers that go
/// together are not in each other's way. Nobody waits for company: a worker that is alone has its transaction at once.
/// (Group commit, done as flat combining: Hendler, Incze, Shavit, Tzafrir 2010. Whoever finds nobody at it carries out
/// what has gathered, its own turn first, and hands over to one of those that came meanwhile.)
public actor SharedTurns {
  /// Where the ids are.
  public nonisolated let loop: UpdateLoop
  private let lockFor: Duration
  private let minLoopTime: Duration

  private var waiting: [Waiter] = []
  private var isLed = false
  /// How many transactions there were; what tests go by, as are the next two.
  private(set) var transactions = 0
  var isBusy: Bool { isLed }
  var gathered: Int { waiting.count }
  /// How many others went with the last one.
  private var company = 0
  /// How many times whoever leads lets others run before it goes without them: some microseconds.
  private static let patience = 64

  private struct Waiter {
    let turn: Turn
    let answer: CheckedContinuation<Answer, Never>
  }

  private struct Turn {
    let done: [LoopID]
    let limit: Int

    /// How many ids it is about, or so many that nobody goes with it.
    var size: Int { done.count + min(limit, mostIDs) }
  }

  /// What goes together is about no more ids than this, that nobody waits for long.
  private static let mostIDs = 5000

  private enum Answer {
    case taken(Result<[LoopID], any Error>)
    /// The turn was taken out of the line, and is to be carried out with all that wait.
    case lead
    /// Whoever was at it was cancelled.
    case again
  }

  /// Turns at `loop`; the times are those of ``UpdateLoop/get(_:lockFor:minLoopTime:dryRun:)``.
  public init(
    _ loop: UpdateLoop, lockFor: Duration = UpdateLoop.usualLock,
    minLoopTime: Duration = UpdateLoop.usualLoopTime
  ) {
    self.loop = loop
    self.lockFor = lockFor
    self.minLoopTime = minLoopTime
  }

  /// Marks the last batch as updated and gets the next, as ``UpdateLoop/turn(did:get:lockFor:minLoopTime:)`` does.
  ///
  /// - Throws: ``LoopError`` (`invalid`) for ids that are none of the loop and negative limits; `DatabaseError`, which all
  ///   that went together get.
  public func turn(did done: some Sequence<LoopID>, get limit: Int) async throws -> [LoopID] {
    // What is wrong with one turn is no matter of the others.
    let turn = Turn(done: Array(done), limit: limit)
    _ = try loop.checked(turn.done)
    _ = try Take(from: loop.table, limit, lockFor: lockFor, minLoopTime: minLoopTime)
    while isLed {
      switch await withCheckedContinuation({ waiting.append(Waiter(turn: turn, answer: $0)) }) {
      case .taken(let result): return try await kept(result.get())
      case .lead: return try await lead(turn)
      case .again: continue
      }
    }
    isLed = true
    return try await lead(turn)
  }

  private func lead(_ turn: Turn) async throws -> [LoopID] {
    // Those that went together last time may be about to come again, if their work is short.
    var patience = Self.patience
    while waiting.count < company, patience > 0 {
      await Task.yield()
      patience -= 1
    }
    var (others, size) = ([Waiter](), turn.size)
    while let next = waiting.first, size + next.turn.size <= Self.mostIDs {
      others.append(waiting.removeFirst())
      size += next.turn.size
    }
    company = others.count
    defer { handOver() }
    transactions += 1
    do {
      let turns = [turn] + others.map(\.turn)
      var ids = try await loop.turn(
        did: turns.flatMap(\.done), get: turns.reduce(0) { $0 + $1.limit }, lockFor: lockFor,
        minLoopTime: minLoopTime)[...]
      let own = ids.prefix(turn.limit)
      ids = ids.dropFirst(own.count)
      for other in others {
        let batch = ids.prefix(other.turn.limit)
        ids = ids.dropFirst(batch.count)
        other.answer.resume(returning: .taken(.success(Array(batch))))
      }
      return Array(own)
    } catch {
      let isOwn = error is CancellationError
      for other in others { other.answer.resume(returning: isOwn ? .again : .taken(.failure(error))) }
      throw error
    }
  }

  /// What was dealt to one that was cancelled while it waited is given back; if that fails, its locks end by themselves.
  private func kept(_ ids: [LoopID]) async throws -> [LoopID] {
    guard Task.isCancelled, !ids.isEmpty else { return ids }
    await Task { [loop] in _ = try? await loop.unlock(ids, autoAdd: false) }.value
    throw CancellationError()
  }

  private func handOver() {
    if waiting.isEmpty {
      isLed = false
    } else {
      waiting.removeFirst().answer.resume(returning: .lead)
    }
  }
}
