import Glibc

/// Secrets on their way in: they go from the descriptor to memory for secrets, and nowhere else.
public enum SecretInput {
  /// Everything that comes from `descriptor` until its end. Blocks.
  ///
  /// - Throws: ``SecretError`` with `.badValue` if there is more than `limit` bytes, `.unreadable` if it can't be read.
  public static func read(_ descriptor: Int32, limit: Int, from place: String) throws(SecretError)
    -> SecretBytes
  {
    var count = 0
    let buffer = try SecretBytes(count: limit + 1) { (buffer) throws(SecretError) in
      while count <= limit {
        let got = Glibc.read(descriptor, buffer + count, limit + 1 - count)
        if got < 0, errno == EINTR { continue }
        guard got >= 0 else {
          throw SecretError(
            .unreadable, place, String(cString: strerror(errno)), "see that it is open for reading")
        }
        if got == 0 { break }
        count += got
      }
    }
    guard count <= limit else {
      throw SecretError(.badValue, place, "it holds more than \(limit) bytes", "give the secret alone")
    }
    return try SecretBytes(buffer, 0..<count)
  }

  /// The same without the end of its last line, which `echo` and editors add.
  public static func line(_ descriptor: Int32, limit: Int, from place: String) throws(SecretError)
    -> SecretBytes
  {
    let text = try read(descriptor, limit: limit, from: place)
    let count = text.withBytes { bytes in
      var count = bytes.count
      if count > 0, bytes[count - 1] == UInt8(ascii: "\n") { count -= 1 }
      if count > 0, count < bytes.count, bytes[count - 1] == UInt8(ascii: "\r") { count -= 1 }
      return count
    }
    return try SecretBytes(text, 0..<count)
  }

  /// Asks on the terminal of this process, without showing what is typed. Blocks.
  ///
  /// - Throws: ``SecretError`` with `.noKey` if there is no terminal, `.interrupted` on Ctrl-C.
  public static func ask(_ question: String) throws(SecretError) -> SecretBytes {
    let terminal = try Terminal()
    return try terminal.ask(question)
  }
}

/// The controlling terminal, whatever standard input and output are.
private struct Terminal: ~Copyable {
  private let descriptor: Int32
  private static let limit = 4096

  init() throws(SecretError) {
    descriptor = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
    guard descriptor >= 0 else {
      throw SecretError(
        .noKey, "the passphrase or secret", "there is no terminal to ask on",
        "give a secret on standard input, and a key or passphrase by --key-fd")
    }
  }

  deinit { close(descriptor) }

  /// Reads a line key by key: without echo, and with Ctrl-C as a key like others, so that the terminal is never left
  /// in this state.
  func ask(_ question: String) throws(SecretError) -> SecretBytes {
    var former = termios()
    guard tcgetattr(descriptor, &former) == 0 else {
      throw SecretError(.noKey, "the terminal", String(cString: strerror(errno)), "")
    }
    var quiet = former
    quiet.c_lflag &= ~tcflag_t(ECHO | ECHONL | ICANON | ISIG)
    tcsetattr(descriptor, TCSAFLUSH, &quiet)
    defer {
      tcsetattr(descriptor, TCSAFLUSH, &former)
      say("\n")
    }
    say(question)
    var count = 0
    let line = try SecretBytes(count: Self.limit) { (line) throws(SecretError) in
      try read(into: line, &count)
    }
    return try SecretBytes(line, 0..<count)
  }

  private func read(into line: UnsafeMutablePointer<UInt8>, _ count: inout Int) throws(SecretError) {
    var byte: UInt8 = 0
    while true {
      let got = Glibc.read(descriptor, &byte, 1)
      if got < 0, errno == EINTR { continue }
      switch (got, byte) {
      case (1, 3), (1, 26), (1, 28): throw Self.interrupted  // Ctrl-C, Ctrl-Z, Ctrl-\
      case (1, 8), (1, 127):
        // A character of UTF-8 goes as a whole.
        while count > 0 {
          count -= 1
          if line[count] & 0xc0 != 0x80 { break }
        }
      case (1, 21): count = 0
      case (1, 10), (1, 13), (1, 4): return
      case (1, _) where count < Self.limit:
        line[count] = byte
        count += 1
      case (1, _): continue
      default: throw Self.interrupted
      }
    }
  }

  private func say(_ text: String) { _ = Glibc.write(descriptor, text, text.utf8.count) }

  private static let interrupted = SecretError(.interrupted, "the question", "it was not answered")
}
