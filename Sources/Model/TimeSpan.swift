/// A length of time in whole microseconds, as programs write it: `10`, `0.25`, `90s`, `10m`, `2h`, `1d`.
public struct TimeSpan: Sendable, Hashable, Codable, Comparable, CustomStringConvertible {
  /// The length in microseconds.
  public let microseconds: Int64

  /// No time at all.
  public static let zero = TimeSpan(microseconds: 0)

  /// A span of `microseconds`.
  public init(microseconds: Int64) { self.microseconds = microseconds }

  /// A span of `seconds`, rounded to microseconds.
  public init(seconds: Double) { microseconds = Int64((seconds * 1_000_000).rounded()) }

  /// Reads a number with an optional unit (`us`, `ms`, `s`, `m`, `h`, `d`; seconds without one); nil if `text` is
  /// something else, negative, or longer than 100 years.
  public init?(_ text: String) {
    let units: [(String, Double)] = [
      ("us", 0.000_001), ("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400),
    ]
    var number = Substring(text)
    var factor = 1.0
    if let unit = units.first(where: { text.hasSuffix($0.0) }) {
      number = number.dropLast(unit.0.utf8.count)
      factor = unit.1
    }
    guard let first = number.utf8.first, first != UInt8(ascii: "+"),
      number.utf8.allSatisfy({ (48...57).contains($0) || $0 == UInt8(ascii: ".") }),
      let value = Double(number), value.isFinite
    else { return nil }
    let seconds = value * factor
    guard seconds >= 0, seconds <= 100 * 366 * 86400 else { return nil }
    self.init(seconds: seconds)
  }

  /// Decodes a whole number of microseconds.
  public init(from decoder: any Decoder) throws {
    microseconds = try decoder.singleValueContainer().decode(Int64.self)
  }

  /// Encodes a whole number of microseconds.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(microseconds)
  }

  /// The length in seconds.
  public var seconds: Double { Double(microseconds) / 1_000_000 }

  /// The shortest way a program would write it: `90s`, `10m`, `0.25s`.
  public var description: String {
    for (unit, size) in [
      ("d", Int64(86_400_000_000)), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000),
    ]
    where microseconds != 0 && microseconds % size == 0 {
      return "\(microseconds / size)\(unit)"
    }
    // Below this Swift writes an exponent, which no program may.
    if microseconds != 0 && abs(microseconds) < 100 { return "\(microseconds)us" }
    return microseconds == 0 ? "0s" : "\(seconds)s"
  }

  /// Orders by length.
  public static func < (left: TimeSpan, right: TimeSpan) -> Bool { left.microseconds < right.microseconds }
}
