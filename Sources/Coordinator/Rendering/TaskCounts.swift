import Model

/// Tasks counted by state, in words and in the order people look for them.
enum TaskCounts {
  private static let order: [TaskStatus] = [.failure, .cancelled, .success, .running, .ready, .waiting]

  /// One piece of text per state that occurs: `3 success`; skipped successes are counted apart.
  static func parts(_ counts: [TaskStatus: Int], skipped: Int) -> [(text: String, style: TextStyle)] {
    var parts: [(text: String, style: TextStyle)] = []
    for status in order {
      var count = counts[status, default: 0]
      if status == .success { count -= skipped }
      if count > 0 { parts.append(("\(count) \(status.rawValue)", TextStyle(status))) }
      if status == .success, skipped > 0 { parts.append(("\(skipped) skipped", .notable)) }
    }
    return parts
  }

  /// The counts of `tasks` on one line.
  static func text(_ tasks: [TaskRecord], on profile: TerminalProfile) -> String {
    guard !tasks.isEmpty else { return "no tasks" }
    let counts = Dictionary(grouping: tasks, by: \.status).mapValues(\.count)
    let skipped = tasks.filter { $0.skipped && $0.status == .success }.count
    return text(counts, skipped: skipped, on: profile)
  }

  /// Counts on one line.
  static func text(_ counts: [TaskStatus: Int], skipped: Int, on profile: TerminalProfile) -> String {
    guard counts.values.contains(where: { $0 > 0 }) else { return "no tasks" }
    return parts(counts, skipped: skipped).map { $0.style.applied(to: $0.text, on: profile) }
      .joined(separator: profile.unicode ? " · " : ", ")
  }
}
