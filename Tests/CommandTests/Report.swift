import Model

/// The JSON of `run`, `status`, `wait`, `recover` and `rerun`, as a client reads it.
struct Report: Decodable, Equatable {
  struct Run: Decodable, Equatable {
    let id: String
    let program: String
    let version: String
    let status: String
    let recovery: Int
    let parameters: [String: JSONValue]
    let startedAt: String?
    let endedAt: String?
    let waitingFor: [String]
    let message: String?
  }

  struct Task: Decodable, Equatable {
    let step: String
    let sequence: String
    let recovery: Int
    let attempt: Int
    let host: String?
    let status: String
    let exitCode: Int?
    let signal: String?
    let result: JSONValue?
    let message: String?
    let skipped: Bool
    let readyAt: String?
    let startedAt: String?
    let endedAt: String?
    let log: String?
    let progress: Double?
    let note: String?

    var name: String { "\(step)/\(sequence)" }
  }

  struct Loop: Decodable, Equatable {
    let loop: String
    let sequence: String
    let status: String
    let iterations: Int
    let ended: Int
  }

  struct Event: Decodable, Equatable {
    let event: String
    let sequence: String
    let recovery: Int
    let triggeredAt: String
  }

  let run: Run
  let tasks: [Task]
  let loops: [Loop]
  let events: [Event]

  /// `step/sequence` of each task with its status, `skipped` where its end was repeated.
  var statuses: [String: String] {
    Dictionary(
      tasks.map { ($0.name, $0.skipped ? "skipped" : $0.status) }, uniquingKeysWith: { $0 + "," + $1 })
  }

  /// `event/sequence` of each event, sorted.
  var raised: [String] { events.map { "\($0.event)/\($0.sequence)" }.sorted() }

  /// The names of tasks, in the order they started.
  var order: [String] {
    tasks.filter { $0.startedAt != nil && !$0.skipped }.sorted { ($0.startedAt ?? "") < ($1.startedAt ?? "") }
      .map(\.name)
  }

  /// The most tasks that ran at once, by the database's clock.
  var mostAtOnce: Int { mostTasksAtOnce(tasks) }

  subscript(_ name: String) -> Task? { tasks.first { $0.name == name || $0.step == name } }
}

/// The most of `tasks` that ran at once; times in RFC 3339 with the same number of digits sort as texts.
func mostTasksAtOnce(_ tasks: [Report.Task]) -> Int {
  var edges: [(time: String, change: Int)] = []
  for task in tasks {
    guard let start = task.startedAt, let end = task.endedAt, !task.skipped else { continue }
    edges += [(start, 1), (end, -1)]
  }
  var (level, most) = (0, 0)
  for edge in edges.sorted(by: { ($0.time, $0.change) < ($1.time, $1.change) }) {
    level += edge.change
    most = max(most, level)
  }
  return most
}

/// The JSON of `why`.
struct Reasons: Decodable {
  struct Reason: Decodable {
    let step: String
    let sequence: String?
    let code: String
    let message: String
    let mend: String
  }

  let run: String
  let reasons: [Reason]

  var codes: [String: String] {
    Dictionary(reasons.map { ($0.step, $0.code) }, uniquingKeysWith: { $0 + "," + $1 })
  }
}

/// The JSON of `--plan`.
struct PlanAnswer: Decodable {
  struct Task: Decodable {
    let step: String
    let sequence: String
    let action: String
    let reason: String
  }

  let plan: [Task]

  var actions: [String: String] {
    Dictionary(plan.map { ("\($0.step)/\($0.sequence)", $0.action) }, uniquingKeysWith: { $0 + "," + $1 })
  }
}
