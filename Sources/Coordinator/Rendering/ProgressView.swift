/// Live progress on a terminal: pure text, redrawn in place.
///
/// ```swift
/// var view = ProgressView()
/// write(view.frame(of: state, on: profile))   // again and again
/// write(view.cleared(on: profile))            // before anything else is printed, and at the end
/// ```
public struct ProgressView: Sendable {
  /// The widths of the lines that stand on the terminal.
  private var drawn: [Int] = []

  /// A view that has drawn nothing yet.
  public init() {}

  /// What replaces the frame drawn before by the one of `state`.
  public mutating func frame(of state: ProgressState, on profile: TerminalProfile) -> String {
    let lines = Self.styledLines(of: state, on: profile)
    var out = rewind(on: profile)
    // Each line is cleared as it is reached and what is left over at the end: no flicker of an empty frame.
    for line in lines { out += line.styled + "\u{1B}[K\n" }
    out += "\u{1B}[J"
    drawn = lines.map(\.width)
    return out
  }

  /// What takes the frame away, leaving the cursor where it began.
  public mutating func cleared(on profile: TerminalProfile) -> String {
    guard !drawn.isEmpty else { return "" }
    let out = rewind(on: profile) + "\u{1B}[J"
    drawn = []
    return out
  }

  /// The frame of `state` as lines: at most two fewer than the terminal has, none wider than it.
  public static func lines(of state: ProgressState, on profile: TerminalProfile) -> [String] {
    styledLines(of: state, on: profile).map(\.styled)
  }

  /// The cursor to the start of the frame. Lines that a narrowed terminal has wrapped count as what they take now.
  private func rewind(on profile: TerminalProfile) -> String {
    guard !drawn.isEmpty else { return "\r" }
    let width = max(1, profile.width ?? 80)
    let rows = drawn.reduce(0) { $0 + max(1, ($1 + width - 1) / width) }
    return "\r\u{1B}[\(rows)A"
  }

  private static func styledLines(of state: ProgressState, on profile: TerminalProfile) -> [ProgressLine] {
    let most = max(1, (profile.height ?? 24) - 2)
    var head = [headline(of: state, on: profile)]
    if most > 1 { head.append(counts(of: state, on: profile)) }
    let reasons = state.waiting.map { waiting in
      var line = ProgressLine(profile)
      line.add(profile.unicode ? "  ◌ " : "  . ", .faint)
      if waiting.count > 0 { line.add("\(waiting.count) ", .plain) }
      line.add("waiting: " + waiting.reason, .faint)
      return line
    }
    let room = most - head.count
    // What runs comes first; reasons get what is left, but one line at least where there are two.
    let kept = reasons.isEmpty || room < 2 ? 0 : 1
    let running = shortened(state.running.map { Self.running($0, on: profile) }, to: room - kept, profile)
    return head + running + shortened(reasons, to: room - running.count, profile)
  }

  private static func shortened(_ lines: [ProgressLine], to most: Int, _ profile: TerminalProfile)
    -> [ProgressLine]
  {
    guard lines.count > most else { return lines }
    guard most > 0 else { return [] }
    var more = ProgressLine(profile)
    more.add("    and \(lines.count - most + 1) more", .faint)
    return Array(lines.prefix(most - 1)) + [more]
  }

  private static func headline(of state: ProgressState, on profile: TerminalProfile) -> ProgressLine {
    var line = ProgressLine(profile)
    line.add(state.program, .strong)
    line.add(" " + state.runID + " ", .faint)
    line.add(state.status.rawValue, TextStyle(state.status))
    line.add(" " + Elapsed.text(state.elapsed), .plain)
    return line
  }

  private static func counts(of state: ProgressState, on profile: TerminalProfile) -> ProgressLine {
    var line = ProgressLine(profile)
    let total = max(state.expected ?? 0, state.known)
    let size = min(30, max(8, (profile.width ?? 80) / 4))
    let done = total == 0 ? 0 : state.ended * size / total
    line.add(String(repeating: profile.unicode ? "━" : "#", count: done), state.hasFailed ? .bad : .good)
    line.add(String(repeating: profile.unicode ? "─" : "-", count: size - done), .faint)
    line.add(" \(state.ended)/\(total)" + (state.expected == nil ? "+" : ""), .strong)
    for (text, style) in TaskCounts.parts(state.counts, skipped: state.skipped) {
      line.add("  ", .plain)
      line.add(text, style)
    }
    return line
  }

  private static func running(_ task: ProgressState.Running, on profile: TerminalProfile) -> ProgressLine {
    var line = ProgressLine(profile)
    line.add(profile.unicode ? "  ● " : "  * ", .busy)
    line.add("\(task.step)/\(task.sequence)", .plain)
    if let host = task.host { line.add(" on \(host)", .faint) }
    line.add(" " + Elapsed.text(task.seconds), .plain)
    return line
  }
}

extension ProgressState {
  fileprivate var hasFailed: Bool { counts[.failure, default: 0] > 0 }
}

/// One line under construction that never grows wider than the terminal.
struct ProgressLine {
  private let profile: TerminalProfile
  private(set) var styled = ""
  private(set) var width = 0
  private var isFull = false

  init(_ profile: TerminalProfile) { self.profile = profile }

  mutating func add(_ text: String, _ style: TextStyle) {
    guard !isFull else { return }
    let text = neutralised(text, onOneLine: true)
    // The last column stays empty: some terminals wrap as soon as it is written.
    let room = profile.width.map { max(1, $0 - 1) - width }
    let shown = room.map { DisplayWidth.truncated(text, to: $0, ellipsis: profile.ellipsis) } ?? text
    isFull = shown != text
    styled += style.applied(to: shown, on: profile)
    width += DisplayWidth.of(shown)
  }
}
