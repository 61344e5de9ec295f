import Engine
import Foundation
import Glibc

/// Asks sensors of resources: runs their commands through the keeper and reads the number they print.
public final class SensorProbe: Sendable {
  /// What a sensor said.
  struct Reading: Sendable, Hashable {
    /// How many are free outside; nil if it failed.
    var free: Int?
    /// Why it failed, in a sentence.
    var message: String?
  }

  /// A sensor that says nothing for so long has failed.
  private static let patience = Duration.seconds(30)

  private let keeper: Keeper
  private let directory: String
  private let environment: [String: String]

  /// - Parameters:
  ///   - keeper: What starts the commands.
  ///   - directory: Where their output goes meanwhile.
  ///   - environment: What they inherit, without credentials.
  public init(keeper: Keeper, directory: String, environment: [String: String]) {
    self.keeper = keeper
    self.directory = directory
    self.environment = StepEnvironment.inheritable(environment, without: [])
  }

  /// Runs the command of `turn` and reads the first word of its first line as a whole number.
  func ask(_ turn: SensorTurn) async -> Reading {
    let path = "\(directory)/sensor.\(UUID().uuidString)"
    defer { unlink(path) }
    let request = ProcessRequest(
      key: "sensor/\(turn.resource)", arguments: turn.command, environment: environment, logPath: path)
    let keeper = keeper
    let end = await keeper.run(request) { handle in
      Task {
        try? await Task.sleep(for: Self.patience)
        keeper.killTree(handle.ticket, SIGKILL)
      }
    }
    let output = Self.beginning(of: path)
    let first = output.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
    switch end.cause {
    case .exited(0):
      guard let number = first.split(separator: " ").first.flatMap({ Int($0) }), number >= 0 else {
        return Reading(
          message: "it printed '\(first.prefix(80))', which begins with no number of what is free")
      }
      return Reading(free: number)
    case .exited(let code): return Reading(message: "it ended with exit code \(code): \(first.prefix(200))")
    case .signalled(let signal): return Reading(message: "it was ended by \(Signal.name(signal))")
    case .notStarted(let why), .lost(let why): return Reading(message: why)
    }
  }

  /// The first bytes of a file: a sensor may print more than anybody wants to hold. Not by `String(contentsOfFile:)`, which
  /// loses 4 KiB with each empty file, as of a sensor that prints nothing.
  private static func beginning(of path: String) -> String {
    guard let file = FileHandle(forReadingAtPath: path) else { return "" }
    defer { try? file.close() }
    return String(decoding: (try? file.read(upToCount: 4096)) ?? Data(), as: UTF8.self)
  }
}
