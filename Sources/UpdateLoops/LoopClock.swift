import Database

/// The database's clock in whole seconds, as a fragment of a statement: no worker's own clock decides anything.
///
/// It stands still within a statement and is read anew by the next, so that an index can be searched by it.
struct LoopClock {
  let dialect: Dialect

  /// Seconds since 1970.
  var now: String {
    switch dialect.kind {
    case .sqlite: "unixepoch()"
    // Stable, where clock_timestamp() is volatile and would keep the planner from the index.
    case .postgresql: "floor(extract(epoch from statement_timestamp()))::bigint"
    case .mysql: "UNIX_TIMESTAMP()"
    }
  }

  /// The time by a statement of its own, for what several statements must agree on.
  func read(_ session: any Session) throws(DatabaseError) -> Int64 {
    guard let row = try session.query("SELECT \(raw: now)").first else {
      throw DatabaseError(.unexpectedValue, code: "clock", message: "the database does not tell the time")
    }
    return try row.integer(0)
  }

  /// `seconds` from now; on MySQL no later than a column of doloop's type can say (January 2038).
  func after(_ seconds: Int64) -> SQL {
    dialect.kind == .mysql
      ? "LEAST(\(raw: now) + \(seconds), 2147483647)" : "\(raw: now) + \(seconds)"
  }
}

extension Duration {
  /// Whole seconds, begun ones counted: no lock is of no time at all. Throws ``LoopError`` beyond a hundred years.
  func wholeSeconds(_ what: String) throws(LoopError) -> Int64 {
    let (seconds, rest) = components
    let century: Int64 = 100 * 366 * 86_400
    guard seconds.magnitude <= century else {
      throw LoopError(.invalid, what, why: "it is longer than 100 years", mend: "use a shorter time")
    }
    return seconds + (rest > 0 ? 1 : 0)
  }
}
