import Database

extension UpdateLoop {
  /// Marks ids as updated now, and unlocks them; they need not have come from ``get(_:lockFor:minLoopTime:dryRun:)``.
  ///
  /// - Parameters:
  ///   - ids: What was updated.
  ///   - autoAdd: Adds those that are not in the loop.
  ///   - dryRun: Only says how many it would be.
  /// - Returns: How many ids of the loop, those just added among them, were marked.
  @discardableResult
  public func did(_ ids: some Sequence<LoopID>, autoAdd: Bool = true, dryRun: Bool = false) async throws
    -> Int
  {
    try await mark(ids, .did, autoAdd, dryRun)
  }

  /// Unlocks ids without marking them updated.
  ///
  /// - Parameters:
  ///   - ids: What a worker got and will not update.
  ///   - autoAdd: Adds those that are not in the loop.
  ///   - dryRun: Only says how many it would be.
  /// - Returns: How many ids of the loop, those just added among them, are without a lock now.
  @discardableResult
  public func unlock(_ ids: some Sequence<LoopID>, autoAdd: Bool = true, dryRun: Bool = false) async throws
    -> Int
  {
    try await mark(ids, .unlock, autoAdd, dryRun)
  }

  /// Brings ids forward: as if their lock ended `lockFor` from now, and ids whose lock has ended come first.
  ///
  /// A lock is only ever brought nearer: bumping again and again does not put an id off.
  ///
  /// - Parameters:
  ///   - ids: What should come sooner.
  ///   - lockFor: Zero: now. Positive: so much later, not before and not after. Negative: ahead of those bumped to now.
  ///   - autoAdd: Adds those that are not in the loop.
  ///   - dryRun: Only says how many it would be.
  /// - Returns: How many ids were brought forward.
  @discardableResult
  public func bump(
    _ ids: some Sequence<LoopID>, lockFor: Duration = .zero, autoAdd: Bool = true, dryRun: Bool = false
  ) async throws -> Int {
    try await mark(ids, .bump(seconds: lockFor.wholeSeconds("lock_for")), autoAdd, dryRun)
  }

  private func mark(
    _ ids: some Sequence<LoopID>, _ kind: Marking.Kind, _ autoAdd: Bool, _ dryRun: Bool
  ) async throws -> Int {
    let marking = Marking(table: table, ids: try checked(ids), kind: kind, autoAdd: autoAdd)
    if marking.ids.isEmpty { return 0 }
    return try await write(dryRun: dryRun) { try marking.carryOut($0) }
  }
}

/// A change to rows of known ids.
struct Marking {
  enum Kind {
    case did, unlock
    case bump(seconds: Int64)
  }

  let table: LoopTable
  let ids: LoopIDs
  let kind: Kind
  let autoAdd: Bool

  /// How many rows were changed.
  ///
  /// The ids that a worker got are in the table, so it is looked for unknown ones only when rows are missing. A bump
  /// can't tell from its count; but a row it has brought forward is not counted by the second time.
  func carryOut(_ session: any Session) throws -> Int {
    var changed = try update(session)
    if autoAdd, changed < ids.count {
      let added = try session.insert(
        into: table.name, columns: ["id"], rows: ids.rows, ignoringConflicts: true)
      if added > 0 {
        let again = try update(session)
        if case .bump = kind { changed += again } else { changed = again }
      }
    }
    return changed
  }

  private func update(_ session: any Session) throws -> Int {
    var changed = 0
    for list in ids.lists { changed += try session.execute(statement(for: list, session.dialect)) }
    return changed
  }

  /// By the primary key.
  func statement(for list: [LoopID], _ dialect: Dialect) -> SQL {
    let clock = LoopClock(dialect: dialect)
    switch kind {
    case .did:
      return """
        UPDATE \(identifier: table.name) SET last_updated = \(raw: clock.now), lock_until = NULL
        WHERE id IN \(list: list)
        """
    case .unlock: return "UPDATE \(identifier: table.name) SET lock_until = NULL WHERE id IN \(list: list)"
    case .bump(let seconds):
      let then = clock.after(seconds)
      return """
        UPDATE \(identifier: table.name) SET lock_until = \(then)
        WHERE (lock_until IS NULL OR lock_until > \(then)) AND id IN \(list: list)
        """
    }
  }
}
