/// What `status --json` says, as far as these tests look at it.
struct Report: Decodable {
  struct Run: Decodable {
    let status: String
    let recovery: Int
  }

  struct Task: Decodable {
    let step: String
    let sequence: String
    let attempt: Int
    let status: String
    let exitCode: Int?
    let endedAt: String?

    var key: String { "\(step) \(sequence)" }
    var isOver: Bool { ["success", "failure", "cancelled"].contains(status) }
    /// Everything of an end that must never change again.
    var end: String { "\(status) of attempt \(attempt), exit code \(exitCode ?? -1), at \(endedAt ?? "-")" }
  }

  struct Event: Decodable {
    let event: String
    let sequence: String
  }

  let run: Run
  let tasks: [Task]
  let events: [Event]

  /// What any two undisturbed runs have in common: which tasks ended how, and what was raised.
  var outcome: Outcome {
    Outcome(
      status: run.status, tasks: tasks.map { "\($0.key): \($0.status)" }.sorted(),
      events: events.map { "\($0.event) \($0.sequence)" }.sorted())
  }

  struct Outcome: Equatable, CustomStringConvertible {
    let status: String
    /// Sorted, one line for each task, so that a doubled one shows.
    let tasks: [String]
    let events: [String]

    var description: String { "\(status): \(tasks.count) tasks, \(events.count) events" }

    /// What stands in one and not in the other.
    func difference(to other: Outcome) -> String {
      let changes =
        other.tasks.difference(from: tasks).map(Self.line)
        + other.events.difference(from: events).map(Self.line)
      return "\(self) against \(other) \(changes)"
    }

    private static func line(_ change: CollectionDifference<String>.Change) -> String {
      switch change {
      case .insert(_, let text, _): "+ " + text
      case .remove(_, let text, _): "- " + text
      }
    }
  }

  /// The ends that are recorded, by step and sequence.
  var ends: [String: String] {
    Dictionary(tasks.filter(\.isOver).map { ($0.key, $0.end) }, uniquingKeysWith: { "\($0) and \($1)" })
  }
}
