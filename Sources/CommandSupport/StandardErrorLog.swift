import Coordinator
import Foundation
public import Logging
import Model

/// Log lines on standard error: time, level, message, and `key=value` pairs in a fixed order.
public struct StandardErrorLog: LogHandler {
  /// How lines are written.
  public enum Format: String, Sendable, CaseIterable {
    /// Time, level, message and `key=value` pairs, for people.
    case text
    /// One JSON object a line, for machines.
    case json
  }

  /// What is added to every line.
  public var metadata: Logger.Metadata = [:]
  /// The least urgent level that is written.
  public var logLevel: Logger.Level = .info
  private let label: String
  private let format: Format

  /// A log called `label`.
  public init(label: String, format: Format = .text) {
    self.label = label
    self.format = format
  }

  /// One key of ``metadata``.
  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  private static let order = ["run", "step", "sequence", "host", "attempt", "status", "exit", "message"]

  /// Writes one line.
  public func log(event: LogEvent) {
    let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
    let rank: (String) -> Int = { Self.order.firstIndex(of: $0) ?? Self.order.count }
    if format == .json { return Say.aside(json(event, all) + "\n") }
    let pairs = all.sorted { (rank($0.key), $0.key) < (rank($1.key), $1.key) }
      .map { "\($0.key)=\(Self.quoted("\($0.value)"))" }
    let line = ([Say.now.description, event.level.rawValue, "\(event.message)"] + pairs).joined(
      separator: " ")
    Say.aside(line + "\n")
  }

  private func json(_ event: LogEvent, _ metadata: Logger.Metadata) -> String {
    var members: [(String, any JSONRenderable)] = [
      ("time", Say.now.description), ("level", event.level.rawValue), ("logger", label),
      ("message", "\(event.message)"),
    ]
    members += metadata.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }
    return JSONObject(members).line
  }

  private static func quoted(_ text: String) -> String {
    let clean = neutralised(text, onOneLine: true)
    return clean.contains(where: { $0 == " " || $0 == "\"" })
      ? "\"\(clean.replacingOccurrences(of: "\"", with: "'"))\"" : clean
  }
}
