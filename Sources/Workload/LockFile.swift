import Database
import Glibc

/// A lock that the kernel takes back when its process ends, however it ends; another process can't have it meanwhile.
///
/// The file is removed when the lock is given back. So whoever opens it looks, once it has the lock, whether the file
/// it has is still the one of that name: it may have waited for one that was just removed.
final class LockFile: Sendable {
  private let descriptor: Int32
  private let path: String

  private init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  deinit {
    unlink(path)
    close(descriptor)
  }

  /// The lock of `path`, or nil if another has it. Does not wait.
  static func take(_ path: String) throws(DatabaseError) -> LockFile? {
    while true {
      let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { throw refused(path, errno) }
      if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
        let reason = errno
        close(descriptor)
        if reason == EWOULDBLOCK { return nil }
        throw refused(path, reason)
      }
      if isStillThere(descriptor, path) { return LockFile(descriptor: descriptor, path: path) }
      close(descriptor)
    }
  }

  private static func isStillThere(_ descriptor: Int32, _ path: String) -> Bool {
    var (mine, named) = (stat(), stat())
    return fstat(descriptor, &mine) == 0 && stat(path, &named) == 0 && mine.st_ino == named.st_ino
      && mine.st_dev == named.st_dev
  }

  private static func refused(_ path: String, _ reason: Int32) -> DatabaseError {
    DatabaseError(
      .refused, code: "errno \(reason)", message: "can't lock \(path): \(String(cString: strerror(reason)))",
      hint: "check the owner and mode of the file and its directory")
  }
}
