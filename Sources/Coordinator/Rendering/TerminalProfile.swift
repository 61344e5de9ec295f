/// What is known of where text goes; the executable fills it in, so that rendering stays a function of values.
public struct TerminalProfile: Sendable, Hashable {
  /// Whether a person's terminal reads it.
  public var isTerminal: Bool
  /// Columns, if text must fit them.
  public var width: Int?
  /// Lines, if known.
  public var height: Int?
  /// Whether colours may be used.
  public var colour: Bool
  /// Whether characters beyond ASCII may be used to draw.
  public var unicode: Bool

  /// A profile of these values.
  public init(
    isTerminal: Bool, width: Int? = nil, height: Int? = nil, colour: Bool = false, unicode: Bool = true
  ) {
    self.isTerminal = isTerminal
    self.width = width
    self.height = height
    self.colour = colour
    self.unicode = unicode
  }

  /// A file or a pipe: as wide as need be, without colour.
  public static let plain = TerminalProfile(isTerminal: false)

  /// The profile of a stream that is or is not a terminal of the given size, in `environment`: `NO_COLOR` (if not
  /// empty, as no-color.org has it) and `TERM=dumb` forbid colour, and a locale that is not UTF-8 forbids what is
  /// not ASCII. Elsewhere than on a terminal width and height are not kept.
  public init(isTerminal: Bool, width: Int?, height: Int?, environment: [String: String]) {
    self.isTerminal = isTerminal
    self.width = isTerminal ? width.flatMap { $0 > 0 ? $0 : nil } : nil
    self.height = isTerminal ? height.flatMap { $0 > 0 ? $0 : nil } : nil
    let isForbidden = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
    colour = isTerminal && !isForbidden && environment["TERM"] != "dumb"
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
    // Without any locale set, as in many services and containers, UTF-8 is the better guess.
    unicode = locale.map { $0.lowercased().contains("utf") } ?? true
  }

  /// `…`, or `...` where only ASCII may be used.
  var ellipsis: String { unicode ? "…" : "..." }
}
