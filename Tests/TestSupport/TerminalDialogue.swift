import Foundation

/// A command on a terminal of its own, and what somebody types there: as the words of a call of python3, which makes the
/// terminal. That prints one line of JSON: `code`, as a shell has it; `seen`, all that the terminal
/// showed; and whether it shows what is typed, as `echo`, after the command's end.
public enum TerminalDialogue {
  /// What the call prints, as JSON.
  public struct Outcome: Decodable, Sendable {
    /// Its exit code, or 128 and the number of the signal that ended it.
    public let code: Int32
    /// All that the terminal showed.
    public let seen: String
    /// Whether the terminal shows what is typed.
    public let echo: Bool
  }

  private static let script = """
    import fcntl, json, os, select, signal, sys, termios, time
    dialogue, command = json.loads(sys.argv[1]), sys.argv[2:]
    # The other end is held open, so that its state can still be asked for at the end.
    terminal, other = os.openpty()
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.setsid()
        fcntl.ioctl(other, termios.TIOCSCTTY, 0)
        for number in range(3):
            os.dup2(other, number)
        os.execvp(command[0], command)
    seen, place, end, code = "", 0, time.monotonic() + 100, None
    while code is None or select.select([terminal], [], [], 0)[0]:
        if select.select([terminal], [], [], 0.05)[0]:
            seen += os.read(terminal, 4096).decode(errors="replace")
        while dialogue and dialogue[0][0] in seen[place:]:
            expected, answer = dialogue.pop(0)
            place = seen.index(expected, place) + len(expected)
            os.write(terminal, answer.encode())
        if code is None:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
    if code < 0:
        code = 128 - code
    echo = bool(termios.tcgetattr(other)[3] & termios.ECHO)
    print(json.dumps({"code": code, "seen": seen, "echo": echo}))
    """

  /// The program and arguments that call `command`, and type each answer when what stands before it was shown.
  public static func words(_ command: [String], _ dialogue: [(shown: String, typed: String)]) -> [String] {
    let list = try? JSONEncoder().encode(dialogue.map { [$0.shown, $0.typed] })
    return ["/usr/bin/python3", "-c", script, String(decoding: list ?? Data(), as: UTF8.self)] + command
  }

  /// What such a call printed.
  public static func outcome(_ text: String) throws -> Outcome {
    try JSONDecoder().decode(Outcome.self, from: Data(text.utf8))
  }
}
