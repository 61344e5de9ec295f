/// What a workload models: how many documents there are, how large they are, and how many change in each run.
public struct WorkloadParameters: Sendable, Hashable {
  /// Documents, unless something else is said.
  public static let defaultTotal = 1000
  /// Bytes of a document, unless something else is said.
  public static let defaultSize = 1000
  /// Documents that change in a run, unless something else is said.
  public static let defaultUpdatesPerRun = 10
  /// More documents than this are refused: their numbers stay within the twelve digits of a printed one.
  public static let mostDocuments = 999_999_999_999
  /// Larger documents than this are refused: one must fit into memory a few times.
  public static let largestSize = 64 << 20

  /// How many documents the database holds once each has had its turn.
  public let total: Int
  /// The content of each document, in bytes.
  public let size: Int
  /// How many documents change in one run; at most ``total``, so that no document has two turns in one run.
  public let updatesPerRun: Int
  /// How much of each document a compressor can take away, in percent.
  public let compressible: Int

  /// Parameters of these values; more updates than documents count as all documents.
  ///
  /// - Throws: ``WorkloadError`` (`invalid`) for anything that can't be done.
  public init(
    total: Int = defaultTotal, size: Int = defaultSize, updatesPerRun: Int = defaultUpdatesPerRun,
    compressible: Int = 0
  ) throws(WorkloadError) {
    try Self.check("total", total, 1...Self.mostDocuments, "documents")
    try Self.check("size", size, 1...Self.largestSize, "bytes")
    try Self.check("update-per-run", updatesPerRun, 1...Int.max, "documents")
    try Self.check("compressible", compressible, 0...100, "percent")
    self.total = total
    self.size = size
    self.updatesPerRun = min(updatesPerRun, total)
    self.compressible = compressible
  }

  private static func check(
    _ name: String, _ value: Int, _ range: ClosedRange<Int>, _ unit: String
  ) throws(WorkloadError) {
    guard !range.contains(value) else { return }
    let bounds =
      range.upperBound == .max
      ? "\(range.lowerBound) or more" : "from \(range.lowerBound) to \(range.upperBound)"
    throw WorkloadError(.invalid, "\(name) \(value): it must be a number of \(unit), \(bounds)")
  }
}
