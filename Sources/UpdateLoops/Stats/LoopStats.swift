import Database

/// How a loop stands, as doloop's `stats` tells it. All times are seconds; 0 where there is nothing to measure.
public struct LoopStats: Sendable, Hashable {
  /// How many ids come before all others: their lock has ended.
  public var bumped = 0
  /// How many ids are locked.
  public var locked = 0
  /// The least id; nil in an empty loop.
  public var minID: LoopID?
  /// The greatest id; nil in an empty loop.
  public var maxID: LoopID?
  /// The shortest time since a lock ended.
  public var minBumpTime = 0
  /// The longest time since a lock ended.
  public var maxBumpTime = 0
  /// The shortest time a lock still holds.
  public var minLockTime = 0
  /// The longest time a lock still holds.
  public var maxLockTime = 0
  /// The time since the most recent update.
  public var minUpdateTime = 0
  /// The longest time an id has gone since its update.
  public var maxUpdateTime = 0

  init(of name: String, _ session: any Session) throws {
    let now = try LoopClock(dialect: session.dialect).read(session)
    minID = try Self.id(of: name, "id", session)
    maxID = try Self.id(of: name, "id DESC", session)
    // Both ends of the part of the index without locks.
    let orders =
      session.dialect.kind == .postgresql
      ? ["lock_until, last_updated NULLS FIRST", "lock_until DESC, last_updated DESC NULLS LAST"]
      : ["last_updated", "last_updated DESC"]
    var updates: [Int] = []
    for order in orders {
      updates += try session.query(
        """
        SELECT last_updated FROM \(identifier: name) WHERE lock_until IS NULL AND last_updated IS NOT NULL
        ORDER BY \(raw: order) LIMIT 1
        """
      ).map { try $0.int(0) }
    }
    let locks = try Self.locks(of: name, "lock_until > \(now)", session)
    let bumps = try Self.locks(of: name, "lock_until <= \(now)", session)
    updates += locks.updates + bumps.updates
    locked = locks.count
    bumped = bumps.count
    minLockTime = locks.times.min().map { $0 - Int(now) } ?? 0
    maxLockTime = locks.times.max().map { $0 - Int(now) } ?? 0
    minBumpTime = bumps.times.max().map { Int(now) - $0 } ?? 0
    maxBumpTime = bumps.times.min().map { Int(now) - $0 } ?? 0
    minUpdateTime = updates.max().map { Int(now) - $0 } ?? 0
    maxUpdateTime = updates.min().map { Int(now) - $0 } ?? 0
  }

  private static func id(of name: String, _ order: String, _ session: any Session) throws -> LoopID? {
    let sql: SQL = "SELECT id FROM \(identifier: name) ORDER BY \(raw: order) LIMIT 1"
    return try session.query(sql).first.map { try LoopID($0) }
  }

  /// Reads as many entries of the index as there are locks.
  private static func locks(of name: String, _ condition: SQL, _ session: any Session) throws
    -> (count: Int, updates: [Int], times: [Int])
  {
    let rows = try session.query(
      """
      SELECT COUNT(*), MIN(last_updated), MAX(last_updated), MIN(lock_until), MAX(lock_until)
      FROM \(identifier: name) WHERE \(condition)
      """)
    guard let row = rows.first else { return (0, [], []) }
    let updates = [try row.optionalInt(1), try row.optionalInt(2)].compactMap(\.self)
    let times = [try row.optionalInt(3), try row.optionalInt(4)].compactMap(\.self)
    return (try row.int(0), updates, times)
  }
}
