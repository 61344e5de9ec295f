import Database

extension UpdateLoop {
  /// Locks and returns up to `limit` ids that have gone longest without an update, in this order: those whose lock has
  /// expired (oldest expiry first, then oldest update), those never updated, then the least recently updated.
  ///
  /// No two calls are given the same id before the lock of the first ends or ``did(_:autoAdd:dryRun:)`` or
  /// ``unlock(_:autoAdd:dryRun:)`` takes it away. Ids that another call is looking at are stepped over.
  ///
  /// - Parameters:
  ///   - limit: The most ids; 0 gives none.
  ///   - lockFor: How long they stay locked: a safe upper bound of what their update takes. More than zero.
  ///   - minLoopTime: Ids that are not locked are left out if they were updated within this time.
  ///   - dryRun: Says what would be given out, and locks nothing.
  /// - Throws: ``LoopError`` (`invalid`) for a negative limit or a lock that is not positive; `DatabaseError`.
  public func get(
    _ limit: Int, lockFor: Duration = usualLock, minLoopTime: Duration = usualLoopTime, dryRun: Bool = false
  ) async throws -> [LoopID] {
    let take = try Take(from: table, limit, lockFor: lockFor, minLoopTime: minLoopTime)
    if limit == 0 { return [] }
    if dryRun { return try await pool.transaction(.read) { try take.look($0) } }
    return try await write(dryRun: false) { try take.carryOut($0) }
  }

  /// ``did(_:autoAdd:dryRun:)`` of the last batch and ``get(_:lockFor:minLoopTime:dryRun:)`` of the next in one
  /// transaction: half the commits, which on a server are what a worker mostly waits for.
  ///
  /// - Parameter done: Ids from an earlier call; one that was removed meanwhile does not come back.
  public func turn(
    did done: some Sequence<LoopID>, get limit: Int, lockFor: Duration = usualLock,
    minLoopTime: Duration = usualLoopTime
  ) async throws -> [LoopID] {
    let take = try Take(from: table, limit, lockFor: lockFor, minLoopTime: minLoopTime)
    let mark = Marking(table: table, ids: try checked(done), kind: .did, autoAdd: false)
    return try await write(dryRun: false) { session in
      _ = try mark.carryOut(session)
      return limit == 0 ? [] : try take.carryOut(session)
    }
  }
}
