public import Database

/// A database whose documents keep changing: for testing what backs it up or copies it.
///
/// One program at a time works on the documents. Each batch of them is written together with the progress of the run, in
/// one transaction, so that a run that is interrupted at any moment goes on with exactly the documents that are left.
public final class WorkloadDatabase: Sendable {
  /// How many runs the history holds.
  public static let historyLimit = 100

  /// Hears what happens; called between batches.
  public typealias Listener = @Sendable (WorkloadHappening) -> Void

  /// Where it is.
  public let url: StoreURL
  let pool: Pool
  let holder: String
  private let lock: ExecutionLock

  /// A workload at `url`; nothing is opened yet. `holder` is what others are told who works here: user, host, process.
  public init(url: StoreURL, driver: any Driver, holder: String) {
    self.url = url
    self.holder = holder
    // One connection, as the lock is a connection's.
    pool = Pool(url: url, driver: driver, size: 1)
    lock = ExecutionLock(url)
  }

  /// Closes the connection; a run that is under way ends first.
  public func close() async { await pool.close() }

  /// What is recorded; nil where nothing is set up.
  ///
  /// - Throws: ``DatabaseError``.
  public func find() async throws -> WorkloadState? {
    guard try await isMigrated() else { return nil }
    return try await pool.transaction(.read) { session in try session.recorded()?.state }
  }

  /// The runs that are over, newest first, at most ``historyLimit``.
  ///
  /// - Throws: ``WorkloadError`` (`notSetUp`), ``DatabaseError``.
  public func history() async throws -> [WorkloadState.Ended] {
    guard try await isMigrated() else { throw notSetUp }
    return try await pool.transaction(.read) { session in try session.history() }
  }

  /// Whether the tables are there.
  func isMigrated() async throws -> Bool {
    try await pool.run { session in
      try Schema.migrator.status(session).contains { $0.number == 1 && $0.appliedAt != nil }
    }
  }

  var notSetUp: WorkloadError {
    WorkloadError(.notSetUp, "db \(url) not found: did you run `coordinator workload setup` first?")
  }

  // MARK: Turns

  /// Runs `body` while nobody else works on the documents, whose tables must be there.
  func withTurn<T>(
    _ patience: WorkloadPatience, _ listener: Listener, _ body: () async throws -> T
  ) async throws -> T {
    try await waitForTurn(patience, listener)
    let outcome: Result<T, any Error>
    do {
      outcome = .success(try await body())
    } catch {
      outcome = .failure(error)
    }
    // In a task of its own, as this one may be cancelled by now. A connection that is gone took its lock along.
    await Task { [lock, pool] in
      do { try await pool.run { session in try lock.release(session) } } catch {}
    }.value
    return try outcome.get()
  }

  private func waitForTurn(_ patience: WorkloadPatience, _ listener: Listener) async throws {
    let began = ContinuousClock.now
    var isFirst = true
    while true {
      let isMine = try await pool.run { [lock] session in
        guard try lock.hold(session) else { return false }
        try lock.keepAlive(session)
        return true
      }
      if isMine { return }
      let other = try await pool.transaction(.read) { session in try session.recorded()?.state.holder }
      let name = other?.name ?? "another program"
      switch patience {
      case .none:
        throw WorkloadError(.busy, "db \(url) is being worked on by \(name); wait for it with --wait")
      case .upTo(let most) where ContinuousClock.now - began >= most:
        throw WorkloadError(
          .timedOut, "db \(url) is still being worked on by \(name); raise --timeout, or see what it does")
      case .upTo, .forever: break
      }
      if isFirst { listener(.waiting(for: other)) }
      isFirst = false
      // Asked again and not waited for in the database: the same on all three, and a task that is cancelled is heard.
      try await Task.sleep(for: .milliseconds(200))
    }
  }

  /// Runs one step of the work in a transaction, with the lock.
  ///
  /// A step reads from the locked row what is to be done next. So it is simply done again when the answer to its commit
  /// was lost, whatever became of that.
  @discardableResult
  func step<T: Sendable>(_ body: @escaping @Sendable (any Session) throws -> T) async throws -> T {
    var lostAnswers = 0
    var lostLock: ContinuousClock.Instant?
    while true {
      do {
        return try await pool.transaction(.write) { [lock] session in
          // A connection made anew has no lock yet.
          guard try lock.hold(session) else { throw LockIsTaken() }
          return try body(session)
        }
      } catch let error as DatabaseError where error.kind == .outcomeUnknown && lostAnswers < 5 {
        lostAnswers += 1
      } catch is LockIsTaken {
        // The server may not have noticed yet that the connection before this one is gone.
        let since = lostLock ?? .now
        lostLock = since
        guard ContinuousClock.now - since < Self.lockReturnsWithin else {
          throw WorkloadError(
            .takenOver, "the connection to db \(url) was lost, and another program works on the documents now"
          )
        }
        try await Task.sleep(for: .milliseconds(50))
      }
    }
  }

  private static let lockReturnsWithin = Duration.seconds(10)
}

/// Another session has the lock that was ours.
private struct LockIsTaken: Error {}
