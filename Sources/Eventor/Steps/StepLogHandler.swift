import Agent
import Dispatch
import Engine
import Foundation
import Glibc
import Logging
import Synchronization

/// The log of a function that shares its program's process: made with its first line, and read when the function has ended.
/// Files are written on a queue of their own, never on a thread of Swift's.
final class SharedStepLog: Sendable {
  private static let queue = DispatchQueue(label: "eventor.function-logs")

  private let path: String?
  private let secrets: [String]
  private let isWritten = Mutex(false)

  /// The log at `path`, without the values of `secrets`; nil: there is no place for it.
  init(path: String?, secrets: [String]) {
    self.path = path
    self.secrets = secrets
  }

  /// Adds a line.
  func write(_ line: String) {
    guard let path else { return }
    isWritten.withLock { $0 = true }
    let text = secrets.isEmpty ? line : Masking.mask(line, secrets)
    Self.queue.async {
      // A log that can't be written takes nothing from the step.
      guard (try? StepLog.prepare(path)) != nil else { return }
      let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o640)
      guard file >= 0 else { return }
      defer { close(file) }
      let bytes = Array(text.utf8)
      _ = Glibc.write(file, bytes, bytes.count)
    }
  }

  /// Where it is and the last of it; nil if nothing was written.
  func finish() async -> (path: String, tail: Outcome.Tail)? {
    guard let path, isWritten.withLock({ $0 }) else { return nil }
    return await withCheckedContinuation { continuation in
      Self.queue.async {
        let tail = try? StepLog.tail(of: path)
        continuation.resume(
          returning: tail.map { (path, Outcome.Tail(text: $0.text, totalBytes: $0.totalBytes)) })
      }
    }
  }
}

/// Writes a step's lines as `TIME LEVEL MESSAGE key=value`, to its log or to standard error.
struct StepLogHandler: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info
  private let write: @Sendable (String) -> Void

  init(write: @escaping @Sendable (String) -> Void) { self.write = write }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let all = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
    let tail = all.map { " \($0.key)=\($0.value)" }.joined()
    write("\(Date.now.formatted(.iso8601)) \(event.level) \(event.message)\(tail)\n")
  }
}
