/// What the steps of a run wrote down themselves, each line appended by one write: that they started, and that
/// they were about to end.
struct StepJournal {
  struct Line {
    let isStart: Bool
    let key: String
    let recovery: String
    let attempt: String
    let code: String

    var execution: String { "\(key) \(recovery).\(attempt)" }
  }

  let lines: [Line]

  init(_ text: String) {
    lines = text.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ").map(String.init)
      guard words.count == 6 else { return nil }
      return Line(
        isStart: words[0] == "start", key: "\(words[1]) \(words[2])", recovery: words[3], attempt: words[4],
        code: words[5])
    }
  }

  /// The script that writes it: `sh $CRASH_SCRIPT SECONDS EXIT-CODE`.
  static let script = """
    tell() { echo "$1 $EVENTOR_STEP_NAME $EVENTOR_STEP_SEQUENCE $EVENTOR_STEP_RECOVERY $EVENTOR_STEP_ATTEMPT $2" \
    >> "$CRASH_JOURNAL"; }
    tell start -
    sleep "$1"
    tell end "$2"
    exit "$2"

    """

  /// How often each task was started.
  var starts: [String: Int] {
    lines.filter(\.isStart).reduce(into: [:]) { $0[$1.key, default: 0] += 1 }
  }

  /// How often each task ran to success.
  var successes: [String: Int] {
    lines.filter { !$0.isStart && $0.code == "0" }.reduce(into: [:]) { $0[$1.key, default: 0] += 1 }
  }

  /// The tasks of which two executions ran at the same time, or one attempt was started twice.
  var doubled: [String] {
    var found: [String] = []
    var seen: Set<String> = []
    var open: [String: String] = [:]
    var overtaken: Set<String> = []
    for line in lines {
      if line.isStart {
        if !seen.insert(line.execution).inserted { found.append("\(line.execution) started twice") }
        // The one before was ended by force, or runs beside this one: the latter if it comes to its end.
        if let before = open[line.key] { overtaken.insert(before) }
        open[line.key] = line.execution
      } else if overtaken.contains(line.execution) {
        found.append("\(line.execution) went on while \(open[line.key] ?? "its successor") ran")
      } else if open[line.key] == line.execution {
        open[line.key] = nil
      }
    }
    return found
  }

  /// Tasks started at or after line `position` among `keys`.
  func starts(of keys: some Collection<String>, from position: Int) -> [String] {
    let wanted = Set(keys)
    return lines.dropFirst(position).filter { $0.isStart && wanted.contains($0.key) }.map(\.execution)
  }
}
