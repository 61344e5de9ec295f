/// A bar for work whose size is known: how much of it is done, how fast, and how long the rest will take.
public struct ProgressBar: Sendable, Hashable {
  /// What is done, as in `making documents`.
  public var verb: String
  /// How much of the work there was before, which tells nothing of the speed.
  public var before: Int
  /// How much is done, in all.
  public var done: Int
  /// How much there is.
  public var total: Int
  /// For how long this has been going on.
  public var seconds: Double

  /// A bar of these values.
  public init(verb: String, before: Int = 0, done: Int, total: Int, seconds: Double) {
    self.verb = verb
    self.before = before
    self.done = done
    self.total = total
    self.seconds = seconds
  }

  /// One line, narrower than the terminal.
  public func line(on profile: TerminalProfile) -> String {
    var line = ProgressLine(profile)
    let size = min(30, max(8, (profile.width ?? 80) / 4))
    let share = total > 0 ? min(1, max(0, Double(done) / Double(total))) : 1
    let full = Int(share * Double(size))
    line.add(verb + " ", .plain)
    line.add(String(repeating: profile.unicode ? "━" : "#", count: full), .good)
    line.add(String(repeating: profile.unicode ? "─" : "-", count: size - full), .faint)
    line.add(" \(Int(share * 100))%", .strong)
    line.add(" \(done)/\(total)", .plain)
    let rate = seconds > 0 ? Double(done - before) / seconds : 0
    if rate >= 1, done < total {
      line.add(" \(Int(rate))/s, \(Elapsed.text(Double(total - done) / rate)) left", .faint)
    }
    return line.styled
  }
}
