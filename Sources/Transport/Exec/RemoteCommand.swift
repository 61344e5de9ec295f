/// A command for a host: its words, as execve(2) is given them there.
///
/// The login shell of the user there must take POSIX quoting.
public struct RemoteCommand: Sendable, Hashable {
  /// The program and its arguments; any bytes but NUL.
  public let words: [[UInt8]]
  /// Variables set for it, beside those of the login.
  public var environment: [String: String]

  /// A program and its arguments.
  public init(_ words: [String], environment: [String: String] = [:]) {
    self.init(bytes: words.map { Array($0.utf8) }, environment: environment)
  }

  /// A program and its arguments, which need not be text.
  public init(bytes words: [[UInt8]], environment: [String: String] = [:]) {
    self.words = words
    self.environment = environment
  }

  /// A script for `/bin/sh`, with arguments that it finds as `$1`, `$2` and so on.
  public static func script(_ text: String, _ arguments: String...) -> RemoteCommand {
    RemoteCommand(["/bin/sh", "-c", text, "sh"] + arguments)
  }

  /// The most bytes of a command line: one packet of libssh2, less what goes round it.
  static let longest = 34_000

  /// What the login shell is given. With `mark`, the first line on standard output is the mark and the process's id,
  /// which is also that of its process group.
  func line(mark: String?) throws -> [UInt8] {
    func bad(_ why: String, _ mend: String) -> TransportError {
      TransportError(.badArgument, what: "can't call a command on the host", why: why, mend: mend)
    }
    guard let program = words.first, !program.isEmpty else { throw bad("it has no name", "name one") }
    let variables = environment.sorted { $0.key < $1.key }.map { Array("\($0.key)=\($0.value)".utf8) }
    guard words.allSatisfy({ !$0.contains(0) }), variables.allSatisfy({ !$0.contains(0) }) else {
      throw bad("an argument holds a NUL byte", "give such data on standard input")
    }
    guard environment.keys.allSatisfy({ $0.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_]*/) != nil }) else {
      throw bad("a variable's name is none", "use letters, digits and underscores")
    }
    var all = variables.isEmpty ? words : [Array("/usr/bin/env".utf8)] + variables + words
    if let mark {
      // The shell that says its id becomes the program, which so keeps it.
      let script = "echo \(mark) $$; exec \"$@\""
      all = ["/bin/sh", "-c", script, "sh"].map { Array($0.utf8) } + all
    }
    let line = Array("exec ".utf8) + ShellWord.joined(all)
    guard line.count <= Self.longest else {
      throw bad(
        "its arguments take \(line.count) bytes, more than the \(Self.longest) that fit",
        "send what is long as a file or on standard input")
    }
    return line
  }
}

/// How a remote command ended.
public enum RemoteEnd: Sendable, Hashable {
  /// With this exit status.
  case exited(Int)
  /// By this signal, such as `TERM`.
  case signalled(String)

  /// As a shell has it: 128 and the signal's number for one that was signalled.
  public var code: Int {
    switch self {
    case .exited(let code): code
    case .signalled(let name): 128 + (Self.numbers[name] ?? 0)
    }
  }

  private static let numbers = [
    "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "ABRT": 6, "FPE": 8, "KILL": 9, "USR1": 10, "SEGV": 11,
    "USR2": 12,
    "PIPE": 13, "ALRM": 14, "TERM": 15,
  ]
}
