/// How far a time zone's clocks are from UTC, at every moment.
///
/// Read from the time zone database of the machine (``ZoneDatabase``): an explicit list of changes, and after its end
/// a rule that repeats every year.
public struct ZoneRules: Sendable, Hashable {
  /// A stretch of time without a change of the clocks.
  struct Period: Hashable {
    /// Its first second, in seconds since 1970-01-01T00:00:00Z; `Int64.min` if it has none.
    var start: Int64
    /// The first second after it; `Int64.max` if it has none.
    var end: Int64
    /// Seconds that clocks are ahead of UTC.
    var offset: Int64
  }

  /// A moment at which clocks are changed, and how far they are ahead of UTC from then on.
  struct Change: Hashable {
    let at: Int64
    let offset: Int64
  }

  /// Coordinated Universal Time, which needs no database.
  public static let utc = ZoneRules(name: "UTC", first: 0, changes: [], yearly: nil)

  /// The zone's name, such as `Europe/Berlin`.
  public let name: String
  private let first: Int64
  /// Ascending, each with an offset that differs from the one before.
  private let changes: [Change]
  private let yearly: YearlyRule?

  /// A zone whose clocks are `first` seconds ahead until the first of `changes`, which must ascend, and follow
  /// `yearly` after the last.
  init(name: String, first: Int64, changes: [Change], yearly: YearlyRule?) {
    self.name = name
    self.first = first
    self.yearly = yearly
    self.changes = Self.effective(changes, after: first)
  }

  /// Those of `changes` that change anything.
  private static func effective(_ changes: some Swift.Sequence<Change>, after first: Int64) -> [Change] {
    var kept: [Change] = []
    for change in changes {
      // A rule may end summer at the very moment at which it begins again.
      if let last = kept.last, last.at == change.at { kept.removeLast() }
      if change.offset != kept.last?.offset ?? first { kept.append(change) }
    }
    return kept
  }

  /// Seconds that clocks are ahead of UTC at `moment`, in seconds since 1970-01-01T00:00:00Z.
  public func offset(at moment: Int64) -> Int64 { period(at: moment).offset }

  /// The period that holds `moment`.
  func period(at moment: Int64) -> Period {
    let last = changes.last
    guard let yearly, moment >= last?.at ?? .min else {
      return Self.period(at: moment, in: changes, first, from: .min)
    }
    // Summer of the south begins in one year and ends in the next, so the neighbours are looked at too.
    let year = CivilDate(days: Int(moment.dividedDown(by: 86_400))).year
    let offset = last?.offset ?? first
    let later = (year - 1...year + 1).flatMap(yearly.changes).filter { $0.at > last?.at ?? .min }
    return Self.period(at: moment, in: Self.effective(later, after: offset), offset, from: last?.at ?? .min)
  }

  /// The period that holds `moment` if clocks are changed at `changes`, and are `first` ahead before.
  private static func period(
    at moment: Int64, in changes: [Change], _ first: Int64, from start: Int64
  ) -> Period {
    var (low, high) = (0, changes.count)
    while low < high {
      let middle = (low + high) / 2
      if changes[middle].at <= moment { low = middle + 1 } else { high = middle }
    }
    return Period(
      start: low == 0 ? start : changes[low - 1].at, end: low < changes.count ? changes[low].at : .max,
      offset: low == 0 ? first : changes[low - 1].offset)
  }
}
