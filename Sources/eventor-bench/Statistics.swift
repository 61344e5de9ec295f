extension [Double] {
  /// The middle one; of an even number the lower of the two.
  var median: Double { isEmpty ? 0 : sorted()[(count - 1) / 2] }

  /// The smallest value that at least `share` of them do not exceed (nearest rank); 0 of none.
  func percentile(_ share: Double) -> Double {
    guard !isEmpty else { return 0 }
    let rank = Int((share * Double(count)).rounded(.up))
    return sorted()[Swift.min(Swift.max(rank, 1), count) - 1]
  }
}

extension Double {
  /// Four digits that count, which is more than any of this repeats to.
  var short: Double {
    guard self != 0, isFinite else { return 0 }
    var scale = 1.0
    while abs(self) * scale < 1000, scale < 1e9 { scale *= 10 }
    return (self * scale).rounded() / scale
  }
}
