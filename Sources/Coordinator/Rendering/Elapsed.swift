public import Model

/// Lengths of time as people read them.
public enum Elapsed {
  /// A duration: `45ms`, `1.2s`, `3m05s`, `2h14m`, `3d04h`. Negative ones, of clocks that went back, read `0ms`.
  public static func text(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds > 0 else { return "0ms" }
    if seconds < 0.0995 { return "\(Int((seconds * 1000).rounded()))ms" }
    if seconds < 59.95 { return tenths(seconds) + "s" }
    let whole = Int(min(seconds, 1e15).rounded())
    if whole < 3600 { return "\(whole / 60)m\(twoDigits(whole % 60))s" }
    if whole < 86_400 { return "\(whole / 3600)h\(twoDigits(whole / 60 % 60))m" }
    return "\(whole / 86_400)d\(twoDigits(whole / 3600 % 24))h"
  }

  /// The duration of what began at `start` and ended at `end`, or goes on at `now`; nil if it has not begun.
  public static func text(from start: Timestamp?, to end: Timestamp?, now: Timestamp) -> String? {
    start.map { text((end ?? now) - $0) }
  }

  /// How long ago `moment` was, in one unit: `12s ago`, `3m ago`, `2h ago`, `4d ago`; `now` within a second; `in 5s`
  /// for what is still to come.
  public static func age(of moment: Timestamp, now: Timestamp) -> String {
    let seconds = now - moment
    let size = coarse(abs(seconds))
    if size == "0s" { return "now" }
    return seconds > 0 ? size + " ago" : "in " + size
  }

  /// A time of day, `02:00:01`, in UTC or `offset` seconds east of it.
  public static func clock(_ moment: Timestamp, offset: Int = 0) -> String {
    let shifted = Timestamp(microseconds: moment.microseconds + Int64(offset) * 1_000_000)
    return String(shifted.description.dropFirst(11).prefix(8))
  }

  /// A moment for people: `2026-11-21 02:00:01Z`.
  public static func moment(_ moment: Timestamp) -> String {
    let text = moment.description
    return text.prefix(10) + " " + text.dropFirst(11).prefix(8) + "Z"
  }

  private static func coarse(_ seconds: Double) -> String {
    let whole = Int(min(seconds, 1e15))
    if whole < 60 { return "\(whole)s" }
    if whole < 3600 { return "\(whole / 60)m" }
    if whole < 86_400 { return "\(whole / 3600)h" }
    return "\(whole / 86_400)d"
  }

  private static func tenths(_ seconds: Double) -> String {
    let count = Int((seconds * 10).rounded())
    return "\(count / 10).\(count % 10)"
  }

  private static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
