import Database

/// What one execution did.
public struct WorkloadRun: Sendable, Hashable {
  /// The number of the run, from 1.
  public let number: Int
  /// The documents of the run.
  public let documents: DocumentRange
  /// How many of them an earlier execution had updated before it was interrupted.
  public let doneBefore: Int
  /// How many of those updated here were there before.
  public let revisions: Int
  /// How long their revisions were read, in seconds.
  public let revisionSeconds: Double
  /// How long this execution took, in seconds.
  public let seconds: Double
  /// What is recorded afterwards.
  public let state: WorkloadState

  /// How many documents were updated here.
  public var updated: Int { documents.count - doneBefore }
}

extension WorkloadDatabase {
  /// Updates the next documents, or those that an interrupted run has left; makes those that are not there yet.
  ///
  /// An interrupted set-up is finished first. Cancelling the task interrupts the run between two batches, and nothing
  /// is lost.
  ///
  /// - Throws: ``WorkloadError`` (`notSetUp`, `busy`, `timedOut`, `takenOver`), ``DatabaseError``, CancellationError.
  public func execute(
    patience: WorkloadPatience = .none, listener: Listener = { _ in }
  ) async throws -> WorkloadRun {
    guard try await find() != nil else { throw notSetUp }
    return try await withTurn(patience, listener) {
      let claim = Int64.random(in: 1...Int64.max)
      do {
        return try await self.update(claim, listener)
      } catch {
        await self.leave(claim)
        throw error
      }
    }
  }

  private func update(_ claim: Int64, _ listener: Listener) async throws -> WorkloadRun {
    let clock = ContinuousClock()
    let began = clock.now
    let holder = holder
    var begun = try await step { session in try session.claim(claim, holder: holder, opensRun: true) }
    if begun?.state.isFilling == true {
      try await fill(claim: claim, listener)
      begun = try await step { session in try session.claim(claim, holder: holder, opensRun: true) }
    }
    guard let state = begun?.state, let run = state.open else { throw notSetUp }
    listener(.began(state))
    let batch = UpdateBatch(state, run, claim: claim)
    var progress = UpdateBatch.Progress(done: run.done, revisions: run.revisions, after: nil)
    var reading = Duration.zero
    while progress.after == nil {
      listener(.updating(done: progress.done, total: run.updates))
      let (next, time) = try await step { session in try batch.write(session) }
      progress = next
      reading += time
    }
    listener(.updating(done: run.updates, total: run.updates))
    guard let after = progress.after else { throw notSetUp }
    return WorkloadRun(
      number: run.number, documents: batch.documents, doneBefore: run.done,
      revisions: progress.revisions - run.revisions, revisionSeconds: reading / .seconds(1),
      seconds: (clock.now - began) / .seconds(1), state: after)
  }

  /// Says that nobody works on the run any more. Where that can't be said, whoever goes on says so by its own claim.
  private func leave(_ claim: Int64) async {
    await Task { do { try await step { session in try session.dismiss(claim) } } catch {} }.value
  }
}

/// Writes the documents of one run, some at a time.
private struct UpdateBatch: Sendable {
  /// How far the run has come.
  struct Progress: Sendable {
    let done: Int
    let revisions: Int
    /// What is recorded once it is over.
    let after: WorkloadState?
  }

  let documents: DocumentRange
  private let number: Int
  private let spentBefore: Int64
  private let claim: Int64
  private let content: DocumentContent
  private let size: Int

  init(_ state: WorkloadState, _ run: WorkloadState.Open, claim: Int64) {
    documents = DocumentRange(start: state.start, count: run.updates, total: state.parameters.total)
    number = run.number
    spentBefore = run.spent
    self.claim = claim
    content = DocumentContent(
      size: state.parameters.size, compressible: state.parameters.compressible, seed: state.seed)
    size = DocumentRange.batchSize(for: state.parameters.size)
  }

  /// Updates the next batch and records the progress, and with the last one the end of the run. Returns also how long
  /// the revisions were read.
  func write(_ session: any Session) throws -> (Progress, Duration) {
    let recorded = try session.recorded(claimedBy: claim)
    guard let run = recorded.state.open, run.number == number else {
      // The answer to the last commit was lost, and it had happened.
      let revisions = recorded.state.last?.revisions ?? 0
      return (Progress(done: documents.count, revisions: revisions, after: recorded.state), .zero)
    }
    let began = ContinuousClock.now
    let range = documents.batch(after: run.done, size: size)
    let known = try session.revisions(of: range)
    let reading = ContinuousClock.now - began
    let rows = range.map { id in
      let bytes = content.bytes(of: id, revision: (known[id]?.number ?? 0) + 1)
      return DocumentRow(id: id, revision: Revision(after: known[id], content: bytes), content: bytes)
    }
    try session.write(rows, at: recorded.now, areNew: known.isEmpty)
    let (done, revisions) = (run.done + range.count, run.revisions + known.count)
    try session.execute(
      """
      UPDATE wl_workload SET run_done = \(done), run_revisions = \(revisions),
        run_spent = \(spentBefore) + \(raw: session.dialect.now) - resumed_at
      WHERE id = 1
      """)
    if done == run.updates { try end(session) }
    let after = done == run.updates ? try session.recorded()?.state : nil
    return (Progress(done: done, revisions: revisions, after: after), reading)
  }

  private func end(_ session: any Session) throws {
    try session.execute(
      """
      INSERT INTO wl_history (run, started_at, spent, first_document, updates, revisions, errors)
      SELECT runs + 1, run_started_at, run_spent, next_document, run_updates, run_revisions, 0
      FROM wl_workload WHERE id = 1
      """)
    try session.execute(
      "DELETE FROM wl_history WHERE run <= \(number - WorkloadDatabase.historyLimit)")
    try session.execute(
      """
      UPDATE wl_workload SET runs = runs + 1, next_document = \(documents.end), run_updates = NULL,
        run_done = NULL, run_revisions = NULL, run_started_at = NULL, run_spent = NULL, holder = NULL
      WHERE id = 1
      """)
  }
}
