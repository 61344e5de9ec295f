public import Database

/// A loop: keeps a million things up to date, those that were neglected longest first.
///
/// ```swift
/// let loop = try await UpdateLoop(named: "user_loop", in: pool)
/// let ids = try await loop.get(100)
/// …  // update them
/// try await loop.did(ids)
/// ```
///
/// The table is that of doloop 1.0 (David Marin, Yelp), and so is what each verb means: workers of ours and Python
/// workers may share a table on MySQL. Where doloop locks the whole table, rows are locked here, and those that
/// another worker holds are stepped over, so that workers do not wait for each other. Times are the database's.
///
/// Verbs throw ``LoopError`` for ids that are none of this loop, and `DatabaseError`. Each is one transaction, is
/// repeated where the database gave it up for another one's sake (a deadlock, a busy file), and is harmless to repeat
/// when its answer was lost. With `dryRun` it is carried out and taken back: the answer is what it would have been,
/// and nothing is written.
public struct UpdateLoop: Sendable {
  /// Where the loop is.
  public let pool: Pool
  /// Its table.
  public let table: LoopTable

  /// Ids that got a lock, and were not marked by ``did(_:autoAdd:dryRun:)`` within it, are handed out again.
  public static let usualLock = Duration.seconds(3600)
  /// No id is handed out twice within an hour unless one says otherwise.
  public static let usualLoopTime = Duration.seconds(3600)

  /// The loop called `name`, whose table must be there.
  ///
  /// - Throws: ``LoopError`` if it is not, or can't serve as one; `DatabaseError`.
  public init(named name: String, in pool: Pool) async throws {
    self.pool = pool
    table = try await pool.transaction(.read) { try LoopCatalog(session: $0).table(name) }
  }

  /// The loops in the store's database or schema, by name.
  public static func all(in pool: Pool) async throws -> [LoopTable] {
    try await pool.transaction(.read) { try LoopCatalog(session: $0).tables() }
  }

  /// Makes the table of a new loop.
  ///
  /// - Throws: ``LoopError`` (`conflict`) if there is a table of that name; `DatabaseError`.
  public static func create(_ table: LoopTable, in pool: Pool, dryRun: Bool = false) async throws {
    try await pool.transaction(dryRun ? .read : .write) { session in
      guard try !LoopCatalog(session: session).hasTable(table.name) else {
        throw LoopError(
          .conflict, "loop '\(table.name)' can't be made", why: "there is a table of that name already",
          mend: "choose another name, or use it if `coordinator loop list` shows it")
      }
      let statements = try table.statements(for: session.dialect)
      guard !dryRun else { return }
      for statement in statements { try session.execute(SQL(text: statement)) }
    }
  }

  /// Removes the loop's table with all that is in it; returns how many ids that were.
  @discardableResult
  public func drop(dryRun: Bool = false) async throws -> Int {
    let name = table.name
    return try await pool.transaction(dryRun ? .read : .write) { session in
      // Looked at again: what is dropped must be a loop still.
      _ = try LoopCatalog(session: session).table(name)
      let count = try session.query("SELECT COUNT(*) FROM \(identifier: name)").first?.int(0) ?? 0
      if !dryRun { try session.execute("DROP TABLE \(identifier: name)") }
      return count
    }
  }

  /// Carries out a write, or takes it back at its end.
  func write<T: Sendable>(
    dryRun: Bool, _ body: @escaping @Sendable (any Session) throws -> T
  ) async throws -> T {
    do {
      return try await pool.transaction(.write, attempts: 20) { session in
        let value = try body(session)
        if dryRun { throw TakenBack(value: value) }
        return value
      }
    } catch let end as TakenBack<T> {
      return end.value
    } catch let error as DatabaseError where error.kind == .constraint {
      throw LoopError(
        .invalid, "an id is none for loop '\(table.name)'", why: error.message,
        mend: "the ids of this loop are \(table.idType)")
    }
  }

  /// `ids`, each checked to be one of this loop.
  func checked(_ ids: some Sequence<LoopID>) throws(LoopError) -> LoopIDs {
    var checked: [LoopID] = []
    for id in ids { checked.append(try table.idType.admitted(id)) }
    return LoopIDs(checked)
  }
}

/// Ends a transaction that is only tried.
private struct TakenBack<T: Sendable>: Error {
  let value: T
}
