import Database

/// How an id stands.
public struct LoopCheck: Sendable, Hashable {
  /// The id as the table has it.
  public let id: LoopID
  /// Seconds since it was updated; nil if it never was.
  public let sinceUpdated: Int?
  /// Seconds it stays locked, negative since its lock ended; nil without a lock.
  public let lockedFor: Int?
}

extension UpdateLoop {
  /// How ids stand, sorted by id; those that are not in the loop are left out. Locks nothing.
  public func check(_ ids: some Sequence<LoopID>) async throws -> [LoopCheck] {
    let ids = try checked(ids)
    return try await pool.transaction(.read) { [table] session in
      var checks: [LoopCheck] = []
      for list in ids.lists {
        checks += try session.query(Self.checkStatement(table, list, session.dialect)).map {
          LoopCheck(id: try LoopID($0), sinceUpdated: try $0.optionalInt(1), lockedFor: try $0.optionalInt(2))
        }
      }
      return checks.sorted { $0.id < $1.id }
    }
  }

  /// By the primary key.
  static func checkStatement(_ table: LoopTable, _ list: [LoopID], _ dialect: Dialect) -> SQL {
    let now = LoopClock(dialect: dialect).now
    return """
      SELECT id, \(raw: now) - last_updated, lock_until - \(raw: now)
      FROM \(identifier: table.name) WHERE id IN \(list: list)
      """
  }

  /// How the loop stands as a whole; reads what is locked or bumped, and the ends of indexes. Locks nothing.
  public func stats() async throws -> LoopStats {
    try await pool.transaction(.read) { [name = table.name] in try LoopStats(of: name, $0) }
  }

  /// What only a look at every id can tell.
  ///
  /// - Parameter thresholds: Ages of which the ids are counted that have gone at least so long without an update.
  public func fullStats(thresholds: [Duration] = []) async throws -> FullLoopStats {
    try await pool.transaction(.read) { [name = table.name] session in
      try session.allowFullScans()
      return try FullLoopStats(of: name, thresholds: thresholds, session)
    }
  }
}
