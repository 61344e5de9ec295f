import Database

/// What only a look at every id of a loop can tell.
public struct FullLoopStats: Sendable, Hashable {
  /// Ids that have gone at least `age` seconds without an update.
  public struct Delayed: Sendable, Hashable {
    /// The age in seconds.
    public let age: Int
    /// How many there are; those never updated are not among them.
    public let count: Int
  }

  /// How many ids there are.
  public var all = 0
  /// How many of them were never updated.
  public var neverUpdated = 0
  /// One for each age asked about, in that order.
  public var delayed: [Delayed] = []
  /// Ids updated a second, over the last hour, or the last day or week if there was none; nil if there was none.
  public var rate: Double?
  /// Seconds that one turn of all ids takes at that rate.
  public var loopTime: Double?

  /// The times over which a rate is looked for, in seconds.
  private static let windows: [Int64] = [3600, 86_400, 7 * 86_400]

  init(of name: String, thresholds: [Duration], _ session: any Session) throws {
    let now = try LoopClock(dialect: session.dialect).read(session)
    let ages = try thresholds.map { age throws(LoopError) in try age.wholeSeconds("a delay threshold") }
    var sql: SQL = "SELECT COUNT(*), COUNT(last_updated), MIN(last_updated)"
    for age in ages { sql += ", COUNT(CASE WHEN last_updated <= \(now - age) THEN 1 END)" }
    for window in Self.windows { sql += ", COUNT(CASE WHEN last_updated > \(now - window) THEN 1 END)" }
    sql += " FROM \(identifier: name)"
    guard let row = try session.query(sql).first else { return }
    all = try row.int(0)
    neverUpdated = all - (try row.int(1))
    for (index, age) in ages.enumerated() {
      delayed.append(Delayed(age: Int(age), count: try row.int(3 + index)))
    }
    for (index, window) in Self.windows.enumerated() where rate == nil {
      let updated = try row.int(3 + ages.count + index)
      guard updated > 0 else { continue }
      // An id is counted once however often it had its turn: if all had one, the oldest tells how long that took.
      let oldest = try row.optionalInteger(2).map { max(1, now - $0) } ?? window
      rate = Double(updated) / Double(updated == all ? min(window, oldest) : window)
    }
    loopTime = rate.map { Double(all) / $0 }
  }
}
