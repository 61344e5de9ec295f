public import Model

/// Where two runs first part: version, parameters, and then task by task.
public struct RunDifference: Sendable, Hashable {
  /// What differs.
  public let what: String
  /// How it is in the first run.
  public let left: String
  /// How it is in the second.
  public let right: String

  /// Every difference, the first one first: the program, its version, parameters, and tasks in the order of the
  /// first run. Durations differ if one is more than twice the other and the difference is above a second.
  public static func between(_ left: RunReport, _ right: RunReport) -> [RunDifference] {
    var found: [RunDifference] = []
    func compare(_ what: String, _ a: String?, _ b: String?) {
      if a != b { found.append(RunDifference(what: what, left: a ?? "-", right: b ?? "-")) }
    }
    compare("program", left.run.program, right.run.program)
    compare("version", left.run.version, right.run.version)
    for name in Set(left.run.parameters.keys).union(right.run.parameters.keys).sorted() {
      compare("parameter \(name)", left.run.parameters[name]?.json, right.run.parameters[name]?.json)
    }
    let mine = newest(left.tasks)
    let theirs = newest(right.tasks)
    for task in left.tasks + right.tasks.filter({ mine[Key($0)] == nil }) where !task.superseded {
      let key = Key(task)
      guard mine[key] == task || mine[key] == nil else { continue }
      let name = "\(task.step)/\(task.sequence)"
      guard let a = mine[key], let b = theirs[key] else {
        compare(name, mine[key]?.status.rawValue ?? "no task", theirs[key]?.status.rawValue ?? "no task")
        continue
      }
      compare("\(name) status", a.status.rawValue, b.status.rawValue)
      compare("\(name) host", a.host, b.host)
      compare("\(name) exit code", a.exitCode.map(String.init), b.exitCode.map(String.init))
      compare("\(name) signal", a.signal, b.signal)
      compare("\(name) result", a.result?.json, b.result?.json)
      if let x = a.seconds, let y = b.seconds, abs(x - y) > 1, max(x, y) > 2 * min(x, y) {
        compare("\(name) duration", Elapsed.text(x), Elapsed.text(y))
      }
    }
    compare("status", left.run.status.rawValue, right.run.status.rawValue)
    return found
  }

  private struct Key: Hashable {
    let step: String
    let sequence: Sequence
    init(_ task: TaskRecord) {
      step = task.step
      sequence = task.sequence
    }
  }

  private static func newest(_ tasks: [TaskRecord]) -> [Key: TaskRecord] {
    Dictionary(tasks.map { (Key($0), $0) }, uniquingKeysWith: { $1 })
  }
}

extension TaskRecord {
  fileprivate var seconds: Double? {
    guard let startedAt, let endedAt else { return nil }
    return endedAt - startedAt
  }
}
