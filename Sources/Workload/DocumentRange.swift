/// Documents that follow each other, from the last on to document 0.
public struct DocumentRange: Sendable, Hashable, CustomStringConvertible {
  /// The first document.
  public let start: Int
  /// How many there are; at most `total`.
  public let count: Int
  /// How many documents exist in all.
  public let total: Int

  /// `count` documents from `start` on, out of `total`.
  public init(start: Int, count: Int, total: Int) {
    self.start = start
    self.count = min(count, total)
    self.total = total
  }

  /// The document behind the last.
  public var end: Int { (start + count) % total }

  /// The next documents after the first `done`: at most `size`, and never beyond the last one of all, so that they
  /// are an ordinary range of numbers.
  public func batch(after done: Int, size: Int) -> Range<Int> {
    let first = (start + done) % total
    return first..<first + min(size, count - done, total - first)
  }

  /// The numbers as people read them: `0–2`, `3–4 and 0`.
  public var description: String {
    let upper = min(start + count, total)
    let parts = [start..<upper, 0..<count - (upper - start)].filter { !$0.isEmpty }
    return parts.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)–\($0.upperBound - 1)" }
      .joined(separator: " and ")
  }

  /// How many documents of `size` bytes are read and written in one transaction: some megabytes.
  public static func batchSize(for size: Int) -> Int {
    switch size {
    case ..<2_000: 2_000
    case ..<10_000: 1_000
    case ..<100_000: 200
    case ..<2_000_000: 10
    default: 1
    }
  }
}
