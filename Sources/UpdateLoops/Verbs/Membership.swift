import Database

extension UpdateLoop {
  /// Adds ids; those that are in the loop stay as they are.
  ///
  /// - Parameters:
  ///   - ids: What shall be kept up to date from now on.
  ///   - updated: They have just been updated, and do not come first.
  ///   - dryRun: Only says how many are new.
  /// - Returns: How many are new.
  @discardableResult
  public func add(_ ids: some Sequence<LoopID>, updated: Bool = false, dryRun: Bool = false) async throws
    -> Int
  {
    let ids = try checked(ids)
    if ids.isEmpty { return 0 }
    return try await write(dryRun: dryRun) { [name = table.name] session in
      guard updated else {
        return try session.insert(into: name, columns: ["id"], rows: ids.rows, ignoringConflicts: true)
      }
      let now = try LoopClock(dialect: session.dialect).read(session)
      return try session.insert(
        into: name, columns: ["id", "last_updated"], rows: ids.rows.map { $0 + [.integer(now)] },
        ignoringConflicts: true)
    }
  }

  /// Takes ids out of the loop.
  ///
  /// - Returns: How many were in it.
  @discardableResult
  public func remove(_ ids: some Sequence<LoopID>, dryRun: Bool = false) async throws -> Int {
    let ids = try checked(ids)
    if ids.isEmpty { return 0 }
    return try await write(dryRun: dryRun) { [name = table.name] session in
      var removed = 0
      for list in ids.lists {
        removed += try session.execute("DELETE FROM \(identifier: name) WHERE id IN \(list: list)")
      }
      return removed
    }
  }
}
