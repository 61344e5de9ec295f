import Database

extension WorkloadDatabase {
  /// What a set-up came to.
  public struct SetUp: Sendable, Hashable {
    /// What is recorded now.
    public let state: WorkloadState
    /// Whether it went on with one that was interrupted while it made the documents.
    public let isContinued: Bool
  }

  /// Records the parameters, and makes all documents if `fills`; without it each is made on its first turn.
  ///
  /// What was set up before is deleted if `force`. A set-up that was interrupted while it made the documents is gone on
  /// with by one that fills and has the same parameters; its seed stays, whatever `seed` is. A random seed is taken if
  /// none is given.
  ///
  /// - Throws: ``WorkloadError`` (`exists`, `invalid`, `busy`, `timedOut`, `takenOver`), ``DatabaseError``.
  public func setUp(
    _ parameters: WorkloadParameters, seed: Int64? = nil, fills: Bool = false, force: Bool = false,
    patience: WorkloadPatience = .none, listener: Listener = { _ in }
  ) async throws -> SetUp {
    _ = try await pool.run { session in try Schema.migrator.migrate(session) }
    return try await withTurn(patience, listener) {
      let present = try await self.find()
      let isContinued = present.map { self.isContinued($0, parameters, fills: fills, force: force) } ?? false
      if !isContinued {
        if present != nil, !force { throw self.exists }
        try await self.requireRoom(for: parameters)
        try await self.begin(parameters, seed: seed ?? .random(in: 0..<1 << 53), fills: fills)
      }
      if fills { try await self.fill(claim: .random(in: 1...Int64.max), listener) }
      guard let state = try await self.find() else { throw self.notSetUp }
      return SetUp(state: state, isContinued: isContinued)
    }
  }

  /// Throws what ``setUp(_:seed:fills:force:patience:listener:)`` would say of a workload that is there, and returns it
  /// if it would be deleted. Changes nothing.
  ///
  /// - Throws: ``WorkloadError`` (`exists`), ``DatabaseError``.
  public func toBeDeleted(
    by parameters: WorkloadParameters, fills: Bool, force: Bool
  ) async throws -> WorkloadState? {
    guard let present = try await find() else { return nil }
    if isContinued(present, parameters, fills: fills, force: force) { return nil }
    if !force { throw exists }
    return present
  }

  private func isContinued(
    _ present: WorkloadState, _ parameters: WorkloadParameters, fills: Bool, force: Bool
  ) -> Bool {
    fills && !force && present.isFilling && present.parameters == parameters
  }

  private var exists: WorkloadError {
    WorkloadError(.exists, "db \(url) already exists; to force reset it, use -f|--force")
  }

  /// Servers of MySQL refuse statements that are too large, which would be noticed only by the first run.
  private func requireRoom(for parameters: WorkloadParameters) async throws {
    guard url.kind == .mysql else { return }
    let most = try await pool.run { session in
      try session.query("SELECT @@max_allowed_packet").first?.int(0) ?? .max
    }
    guard parameters.size + 4096 <= most else {
      throw WorkloadError(
        .invalid,
        "size \(parameters.size): the server takes at most \(most) bytes at a time; raise its max_allowed_packet"
      )
    }
  }

  /// Deletes what is there and records the parameters.
  ///
  /// The row goes first and comes last, each in a transaction of its own, as TRUNCATE is one by itself on MySQL: a
  /// set-up that is killed in between leaves a database that is not set up, and the next one deletes what is left.
  private func begin(_ parameters: WorkloadParameters, seed: Int64, fills: Bool) async throws {
    try await step { session in try session.execute("DELETE FROM wl_workload") }
    try await pool.run { session in
      for table in Schema.contents {
        // Differs by necessity: SQLite has no TRUNCATE, and does the same for a DELETE of everything.
        let verb = session.dialect.kind == .sqlite ? "DELETE FROM" : "TRUNCATE TABLE"
        try session.execute("\(raw: verb) \(identifier: table)")
      }
    }
    try await step { session in
      // Done again after a lost answer, it must not fail on its own row.
      try session.execute("DELETE FROM wl_workload")
      try session.execute(
        """
        INSERT INTO wl_workload (id, version, created_at, total, size, updates, compressible, seed, filled,
          next_document, runs)
        VALUES (1, \(WorkloadState.currentVersion), \(raw: session.dialect.now), \(parameters.total),
          \(parameters.size), \(parameters.updatesPerRun), \(parameters.compressible), \(seed),
          \(fills ? 0 : nil as Int?), 0, 0)
        """)
    }
  }

  // MARK: Filling

  /// Makes the documents that the set-up was to make and has not, and tells of it.
  func fill(claim: Int64, _ listener: Listener) async throws {
    let holder = holder
    let claimed = try await step { session in
      try session.claim(claim, holder: holder, opensRun: false)
    }
    guard var state = claimed?.state else { throw notSetUp }
    let (total, size) = (state.parameters.total, state.parameters.size)
    let content = DocumentContent(size: size, compressible: state.parameters.compressible, seed: state.seed)
    let batchSize = DocumentRange.batchSize(for: size)
    func made(from first: Int) -> NewDocuments {
      NewDocuments(range: first..<min(first + batchSize, total), content: content)
    }
    var next = made(from: state.filled ?? total)
    while state.isFilling {
      listener(.filling(done: state.filled ?? 0, total: total))
      let batch = next
      // The next documents are made up while the database writes these: together they take little longer than either.
      async let following = made(from: batch.range.upperBound)
      state = try await step { session in try Self.insert(batch, claim, session) }
      next = await following
      if let filled = state.filled, filled != next.range.lowerBound { next = made(from: filled) }
    }
    try await step { session in try session.dismiss(claim) }
    listener(.filling(done: total, total: total))
  }

  private static func insert(
    _ batch: NewDocuments, _ claim: Int64, _ session: any Session
  ) throws -> WorkloadState {
    let recorded = try session.recorded(claimedBy: claim)
    // Another place than expected: the answer to the last commit was lost, and it had happened.
    guard recorded.state.filled == batch.range.lowerBound else { return recorded.state }
    try session.write(batch.rows, at: recorded.now, areNew: true)
    try session.execute("UPDATE wl_workload SET filled = \(batch.range.upperBound) WHERE id = 1")
    return try session.recorded(claimedBy: claim).state
  }
}

/// The first revisions of documents that follow each other.
private struct NewDocuments: Sendable {
  let range: Range<Int>
  let rows: [DocumentRow]

  init(range: Range<Int>, content: DocumentContent) {
    self.range = range
    rows = range.map { id in
      let bytes = content.bytes(of: id, revision: 1)
      return DocumentRow(id: id, revision: Revision(after: nil, content: bytes), content: bytes)
    }
  }
}
