import Foundation
import Transport

/// One node, reached over SSH, and asked by ``NodeScript``.
struct NodeHost: Sendable {
  let session: SSHSession
  /// The host as it was named.
  let name: String
  /// `system`, `user`, or `found`.
  let mode: String
  /// The account of the agent; empty for the one it has, or the usual one.
  let account: String

  /// How long a verb may take that waits for nothing by order: the longest tries two programs for half a minute each.
  static let patience = Duration.seconds(120)

  /// Asks for `verb`, and returns what was answered; it may take ``patience`` and `more`.
  ///
  /// - Throws: ``NodeFailure`` if the node said why not, or nothing that makes sense; ``TransportError``.
  func ask(
    _ verb: String, _ arguments: String..., input: [UInt8] = [], more: Duration = .zero
  ) async throws -> NodeAnswers {
    let words = ["/bin/sh", "-c", NodeScript.text, "sh", mode, account, verb] + arguments
    let outcome = try await session.gather(
      RemoteCommand(words), input: input, limit: 1 << 20, within: Self.patience + more)
    let answers = NodeAnswers(outcome.text)
    if let error = answers["error"] {
      if error == NodeFailure.Kind.cannotRun.rawValue {
        throw NodeFailure.cannotRun(
          answers["program"] ?? "the program", on: name,
          libraries: (answers["missing"] ?? "").split(separator: " ").map(String.init),
          said: neutralised(answers["why"] ?? "", onOneLine: true))
      }
      throw NodeFailure(
        NodeFailure.Kind(rawValue: error) ?? .failed, what: Self.doing(verb, name),
        why: neutralised(answers["why"] ?? "", onOneLine: true), mend: answers["mend"] ?? "")
    }
    guard outcome.end == .exited(0) else {
      throw NodeFailure(
        .failed, what: Self.doing(verb, name),
        why: neutralised("/bin/sh ended with \(outcome.end.code): \(outcome.errorText)", onOneLine: true))
    }
    return answers
  }

  /// What it says of itself.
  func look() async throws -> NodeFacts {
    guard let facts = NodeFacts(try await ask("look")) else {
      throw NodeFailure(
        .failed, what: Self.doing("look", name), why: "its answer makes no sense",
        mend: "the login shell there must be able to run /bin/sh")
    }
    return facts
  }

  private static func doing(_ verb: String, _ host: String) -> String {
    switch verb {
    case "look": "nothing was done on \(host)"
    case "start": "can't start the agent of \(host)"
    case "stop": "can't stop the agent of \(host)"
    case "key", "import": "can't give \(host) the credentials"
    default: "can't install the agent on \(host)"
    }
  }

  // MARK: The agent's life

  /// Starts it, unless it runs; returns whether it had to be started.
  func start() async throws -> Bool { try await ask("start")["already"] == nil }

  /// Ends it, and waits until it has ended; returns whether it ran. Steps go on under their keeper. `atOnce` gives
  /// those that run no time to end before they are handed over.
  func stop(atOnce: Bool, within seconds: Int = 60) async throws -> Bool {
    try await ask("stop", String(seconds), atOnce ? "now" : "", more: .seconds(seconds))["already"] == nil
  }

  /// A sign of life of the agent, by its process and by what the store knows.
  struct Beat: Sendable {
    let pid: Int?
    /// `live` or `draining`, once the store has heard of this very process.
    let state: String?
    let version: String?
    /// Why the node's coordinator can't ask the store, with its exit code.
    let complaint: (text: String, code: Int)?
    /// The last line it logged, if it has ended.
    let lastWords: String?
  }

  func beat() async throws -> Beat {
    let answers = try await ask("beat")
    let text = answers["store"].map { neutralised($0, onOneLine: true) }
    return Beat(
      pid: answers["pid"].flatMap { Int($0) }, state: answers["heard"], version: answers["version"],
      complaint: text.map { ($0, answers["code"].flatMap { Int($0) } ?? 1) },
      lastWords: answers["words"].map { neutralised($0, onOneLine: true) })
  }

  /// Waits until the store has heard of the agent that runs now.
  ///
  /// - Throws: ``NodeFailure`` with `.failed` if it ends meanwhile, `.database` or `.timedOut` after `patience`.
  func awaitHeartbeat(log: String, patience: Duration) async throws -> Beat {
    let deadline = ContinuousClock.now + patience
    var absences = 0
    while true {
      let beat = try await beat()
      if beat.state == "live" || beat.state == "draining" { return beat }
      // systemd starts it again after two seconds, and at first there is no process yet.
      absences = beat.pid == nil ? absences + 1 : 0
      let isOver = ContinuousClock.now > deadline
      if beat.pid == nil, absences > 12 || isOver {
        throw NodeFailure(
          .failed, what: "the agent of \(name) has ended again", why: beat.lastWords ?? "",
          mend: "its log on the host: \(log)")
      }
      guard !isOver else {
        let pid = beat.pid.map { " (pid \($0))" } ?? ""
        guard let complaint = beat.complaint else {
          throw NodeFailure(
            .timedOut, what: "the agent of \(name)\(pid) runs, but has not reported to its store in time",
            why: "", mend: "its log on the host: \(log)")
        }
        throw NodeFailure(
          complaint.code == 4 ? .database : .failed,
          what: "the agent of \(name)\(pid) runs, but can't be heard of there",
          why: complaint.text, mend: "its log on the host: \(log)")
      }
      // Each look is a command on the host, which asks the store: more of them would not tell sooner what is told to the second.
      try await Task.sleep(for: .milliseconds(300))
    }
  }
}
