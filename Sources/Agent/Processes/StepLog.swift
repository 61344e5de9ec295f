import Glibc

/// The log of a step: where it is, and the last of it.
public enum StepLog {
  /// Why a log has no place, or cannot be read.
  public struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong, with the name of the thing.
    public let description: String
  }

  /// The last of a log.
  public struct Tail: Sendable, Hashable {
    /// Valid text without NUL: what is no UTF-8 was replaced by U+FFFD.
    public var text: String
    /// Whether there is more before it.
    public var isCut: Bool
    /// The size of the whole log, in bytes.
    public var totalBytes: Int64
  }

  /// `DIRECTORY/RUN/STEP/SEQUENCE.ATTEMPT.log`.
  ///
  /// In a recovery after the first it is `SEQUENCE+rRECOVERY.ATTEMPT.log`. In a sequence `/` becomes `+`; every other byte outside `A-Z a-z 0-9 _ . : -` is percent-encoded, so that
  /// two names never share a file. A run or step named `.` or `..`, an empty name and one too long for a file
  /// are refused.
  public static func path(
    in directory: String, run: String, step: String, sequence: String, recovery: Int = 0, attempt: Int
  ) throws(Failure) -> String {
    // Attempts are counted anew in a recovery; no sequence that a person can write has a slash.
    let sequence = recovery == 0 ? sequence : sequence + "/r\(recovery)"
    let run = try component(run, "run")
    let step = try component(step, "step")
    var file = ""
    for part in sequence.split(separator: "/", omittingEmptySubsequences: false) {
      if !file.isEmpty { file += "+" }
      file += encoded(String(part))
    }
    guard !sequence.isEmpty else { throw Failure(description: "a sequence without a name has no log") }
    file += ".\(attempt).log"
    guard file.utf8.count <= 255 else {
      throw Failure(description: "the sequence '\(sequence)' is too long for the name of a log")
    }
    return "\(directory)/\(run)/\(step)/\(file)"
  }

  /// Makes the directories above `path`, with mode 0750; those that exist are left as they are.
  public static func prepare(_ path: String) throws(Failure) {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return }
    let directory = String(path[..<slash])
    if mkdir(directory, 0o750) == 0 || errno == EEXIST { return }
    if errno == ENOENT {
      try prepare(directory)
      if mkdir(directory, 0o750) == 0 || errno == EEXIST { return }
    }
    throw Failure(description: "cannot make the directory \(directory): \(Errno.text(errno))")
  }

  /// The last `limit` bytes of the log at `path`, cut between two characters.
  ///
  /// Reads a local file: at most `limit` bytes, however long it is.
  public static func tail(of path: String, limit: Int = 64 << 10) throws(Failure) -> Tail {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw Failure(description: "cannot read the log \(path): \(Errno.text(errno))")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw Failure(description: "cannot read the log \(path): \(Errno.text(errno))")
    }
    let total = Int(status.st_size)
    let from = max(0, total - limit)
    var bytes = [UInt8](repeating: 0, count: total - from)
    var filled = 0
    while filled < bytes.count {
      let count = bytes.withUnsafeMutableBytes { buffer in
        pread(descriptor, buffer.baseAddress?.advanced(by: filled), buffer.count - filled, from + filled)
      }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else {
        throw Failure(description: "cannot read the log \(path): \(Errno.text(errno))")
      }
      // It was cut short meanwhile.
      if count == 0 { break }
      filled += count
    }
    var text = bytes[..<filled]
    if from > 0 {
      // The rest of a character whose start was cut off: at most three bytes.
      text = text.dropFirst(text.prefix(3).prefix(while: { $0 & 0xc0 == 0x80 }).count)
    }
    // No database takes NUL in a text.
    let decoded = String(decoding: text, as: UTF8.self)
    let clean =
      text.contains(0)
      ? String(String.UnicodeScalarView(decoded.unicodeScalars.map { $0.value == 0 ? "\u{FFFD}" : $0 }))
      : decoded
    return Tail(text: clean, isCut: from > 0, totalBytes: Int64(total))
  }

  private static func component(_ name: String, _ noun: String) throws(Failure) -> String {
    guard name != "", name != ".", name != ".." else {
      throw Failure(description: "a \(noun) named '\(name)' cannot have a directory for its logs")
    }
    let text = encoded(name)
    guard text.utf8.count <= 255 else {
      throw Failure(description: "the \(noun) '\(name)' has too long a name for a directory of logs")
    }
    return text
  }

  private static func encoded(_ name: String) -> String {
    var bytes: [UInt8] = []
    let digits = Array("0123456789ABCDEF".utf8)
    for byte in name.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: ":"),
        UInt8(ascii: "-"):
        bytes.append(byte)
      default:
        bytes.append(contentsOf: [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]])
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
