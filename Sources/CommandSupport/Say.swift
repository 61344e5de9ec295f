public import Coordinator
import Foundation
import Glibc
public import Model

/// What commands say: answers on standard output, everything else on standard error.
public enum Say {
  /// An answer, as it is.
  public static func out(_ text: String) { write(text, STDOUT_FILENO) }

  /// An answer, as a line.
  public static func line(_ text: String) { out(text + "\n") }

  /// Something beside the answer.
  public static func aside(_ text: String) { write(text, STDERR_FILENO) }

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
  public static func warning(_ text: String) { aside("warning: \(text)\n") }

  /// What standard output can show.
  public static var outProfile: TerminalProfile { profile(STDOUT_FILENO) }
  /// What standard error can show.
  public static var errorProfile: TerminalProfile { profile(STDERR_FILENO) }

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
  public static var now: Timestamp {
    Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
  }
}
