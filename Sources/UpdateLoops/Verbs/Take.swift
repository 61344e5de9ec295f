import Database

/// Takes ids for one worker: finds those whose turn it is, locks their rows, and writes how long they are taken for.
struct Take {
  private(set) var table: LoopTable
  let limit: Int
  /// In seconds.
  let lockFor: Int64
  /// In seconds.
  let minLoopTime: Int64

  init(from table: LoopTable, _ limit: Int, lockFor: Duration, minLoopTime: Duration) throws(LoopError) {
    guard limit >= 0 else {
      throw LoopError(.invalid, "limit \(limit)", why: "it is negative", mend: "ask for 0 ids or more")
    }
    guard lockFor > .zero else {
      throw LoopError(.invalid, "lock_for", why: "it is not positive", mend: "lock ids for a second or more")
    }
    self.table = table
    self.limit = limit
    self.lockFor = try lockFor.wholeSeconds("lock_for")
    self.minLoopTime = try minLoopTime.wholeSeconds("min_loop_time")
  }

  /// Takes the ids, in a transaction.
  func carryOut(_ session: any Session) throws -> [LoopID] {
    let ids = try namingIndexes { take in
      try take.table.keyIndex.map { try take.lockedByKey($0, session) }
        ?? take.candidates(session, locking: true)
    }
    let until = LoopClock(dialect: session.dialect).after(lockFor)
    for list in LoopIDs(ids).lists {
      try session.execute(
        "UPDATE \(identifier: table.name) SET lock_until = \(until) WHERE id IN \(list: list)")
    }
    return ids
  }

  /// The ids that would be taken.
  func look(_ session: any Session) throws -> [LoopID] {
    try namingIndexes { try $0.candidates(session, locking: false) }
  }

  /// Does `body`, without names of indexes where one of them is there no more.
  private func namingIndexes(_ body: (Take) throws -> [LoopID]) throws -> [LoopID] {
    do {
      return try body(self)
    } catch let error as DatabaseError where error.code == Self.noSuchIndex && table.namesIndexes {
      var plain = self
      plain.table = table.withoutIndexNames
      return try body(plain)
    }
  }

  /// ER_KEY_DOES_NOT_EXITS of MySQL, which spells it so.
  private static let noSuchIndex = "1176"

  /// The ids whose turn it is, in order. With `locking` their rows are locked until the transaction ends, and those
  /// that others hold are stepped over; SQLite has one writer.
  private func candidates(_ session: any Session, locking: Bool) throws -> [LoopID] {
    let dialect = session.dialect
    if dialect.kind == .mysql, !locking {
      let rows = try session.query(Queue.both(limit, self, dialect)).map { (try $0.int(1), try LoopID($0)) }
      return Array((rows.filter { $0.0 == 0 } + rows.filter { $0.0 == 1 }).map(\.1).prefix(limit))
    }
    try Self.keepToTheIndex(session)
    var ids: [LoopID] = []
    for queue in Queue.inOrder(dialect) where ids.count < limit {
      var sql = select(from: queue, limit - ids.count, dialect)
      if locking { sql += "\(raw: dialect.forUpdateSkipLocked)" }
      for row in try session.query(sql) { ids.append(try LoopID(row)) }
      // Its rows say that there were none of an expired lock.
      if queue == .waitingIfNoneExpired, !ids.isEmpty { break }
    }
    return ids
  }

  /// Differs by necessity: a locking read of InnoDB looks up who last wrote each entry of the index that it passes over, those
  /// of ids that were just taken among them, and takes four times as long as a plain read and locks by key. Where that
  /// meets others at the same ids, it steps over them in a locking read.
  private func lockedByKey(_ index: String, _ session: any Session) throws -> [LoopID] {
    let due = try candidates(session, locking: false)
    var count = 0
    for list in LoopIDs(due).lists {
      count += try session.query(lockStatement(index, list, session.dialect)).count
    }
    return count == due.count ? due : try candidates(session, locking: true)
  }

  /// Locks those of `list` that are still due, by an index in which there is one entry for each id.
  func lockStatement(_ index: String, _ list: [LoopID], _ dialect: Dialect) -> SQL {
    let now = LoopClock(dialect: dialect).now
    return """
      SELECT id FROM \(identifier: table.name) FORCE INDEX (\(raw: dialect.quote(index)))
      WHERE id IN \(list: list) AND (lock_until <= \(raw: now)
        OR lock_until IS NULL AND (last_updated IS NULL OR last_updated <= \(raw: now) - \(minLoopTime)))
      FOR UPDATE SKIP LOCKED
      """
  }

  /// Differs by necessity: what PostgreSQL knows of a table is of its last ANALYZE. Where that says that few rows are
  /// due, it would gather and sort all that are, which after a fill are all there are. For this transaction only.
  static func keepToTheIndex(_ session: any Session) throws(DatabaseError) {
    guard session.dialect.kind == .postgresql else { return }
    try session.executeScript(
      "SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off")
  }
}

extension Take {
  /// The parts of the index that ids are taken from.
  enum Queue {
    /// Locks that have run out.
    case expired
    /// Not locked, never updated.
    case never
    /// Not locked, updated long enough ago.
    case oldest
    /// The two before as one.
    case waiting
    /// The same, and nothing while there is an expired lock.
    case waitingIfNoneExpired

    /// What a read without locks asks MySQL: both parts at once, each with its place.
    static func both(_ limit: Int, _ take: Take, _ dialect: Dialect) -> SQL {
      """
      (\(take.select(from: .expired, limit, dialect, place: 0)))
      UNION ALL (\(take.select(from: .waiting, limit, dialect, place: 1)))
      """
    }

    /// The order in which they are looked through by locking reads.
    ///
    /// Differs by necessity. MySQL searches the index by both ranges of one OR, where PostgreSQL and SQLite would read
    /// on through all that were updated a moment ago. And InnoDB, reading to the end
    /// of a range, locks the entry after it too: for expired locks that is the batch that another worker is about to
    /// mark as done. So it is asked for them only where a read without locks has seen one.
    static func inOrder(_ dialect: Dialect) -> [Queue] {
      dialect.kind == .mysql ? [.waitingIfNoneExpired, .expired, .waiting] : [.expired, .never, .oldest]
    }
  }

  /// Index (lock_until, last_updated), which holds the id too: in the order asked for, from the end where it begins.
  func select(from queue: Queue, _ limit: Int, _ dialect: Dialect, place: Int? = nil) -> SQL {
    let now = LoopClock(dialect: dialect).now
    let longAgo: SQL = "last_updated <= \(raw: now) - \(minLoopTime)"
    let condition: SQL =
      switch queue {
      case .expired: "lock_until <= \(raw: now)"
      case .never: "lock_until IS NULL AND last_updated IS NULL"
      case .oldest: "lock_until IS NULL AND \(longAgo)"
      case .waiting: "lock_until IS NULL AND (last_updated IS NULL OR \(longAgo))"
      case .waitingIfNoneExpired:
        """
        lock_until IS NULL AND (last_updated IS NULL OR \(longAgo))
          AND NOT EXISTS (SELECT 1 FROM \(identifier: table.name) e WHERE e.lock_until <= \(raw: now))
        """
      }
    // Differs by necessity: PostgreSQL must be told that those never updated come first, and knows the order for that
    // of the index only with its first column; MariaDB would sort, and lock all it sorts, if that were named beside
    // IS NULL.
    let order =
      switch (dialect.kind, queue) {
      case (.postgresql, _): "lock_until, last_updated NULLS FIRST"
      case (_, .expired): "lock_until, last_updated"
      default: "last_updated"
      }
    // By its statistics MySQL may take reading and sorting all that is due for quicker.
    let index = table.turnIndex.map { " FORCE INDEX (\(dialect.quote($0)))" } ?? ""
    return """
      SELECT id\(raw: place.map { ", \($0) AS place" } ?? "")
      FROM \(identifier: table.name)\(raw: index) WHERE \(condition)
      ORDER BY \(raw: order) LIMIT \(limit)
      """
  }
}
