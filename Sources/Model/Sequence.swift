/// One pass through a program's graph inside a run.
///
/// A sequence is written as the user wrote it (`1`, `night`); iteration *i* of a loop in sequence `S` runs in
/// `S/i`, so nested loops give `S/2/1`.
public struct Sequence: Sendable, Hashable, Codable, Comparable, CustomStringConvertible {
  /// The sequence as text.
  public let text: String

  /// The sequence in which a program starts when nothing else is said.
  public static let first = Sequence("1")

  /// Takes `text` as it is; see ``isValidFromOutside(_:)`` for what people may write.
  public init(_ text: String) { self.text = text }

  /// Decodes the bare text.
  public init(from decoder: any Decoder) throws {
    text = try decoder.singleValueContainer().decode(String.self)
  }

  /// Encodes the bare text.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }

  /// The sequence of iteration `index` (1-based) of a loop that runs in this one.
  public func iteration(_ index: Int) -> Sequence { Sequence(text + "/" + String(index)) }

  /// The sequence that holds the loop of which this is an iteration; nil at the top level.
  public var outer: Sequence? {
    guard let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")) else { return nil }
    return Sequence(String(text[..<slash]))
  }

  /// This sequence and every one around it, innermost first.
  public var enclosing: [Sequence] {
    var all = [self]
    while let next = all[all.count - 1].outer { all.append(next) }
    return all
  }

  /// The components between slashes.
  public var components: [Substring] { text.split(separator: "/", omittingEmptySubsequences: false) }

  /// The text.
  public var description: String { text }

  /// Orders component by component, numbers by value.
  public static func < (left: Sequence, right: Sequence) -> Bool {
    let (a, b) = (left.components, right.components)
    for (x, y) in zip(a, b) where x != y {
      if let m = Int(x), let n = Int(y), m != n { return m < n }
      return x < y
    }
    return a.count < b.count
  }

  /// Whether people may write `text` as a sequence: 1 to 64 characters of `A-Z a-z 0-9 _ . : -`.
  public static func isValidFromOutside(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count)
      && text.utf8.allSatisfy { Name.isLegal($0) || $0 == UInt8(ascii: ":") }
  }
}

/// The rule for names of programs, events, steps, loops, groups, resources and parameters.
public enum Name {
  /// The longest name, in characters.
  public static let maximumLength = 128

  static func isLegal(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
      true
    default: false
    }
  }

  /// Whether `text` matches `[A-Za-z0-9_.-]{1,128}` and is neither `.` nor `..`.
  public static func isValid(_ text: String) -> Bool {
    (1...maximumLength).contains(text.utf8.count) && text.utf8.allSatisfy(isLegal) && text != "."
      && text != ".."
  }

  /// The one of `candidates` nearest to `text` by edit distance, if it is near enough to be a likely slip.
  public static func nearest(to text: String, among candidates: some Swift.Sequence<String>) -> String? {
    let wanted = Array(text.lowercased().utf8)
    let limit = max(2, wanted.count / 3)
    var best: (name: String, distance: Int)?
    for candidate in candidates where candidate != text {
      let distance = editDistance(wanted, Array(candidate.lowercased().utf8), limit: limit)
      guard distance <= limit else { continue }
      if let found = best, (found.distance, found.name) <= (distance, candidate) { continue }
      best = (candidate, distance)
    }
    return best?.name
  }

  /// Optimal string alignment distance (Damerau 1964: insertions, deletions, substitutions, swaps of
  /// neighbours), or `limit + 1` as soon as it must exceed `limit`.
  private static func editDistance(_ a: [UInt8], _ b: [UInt8], limit: Int) -> Int {
    if abs(a.count - b.count) > limit { return limit + 1 }
    if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
    var twoAgo: [Int] = []
    var last = Array(0...b.count)
    for i in 1...a.count {
      var row = [i]
      row.reserveCapacity(b.count + 1)
      for j in 1...b.count {
        let cost = a[i - 1] == b[j - 1] ? 0 : 1
        var value = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + cost)
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { value = min(value, twoAgo[j - 2] + 1) }
        row.append(value)
      }
      if (row.min() ?? 0) > limit { return limit + 1 }
      twoAgo = last
      last = row
    }
    return last[b.count]
  }
}
