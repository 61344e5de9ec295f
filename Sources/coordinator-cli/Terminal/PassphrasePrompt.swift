import CommandSupport
import Glibc
import Secrets
import Synchronization
import Transport

/// Asks for passphrases of key files on the terminal, one at a time however many hosts are reached at once.
///
/// What was typed is kept in memory for secrets, for the hosts that come later; the copies that sessions are given are
/// wiped by them.
final class PassphrasePrompt: Sendable {
  private let known = Mutex<[String: SecretBytes]>([:])

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
      if request.failures == 0, let answer = known[request.path] { return answer.withBytes { Array($0) } }
      let answer = Self.ask("passphrase for \(request.path): ")
      known[request.path] = answer
      return answer?.withBytes { Array($0) }
    }
  }

  /// A line that is not shown; nil if nothing was typed, or there is nobody to ask.
  private static func ask(_ question: String) -> SecretBytes? {
    CoreDumps.forbid()
    do {
      let answer = try SecretInput.ask(question)
      return answer.count == 0 ? nil : answer
    } catch  where error.kind == .interrupted {
      // Ctrl-C came as a key like others. Whoever minds signals minds it now; nobody does, and this is the end. Not by
      // raise(3): threads of libdispatch have signals blocked.
      kill(getpid(), SIGINT)
      return nil
    } catch {
      return nil
    }
  }
}
