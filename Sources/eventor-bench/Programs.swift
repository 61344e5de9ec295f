import Documents
import Engine
import Model

/// The programs that are measured, as somebody would write them; all on one host.
enum Programs {
  /// Where their steps run, whatever this machine is called.
  static let host = "bench"

  /// `count` steps that do nothing and wait for nothing.
  static func wide(_ count: Int) throws -> Program {
    try parse("steps: {" + (1...count).map { "s\($0): {}" }.joined(separator: ", ") + "}")
  }

  /// `count` steps that do nothing, each after the one before.
  static func chain(_ count: Int) throws -> Program {
    let rest = (1...count).dropFirst().map { ", s\($0): {after: [s\($0 - 1)]}" }.joined()
    return try parse("steps: {s1: {}\(rest)}")
  }

  /// One step, `count` after it at once, and one after all of those.
  static func fan(_ count: Int) throws -> Program {
    try parse(
      """
      steps:
        first: {}
        fan: {after: [first], foreach: {from: 1, to: \(count)}, at_once: 0}
        join: {after: [fan]}
      """)
  }

  /// `/bin/true`, `count` times at once.
  static func processes(_ count: Int) throws -> Program {
    try parse("steps: {t: {foreach: {from: 1, to: \(count)}, at_once: 0, run: [/bin/true]}}")
  }

  private static func parse(_ text: String) throws -> Program {
    try ProgramDocument.parse("program: bench\n" + text, file: "bench.yaml").program
  }
}

extension OwnStore {
  /// Registers a program.
  func register(_ program: Program) async throws -> ProgramVersion {
    try await store.register(program, by: "bench@\(Programs.host)")
  }

  /// Starts a run of it that is left to the agents.
  func submit(_ version: ProgramVersion, id: String) async throws {
    _ = try await store.submit(.bench(version, id: id))
  }
}

extension Submission {
  /// A run for the agents of the bench's host.
  static func bench(_ version: ProgramVersion, id: String) -> Submission {
    Submission(
      program: version, id: id, parameters: [:], isStandalone: false, isUnpinned: false,
      localHost: Programs.host, user: "bench@\(Programs.host)")
  }
}
