import Foundation
import Model

/// The JSON of `run`, `recover` and `status`, as a client reads it.
struct Report: Decodable {
  struct Run: Decodable {
    let id: String
    let status: String
    let recovery: Int
  }

  struct Task: Decodable {
    let step: String
    let sequence: String
    let attempt: Int
    let status: String
    let exitCode: Int?
    let result: JSONValue?
    let message: String?
    let skipped: Bool
    let startedAt: String?
    let endedAt: String?
    let log: String?

    /// What the step has logged.
    var logged: String {
      log.flatMap { FileManager.default.contents(atPath: $0) }.map { String(decoding: $0, as: UTF8.self) }
        ?? ""
    }
  }

  struct Event: Decodable {
    let event: String
    let sequence: String
  }

  let run: Run
  let tasks: [Task]
  let events: [Event]

  /// `step/sequence` of each task with its status, `skipped` where its end was repeated or its precondition false.
  var statuses: [String: String] {
    Dictionary(
      tasks.map { ("\($0.step)/\($0.sequence)", $0.skipped ? "skipped" : $0.status) },
      uniquingKeysWith: { $0 + "," + $1 })
  }

  /// `event/sequence` of each event.
  var raised: Set<String> { Set(events.map { "\($0.event)/\($0.sequence)" }) }

  subscript(_ step: String, _ sequence: String = "1") -> Task? {
    tasks.first { $0.step == step && $0.sequence == sequence }
  }
}
