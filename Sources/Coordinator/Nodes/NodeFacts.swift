/// What a node said of itself: where an agent's parts are or would be there, and which of them are.
struct NodeFacts: Sendable {
  private let values: [String: String]

  /// From the answers to `look`; nil if what must be there is missing.
  init?(_ answers: NodeAnswers) {
    values = answers.values
    guard ["mode", "bin", "etc", "state", "account", "user"].allSatisfy({ values[$0]?.isEmpty == false })
    else { return nil }
  }

  subscript(key: String) -> String? { values[key].flatMap { $0.isEmpty ? nil : $0 } }

  /// Whether the agent is the host's, and not the user's own.
  var isSystem: Bool { values["mode"] == "system" }
  /// The directory of the programs.
  var bin: String { values["bin"] ?? "" }
  /// The directory of the configuration and the vault.
  var etc: String { values["etc"] ?? "" }
  /// The directory of everything else.
  var state: String { values["state"] ?? "" }
  /// Who the agent runs as.
  var account: String { values["account"] ?? "" }
  /// Who has logged in.
  var user: String { values["user"] ?? "" }
  /// Where the agent's log is, or the command that shows it.
  var log: String { values["log"] ?? "" }
  /// What the agent calls its host.
  var name: String { values["name"] ?? "" }
  /// Whether systemd looks after the agent.
  var hasSystemd: Bool { values["manager"] == "systemd" }
  /// The agent's process, if it runs.
  var pid: Int? { values["pid"].flatMap { Int($0) } }
  /// How many seconds it has run.
  var age: Int? { values["age"].flatMap { Int($0) } }
}

/// The answers of a node to one verb: the last value of each key, and all of those that may come often.
struct NodeAnswers: Sendable {
  private(set) var values: [String: String] = [:]
  private(set) var credentials: [String] = []

  /// Reads lines of a key, a tab and a value; others are passed over, as a login shell may greet.
  init(_ text: String) {
    for line in text.split(whereSeparator: \.isNewline) {
      let parts = line.split(separator: "\t", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { continue }
      if parts[0] == "credential" { credentials.append(String(parts[1])) }
      values[String(parts[0])] = String(parts[1])
    }
  }

  subscript(key: String) -> String? { values[key].flatMap { $0.isEmpty ? nil : $0 } }
}
