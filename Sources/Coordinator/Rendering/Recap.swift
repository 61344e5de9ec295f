public import Model

/// What `run` and `wait` end with: the counts, each failed step with what is needed to understand it, and the command
/// to go on with.
public enum Recap {
  /// The last output of one task.
  public struct Tail: Sendable, Hashable {
    /// The step.
    public var step: String
    /// The sequence.
    public var sequence: Sequence
    /// Its output, of which the last lines are shown.
    public var text: String

    /// The output of a task.
    public init(step: String, sequence: Sequence, text: String) {
      self.step = step
      self.sequence = sequence
      self.text = text
    }
  }

  /// Lines of output shown of each failed step.
  public static let tailLines = 10
  /// Failed steps shown in full; the others are counted.
  public static let mostFailures = 10

  /// The recap, ending with a newline. `store` is the URL or tag for the command to go on with, nil if it needs
  /// none; a password in it is left out. `now` is needed for runs that have not ended. `recovering` is the command that recovers
  /// runs of this program.
  public static func text(
    report: RunReport, tails: [Tail], store: String?, profile: TerminalProfile, now: Timestamp? = nil,
    recovering: String = "coordinator"
  ) -> String {
    let tasks = report.currentTasks
    let summary = RunSummary(
      run: report.run, counts: Dictionary(grouping: tasks, by: \.status).mapValues(\.count),
      skipped: tasks.filter { $0.skipped && $0.status == .success }.count,
      failures: tasks.filter { $0.status == .failure })
    return text(
      summary: summary, tails: tails, store: store, profile: profile, now: now, recovering: recovering)
  }

  /// The same, of a summary that holds the first failures only.
  public static func text(
    summary: RunSummary, tails: [Tail], store: String?, profile: TerminalProfile, now: Timestamp? = nil,
    recovering: String = "coordinator"
  ) -> String {
    let run = summary.run
    let failed = summary.failures
    let failures = summary.counts[.failure, default: 0]
    var text = headline(run, now: now, on: profile)
    text += "  " + TaskCounts.text(summary.counts, skipped: summary.skipped, on: profile) + "\n"
    if let message = run.message { text += "  " + shown(message) + "\n" }
    if !run.status.isOver {
      for reason in run.waitingFor { text += "  waiting: " + shown(reason) + "\n" }
    }
    for task in failed.prefix(mostFailures) {
      let tail = tails.first { $0.step == task.step && $0.sequence == task.sequence }
      text += "\n" + failure(task, output: tail?.text, on: profile)
    }
    if failures > mostFailures {
      let command = ShellWords.line(["coordinator", "tasks", run.id] + option(store))
      text += "\nand \(failures - mostFailures) more failed; see them with: \(command)\n"
    }
    if let (why, words) = next(for: run, recovering) {
      let command = ShellWords.line(words + option(store))
      text += "\n" + why + ": " + TextStyle.strong.applied(to: shown(command), on: profile) + "\n"
    }
    return text
  }

  private static func headline(_ run: RunRecord, now: Timestamp?, on profile: TerminalProfile) -> String {
    let status = TextStyle(run.status).applied(to: run.status.rawValue, on: profile)
    var text = TextStyle.strong.applied(to: shown(run.program), on: profile)
    text += " " + shown(run.id) + ": " + status
    if run.recovery > 0 { text += ", recovery \(run.recovery)" }
    if let start = run.startedAt, let end = run.endedAt ?? now {
      text += " after " + Elapsed.text(end - start)
    }
    return text + "\n"
  }

  private static func failure(_ task: TaskRecord, output: String?, on profile: TerminalProfile) -> String {
    let mark = TextStyle.bad.applied(to: profile.unicode ? "✗" : "x", on: profile)
    let name = TextStyle.strong.applied(to: shown("\(task.step)/\(task.sequence)"), on: profile)
    var text = mark + " " + name
    if let host = task.host { text += " on " + shown(host) }
    if let signal = task.signal {
      text += ": ended by " + shown(signal)
    } else if let code = task.exitCode {
      text += ": exit \(code)"
    }
    if task.attempt > 1 { text += ", attempt \(task.attempt)" }
    text += "\n"
    if let message = task.message { text += "  " + shown(message) + "\n" }
    let bar = TextStyle.faint.applied(to: profile.unicode ? "│" : "|", on: profile)
    for line in lastLines(of: output ?? "") { text += "  \(bar) " + line + "\n" }
    return text
  }

  private static func lastLines(of output: String) -> [Substring] {
    // A line end at the very end ends the last line; it does not begin another.
    var lines = neutralised(output).split(separator: "\n", omittingEmptySubsequences: false)
    while lines.last?.isEmpty == true { lines.removeLast() }
    return Array(lines.suffix(tailLines))
  }

  private static func next(for run: RunRecord, _ recovering: String) -> (why: String, words: [String])? {
    switch run.status {
    case .success: nil
    case .failure, .cancelled:
      ("go on with", recovering.split(separator: " ").map(String.init) + ["recover", run.id])
    case .paused: ("go on with", ["coordinator", "resume", run.id])
    case .running: ("see why it goes on with", ["coordinator", "why", run.id])
    }
  }

  private static func option(_ store: String?) -> [String] {
    store.map { ["--store", ShellWords.withoutPassword($0)] } ?? []
  }

  private static func shown(_ text: String) -> String { neutralised(text, onOneLine: true) }
}
