import Database

extension WorkloadDatabase {
  /// What a look at every document came to.
  public struct Verification: Sendable, Hashable {
    /// How many documents there should be.
    public let documents: Int
    /// How many things are wrong.
    public let faultCount: Int
    /// The first of them, in words.
    public let faults: [String]
  }

  /// How many faults are described.
  public static let describedFaults = 20

  /// Compares every document with what it should be after all that was recorded: that it is there, its revision, its
  /// content. For databases that were restored or copied.
  ///
  /// Nobody may work on the documents meanwhile: here that is kept out, on a replica it is noticed. Memory does not grow
  /// with their number.
  ///
  /// - Throws: ``WorkloadError`` (`notSetUp`, `busy`, `timedOut`), ``DatabaseError``, CancellationError.
  public func verify(
    patience: WorkloadPatience = .none, listener: Listener = { _ in }
  ) async throws -> Verification {
    guard try await find() != nil else { throw notSetUp }
    return try await withTurn(patience, listener) {
      guard let state = try await self.find() else { throw self.notSetUp }
      var inspection = Inspection(state)
      let size = DocumentRange.batchSize(for: state.parameters.size)
      let documents = state.documents
      var first = 0
      while first < documents {
        listener(.verifying(done: first, total: documents))
        let range = first..<min(first + size, documents)
        let rows = try await self.pool.transaction(.read) { session in
          try session.query(
            """
            SELECT id, rev, data FROM wl_document
            WHERE id >= \(range.lowerBound) AND id < \(range.upperBound) ORDER BY id
            """)
        }
        try inspection.inspect(range, rows)
        first = range.upperBound
      }
      let strangers = try await self.pool.transaction(.read) { session in
        try session.query(
          "SELECT COUNT(*) FROM wl_document WHERE id < 0 OR id >= \(documents)"
        ).first?.int(0) ?? 0
      }
      guard try await self.find() == state else {
        throw WorkloadError(
          .busy,
          "the documents of db \(url) changed while they were read; stop the executions, and verify again")
      }
      inspection.add(strangers, "rows beyond the documents that were written: \(strangers)")
      listener(.verifying(done: documents, total: documents))
      return Verification(
        documents: documents, faultCount: inspection.faultCount, faults: inspection.faults)
    }
  }
}

/// Gathers what is wrong with documents.
private struct Inspection {
  private(set) var faultCount = 0
  private(set) var faults: [String] = []
  private let state: WorkloadState
  private let content: DocumentContent

  init(_ state: WorkloadState) {
    self.state = state
    content = DocumentContent(
      size: state.parameters.size, compressible: state.parameters.compressible, seed: state.seed)
  }

  mutating func add(_ count: Int, _ text: String) {
    guard count > 0 else { return }
    faultCount += count
    if faults.count < WorkloadDatabase.describedFaults { faults.append(text) }
  }

  /// `rows` are what is there of the documents of `range`.
  mutating func inspect(_ range: Range<Int>, _ rows: [Row]) throws {
    var found: [Int: Row] = [:]
    for row in rows { found[try row.int(0)] = row }
    for id in range {
      guard let row = found[id] else {
        add(1, "document \(id) is missing")
        continue
      }
      let newest = state.revision(of: id)
      let (revision, bytes) = written(id, upTo: newest)
      if try row.text(1) != revision?.description ?? "" {
        let isOther = Revision(try row.text(1)).map { $0.number != newest } ?? true
        add(1, "document \(id) is not at revision \(newest)" + (isOther ? "" : ": its hash is another"))
      } else if try row.blob(2) != bytes {
        add(1, "document \(id) has other content than was written")
      }
    }
  }

  /// The revision and content of `document` after all its turns.
  private func written(_ document: Int, upTo newest: Int) -> (Revision?, [UInt8]) {
    var revision: Revision?
    var bytes: [UInt8] = []
    for number in 1...max(1, newest) {
      bytes = content.bytes(of: document, revision: number)
      revision = Revision(after: revision, content: bytes)
    }
    return (revision, bytes)
  }
}
