import Database

/// A document as it is written.
struct DocumentRow: Sendable {
  let id: Int
  let revision: Revision
  let content: [UInt8]
}

// Reading and writing documents in batches. Called within transactions.
extension Session {
  /// The revisions of those documents in `range` that are there.
  func revisions(of range: Range<Int>) throws(DatabaseError) -> [Int: Revision] {
    let rows = try query(
      "SELECT id, rev FROM wl_document WHERE id >= \(range.lowerBound) AND id < \(range.upperBound) ORDER BY id"
    )
    var revisions: [Int: Revision] = [:]
    revisions.reserveCapacity(rows.count)
    for row in rows {
      let id = try row.int(0)
      guard let revision = Revision(try row.text(1)) else {
        throw DatabaseError(
          .corrupt, code: "wl_document.rev", message: "document \(id) has a revision that is none",
          hint: "restore a backup, or set the workload up anew with --force")
      }
      revisions[id] = revision
    }
    return revisions
  }

  /// Writes documents, each with a statement for many: new ones are inserted, others overwritten unless `areNew`.
  func write(_ rows: [DocumentRow], at now: Int64, areNew: Bool) throws(DatabaseError) {
    let columns = ["rev", "updated_at", "data"]
    let conflict = areNew ? "" : dialect.upsert(keys: ["id"], update: columns)
    let most = rowsPerStatement(size: rows.first?.content.count ?? 0)
    var start = 0
    while start < rows.count {
      let count = most.first { $0 <= rows.count - start } ?? 1
      let tuples = repeatElement("(?, ?, ?, ?)", count: count).joined(separator: ", ")
      var sql: SQL = "INSERT INTO wl_document (id, rev, updated_at, data) VALUES "
      sql.text += tuples + conflict
      sql.values.reserveCapacity(count * 4)
      for row in rows[start..<start + count] {
        sql.values.append(.integer(Int64(row.id)))
        sql.values.append(.text(row.revision.description))
        sql.values.append(.integer(now))
        sql.values.append(.blob(row.content))
      }
      try execute(sql)
      start += count
    }
  }

  /// Few lengths of statements, so that each is prepared once, and none of more than a megabyte, which every server
  /// takes, unless a single document is larger.
  private func rowsPerStatement(size: Int) -> [Int] {
    [64, 16, 4, 1].filter { $0 == 1 || $0 * size <= 1 << 20 }
  }
}
