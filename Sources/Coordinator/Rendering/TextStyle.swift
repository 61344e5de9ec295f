public import Model

/// How a piece of text looks on a terminal that may show colours; elsewhere it has no effect.
public struct TextStyle: Sendable, Hashable {
  /// The eight colours every terminal has, so that the person's own palette decides their shade.
  public enum Colour: Int, Sendable, CaseIterable {
    case red = 31
    case green = 32
    case yellow = 33
    case blue = 34
    case magenta = 35
    case cyan = 36
    case grey = 90
  }

  /// The colour; nil is the terminal's own.
  public var colour: Colour?
  /// Whether it is bold.
  public var isBold: Bool

  /// A style of these properties.
  public init(_ colour: Colour? = nil, bold: Bool = false) {
    self.colour = colour
    isBold = bold
  }

  /// Text as it is.
  public static let plain = TextStyle()
  /// Titles and names that lead a line.
  public static let strong = TextStyle(bold: true)
  /// What is only read when needed.
  public static let faint = TextStyle(.grey)
  /// Something went well.
  public static let good = TextStyle(.green)
  /// Something went wrong.
  public static let bad = TextStyle(.red, bold: true)
  /// Something goes on.
  public static let busy = TextStyle(.blue)
  /// Something was left out, or wants attention.
  public static let notable = TextStyle(.yellow)

  /// The style of a task's state.
  public init(_ status: TaskStatus, skipped: Bool = false) {
    switch status {
    case .success: self = skipped ? .notable : .good
    case .failure: self = .bad
    case .cancelled: self = TextStyle(.magenta)
    case .running: self = .busy
    case .ready: self = TextStyle(.cyan)
    case .waiting: self = .faint
    }
  }

  /// The style of a run's state.
  public init(_ status: RunStatus) {
    switch status {
    case .success: self = .good
    case .failure: self = .bad
    case .cancelled: self = TextStyle(.magenta)
    case .running: self = .busy
    case .paused: self = .notable
    }
  }

  /// The style of a loop's state.
  public init(_ status: LoopStatus) {
    switch status {
    case .success: self = .good
    case .failure: self = .bad
    case .cancelled: self = TextStyle(.magenta)
    case .running: self = .busy
    }
  }

  /// `text` in this style if `profile` allows colours, else as it is. `text` must not hold escapes of its own.
  public func applied(to text: String, on profile: TerminalProfile) -> String {
    guard profile.colour, self != .plain, !text.isEmpty else { return text }
    let codes = (isBold ? ["1"] : []) + (colour.map { [String($0.rawValue)] } ?? [])
    return "\u{1B}[" + codes.joined(separator: ";") + "m" + text + "\u{1B}[0m"
  }
}
