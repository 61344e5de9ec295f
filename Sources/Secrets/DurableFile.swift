import Glibc

/// Files that are replaced as a whole: whoever reads, and whatever is left after a crash, sees the old content or the new.
public enum DurableFile {
  /// Writes `bytes` to a new file beside `path`, has it on disk, and renames it to `path`.
  ///
  /// A file that is there keeps its owner, so that an administrator's change leaves it readable for the agent.
  /// The new file has the same name each time: what a crash left is overwritten. The caller holds a
  /// ``DirectoryLock``.
  ///
  /// - Parameter mode: What of the former file's mode may stay; a new file gets 0600.
  /// - Throws: ``SecretError`` with `.unwritable`; then `path` is as it was, except when the directory could not be
  ///   synchronised.
  public static func replace(
    _ path: String, with bytes: UnsafeBufferPointer<UInt8>, mode: UInt32
  ) throws(SecretError) {
    let directory = directory(of: path)
    let new = directory + "/." + (path.split(separator: "/").last ?? "") + ".new"
    unlink(new)
    let file = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw unwritable(path, errno) }
    do throws(SecretError) {
      defer { close(file) }
      try keepOwner(of: path, on: file, mode: mode)
      try write(bytes, to: file, path)
      guard fsync(file) == 0 else { throw unwritable(path, errno) }
    } catch {
      unlink(new)
      throw error
    }
    guard rename(new, path) == 0 else {
      let code = errno
      unlink(new)
      throw unwritable(path, code)
    }
    try synchronise(directory, path)
  }

  /// The directory that holds `path`.
  static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  static func unwritable(_ path: String, _ code: Int32) -> SecretError {
    SecretError(
      .unwritable, path, "it can't be written: " + String(cString: strerror(code)),
      "see to the directory's permissions and space")
  }

  private static func keepOwner(of path: String, on file: Int32, mode: UInt32) throws(SecretError) {
    var former = stat()
    guard stat(path, &former) == 0 else { return }
    var mine = stat()
    let isOther = fstat(file, &mine) == 0 && (former.st_uid != mine.st_uid || former.st_gid != mine.st_gid)
    if isOther, fchown(file, former.st_uid, former.st_gid) != 0 { throw unwritable(path, errno) }
    guard fchmod(file, former.st_mode & mode) == 0 else { throw unwritable(path, errno) }
  }

  private static func write(_ bytes: UnsafeBufferPointer<UInt8>, to file: Int32, _ path: String)
    throws(SecretError)
  {
    var done = 0
    while done < bytes.count {
      let count = Glibc.write(file, bytes.baseAddress?.advanced(by: done), bytes.count - done)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw unwritable(path, errno) }
      done += count
    }
  }

  private static func synchronise(_ directory: String, _ path: String) throws(SecretError) {
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw unwritable(path, errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw unwritable(path, errno) }
  }
}

/// Keeps two commands from changing files of one directory at a time: flock(2) on the directory itself, which leaves
/// nothing behind and ends with the process. Blocks while another has it.
public final class DirectoryLock: Sendable {
  private let descriptor: Int32

  /// Waits for the lock of the directory that holds `path`.
  ///
  /// - Throws: ``SecretError`` with `.unwritable`.
  public init(of path: String) throws(SecretError) {
    let directory = DurableFile.directory(of: path)
    descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw DurableFile.unwritable(path, errno) }
    while flock(descriptor, LOCK_EX) != 0 {
      guard errno == EINTR else {
        let code = errno
        close(descriptor)
        throw DurableFile.unwritable(path, code)
      }
    }
  }

  deinit { close(descriptor) }
}
