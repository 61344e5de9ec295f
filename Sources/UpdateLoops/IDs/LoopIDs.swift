import Database

/// The ids of one call, each once, in the order in which every writer locks rows, so that two don't deadlock.
struct LoopIDs {
  private let ids: [LoopID]

  init(_ ids: some Sequence<LoopID>) {
    self.ids = Set(ids).sorted()
  }

  var count: Int { ids.count }
  var isEmpty: Bool { ids.isEmpty }

  /// Rows for an INSERT.
  var rows: [[Value]] { ids.map { [$0.databaseValue] } }

  /// The ids in lists for `IN`, none longer than ``most``.
  ///
  /// Each list is filled up with its last id to one of few lengths, so that few statement texts are prepared.
  var lists: [[LoopID]] {
    stride(from: 0, to: ids.count, by: Self.most).map { start in
      var list = Array(ids[start..<min(start + Self.most, ids.count)])
      if let last = list.last {
        list += repeatElement(last, count: Self.filled(list.count) - list.count)
      }
      return list
    }
  }

  /// Below MariaDB's `in_predicate_conversion_threshold` (1000), from which on a list becomes a subquery, and
  /// above the batches that workers take.
  private static let most = 512

  /// `count` rounded up to two leading binary digits more than its own first: 100 is 112, 300 is 320.
  private static func filled(_ count: Int) -> Int {
    var step = 1
    while step * 8 <= count { step *= 2 }
    return (count + step - 1) / step * step
  }
}
