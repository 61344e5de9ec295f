import Database

/// A bare queue in one table, as the least that any engine must do: workers take 100 rows with one UPDATE and complete
/// them with another, each a commit.
enum QueueFloor {
  private static let batch = 100

  /// Rows a second that `workers` connections complete together, of `count`.
  static func work(_ count: Int, workers: Int, in own: OwnStore) async throws -> Double {
    try await fill(count, in: own)
    var hands: [(floor: Floor, claim: Floor.Statement, complete: Floor.Statement)] = []
    for worker in 1...workers {
      let floor = try await Floor.open(own.url)
      let (claim, complete) = statements(own.pool.url.kind, worker: "\(worker)")
      hands.append((floor, try await floor.prepare(claim), try await floor.prepare(complete)))
    }
    let began = ContinuousClock.now
    let done = try await withThrowingTaskGroup(of: Int.self) { group in
      for hand in hands {
        group.addTask { try await hand.floor.work(claim: hand.claim, complete: hand.complete) }
      }
      return try await group.reduce(0, +)
    }
    let seconds = (ContinuousClock.now - began) / .seconds(1)
    guard done == count else { throw Wrong("the bare queue completed \(done) rows, of \(count)") }
    return Double(count) / seconds
  }

  /// The same by `pgbench`; nil where there is none.
  static func workByPgbench(_ count: Int, workers: Int, in own: OwnStore) async throws -> Double? {
    guard own.url.kind == .postgresql, let pgbench = try Pgbench(own) else { return nil }
    try await fill(count, in: own)
    let (claim, complete) = statements(.postgresql, worker: ":client_id")
    let turns = max(1, count / batch / workers)
    let perSecond = try await pgbench.run(
      "\(claim);\n\(complete);\n", clients: workers, transactions: turns)
    return perSecond * Double(min(batch, count))
  }

  /// A claim of up to 100 ready rows, and the completion of what this worker has claimed.
  ///
  /// Differs by necessity: MySQL can't select from the table it updates, and has UPDATE … LIMIT instead.
  private static func statements(_ kind: Dialect.Kind, worker: String) -> (claim: String, complete: String) {
    let now = Dialect(kind).now
    let take = "UPDATE floor_queue SET status = 1, worker = \(worker), token = token + 1, started_at = \(now)"
    let claim =
      switch kind {
      case .mysql: "\(take) WHERE status = 0 ORDER BY id LIMIT \(batch)"
      case .sqlite, .postgresql:
        """
        \(take) WHERE id IN (SELECT id FROM floor_queue WHERE status = 0 ORDER BY id \
        LIMIT \(batch)\(Dialect(kind).forUpdateSkipLocked))
        """
      }
    return (
      claim,
      "UPDATE floor_queue SET status = 2, ended_at = \(now) WHERE worker = \(worker) AND status = 1"
    )
  }

  private static func fill(_ count: Int, in own: OwnStore) async throws {
    let kind = own.url.kind
    try await own.pool.run { session in
      let partial = { (status: Int) in kind == .mysql ? "" : " WHERE status = \(status)" }
      try session.executeScript(
        """
        DROP TABLE IF EXISTS floor_queue;
        CREATE TABLE floor_queue (id BIGINT NOT NULL PRIMARY KEY, status INTEGER NOT NULL, worker BIGINT,
          token BIGINT NOT NULL, started_at BIGINT, ended_at BIGINT)\(session.dialect.tableOptions);
        CREATE INDEX floor_queue_ready ON floor_queue (\(kind == .mysql ? "status, id" : "id"))\(partial(0));
        CREATE INDEX floor_queue_held ON floor_queue (\(kind == .mysql ? "worker, status" : "worker"))\(partial(1))
        """)
      try session.begin(.write)
      try session.insert(
        into: "floor_queue", columns: ["id", "status", "token"],
        rows: (0..<count).map { [.integer(Int64($0)), .integer(0), .integer(0)] })
      try session.commit()
    }
    try await own.analyze()
  }
}
