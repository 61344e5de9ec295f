import CommandSupport
import Glibc
import Synchronization
import Transport

/// Asks for passphrases of key files on the terminal, one at a time however many hosts are reached at once.
final class PassphrasePrompt: Sendable {
  private let known = Mutex<[String: [UInt8]]>([:])

  /// What sessions are given; nil where there is no terminal to ask on.
  static var source: PassphraseSource? {
    let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC)
    guard terminal >= 0 else { return nil }
    close(terminal)
    let prompt = PassphrasePrompt()
    return { prompt.answer($0) }
  }

  /// Held while somebody types, so that the next session finds what was typed for the same key.
  private func answer(_ request: PassphraseRequest) -> [UInt8]? {
    known.withLock { known in
      if request.failures == 0, let answer = known[request.path] { return answer }
      let answer = Self.ask("passphrase for \(request.path): ")
      known[request.path] = answer
      return answer
    }
  }

  /// Reads a line without showing it; nil if nothing was typed.
  private static func ask(_ question: String) -> [UInt8]? {
    let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC)
    guard terminal >= 0 else { return nil }
    defer { close(terminal) }
    var before = termios()
    guard tcgetattr(terminal, &before) == 0 else { return nil }
    var silent = before
    // Without ISIG Ctrl-C comes as a byte, and the terminal is never left without its echo.
    silent.c_lflag &= ~tcflag_t(ECHO | ISIG)
    tcsetattr(terminal, TCSAFLUSH, &silent)
    defer { tcsetattr(terminal, TCSAFLUSH, &before) }
    _ = write(terminal, question, question.utf8.count)
    var (answer, byte) = ([UInt8](), UInt8(0))
    while read(terminal, &byte, 1) == 1, byte != UInt8(ascii: "\n") {
      if byte == 3 || byte == 28 {
        tcsetattr(terminal, TCSAFLUSH, &before)
        _ = write(terminal, "\n", 1)
        raise(SIGINT)
        return nil
      }
      answer.append(byte)
    }
    _ = write(terminal, "\n", 1)
    return answer.isEmpty ? nil : answer
  }
}
