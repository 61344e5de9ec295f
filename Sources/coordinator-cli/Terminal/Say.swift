import Coordinator
import Foundation
import Glibc
import Logging
import Model

/// What commands say: answers on standard output, everything else on standard error.
enum Say {
  /// An answer, as it is.
  static func out(_ text: String) { write(text, STDOUT_FILENO) }

  /// An answer, as a line.
  static func line(_ text: String) { out(text + "\n") }

  /// Something beside the answer.
  static func aside(_ text: String) { write(text, STDERR_FILENO) }

  /// Writes all of a text at once, so that lines of several threads do not mix. What nobody reads is dropped.
  private static func write(_ text: String, _ descriptor: Int32) {
    let bytes = Array(text.utf8)
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress?.advanced(by: done), $0.count - done)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      done += count
    }
  }

  /// Something to mind.
  static func warning(_ text: String) { aside("warning: \(text)\n") }

  /// What standard output can show.
  static var outProfile: TerminalProfile { profile(STDOUT_FILENO) }
  /// What standard error can show.
  static var errorProfile: TerminalProfile { profile(STDERR_FILENO) }

  private static func profile(_ descriptor: Int32) -> TerminalProfile {
    var size = winsize()
    let isTerminal = isatty(descriptor) == 1
    let isKnown = isTerminal && ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    return TerminalProfile(
      isTerminal: isTerminal, width: isKnown ? Int(size.ws_col) : nil,
      height: isKnown ? Int(size.ws_row) : nil,
      environment: ProcessInfo.processInfo.environment)
  }

  /// This machine's clock, for ages and live displays only.
  static var now: Timestamp { Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000)) }
}

/// Log lines on standard error: time, level, message, and `key=value` pairs in a fixed order.
struct StandardErrorLog: LogHandler {
  let label: String
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level = .info

  init(label: String) { self.label = label }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  private static let order = ["run", "step", "sequence", "host", "attempt", "status", "exit", "message"]

  func log(event: LogEvent) {
    let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
    let rank: (String) -> Int = { Self.order.firstIndex(of: $0) ?? Self.order.count }
    let pairs = all.sorted { (rank($0.key), $0.key) < (rank($1.key), $1.key) }
      .map { "\($0.key)=\(Self.quoted("\($0.value)"))" }
    let line = ([Say.now.description, event.level.rawValue, "\(event.message)"] + pairs).joined(
      separator: " ")
    Say.aside(line + "\n")
  }

  private static func quoted(_ text: String) -> String {
    let clean = neutralised(text, onOneLine: true)
    return clean.contains(where: { $0 == " " || $0 == "\"" })
      ? "\"\(clean.replacingOccurrences(of: "\"", with: "'"))\"" : clean
  }
}
