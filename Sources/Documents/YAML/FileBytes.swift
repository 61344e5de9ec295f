import Foundation

/// The bytes of a file people write, read with a bound on how many there may be.
enum FileBytes {
  /// The most a program or configuration file may hold.
  static let limit = 16 << 20

  /// The content of the file at `path`; at most one byte more than the limit is ever read.
  ///
  /// Works for pipes too, so that `/dev/stdin` and `<(…)` may be named.
  static func read(path: String) throws(DocumentError) -> [UInt8] {
    // A named pipe that nobody writes to would otherwise be waited for at its opening.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw unreadable(path, errno) }
    defer { close(descriptor) }
    guard fcntl(descriptor, F_SETFL, 0) == 0 else { throw unreadable(path, errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw unreadable(path, errno) }
    if status.st_mode & S_IFMT == S_IFDIR {
      throw .unreadable(path: path, reason: "is a directory", hint: "name a file in it")
    }
    if status.st_mode & S_IFMT == S_IFREG, status.st_size > Int64(limit) {
      throw tooLarge(path, size: Int(status.st_size))
    }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Foundation.read(descriptor, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw unreadable(path, errno) }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
      if bytes.count > limit { throw tooLarge(path, size: nil) }
    }
  }

  /// Why `size` bytes (nil: more than were read) are too many.
  static func tooLarge(_ path: String, size: Int?) -> DocumentError {
    let mebibytes = size.map { "\(($0 + (1 << 20) - 1) >> 20) MiB" } ?? "more than \(limit >> 20) MiB"
    return .unreadable(
      path: path, reason: "is too large (\(mebibytes); at most \(limit >> 20) MiB are read)",
      hint: "keep data out of it and let the steps read that themselves")
  }

  private static func unreadable(_ path: String, _ code: Int32) -> DocumentError {
    switch code {
    case ENOENT, ENOTDIR:
      .unreadable(path: path, reason: "no such file", hint: "check the path")
    case EACCES, EPERM:
      .unreadable(path: path, reason: "permission denied", hint: "make it readable for this user")
    default:
      .unreadable(path: path, reason: String(cString: strerror(code)), hint: "check the file")
    }
  }
}
