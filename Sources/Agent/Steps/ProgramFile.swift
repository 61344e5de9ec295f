import Digest
import Glibc
import Model
import Synchronization

/// The file of a Swift program on this host, and whether it is the one whose functions a run was submitted with.
public enum ProgramFile {
  private struct Identity: Hashable {
    let device: UInt64
    let inode: UInt64
    let size: Int64
    let changed: [Int]
  }

  /// Digests of files that have not changed since.
  private static let known = Mutex<[String: (identity: Identity, digest: String)]>([:])

  /// The file that carries out `call`: `own`, the program that drives the run itself, or else the one it was submitted
  /// with. Reads a file, and all of it when it has changed.
  static func path(for call: Program.FunctionCall, own: String?) throws(Job.Failure) -> String {
    if let own { return own }
    guard let path = call.executable else {
      throw Job.Failure(
        message:
          "the function '\(call.name)' is carried out by the program that has it, which drives this run itself; "
          + "go on with the run by that program")
    }
    let found: String
    do throws(Unreadable) {
      found = try digest(of: path)
    } catch {
      throw Job.Failure(
        message: "the program that has the function '\(call.name)' can't be read on this host: \(path): "
          + "\(error.reason); install the file that was submitted there, on every node")
    }
    guard let expected = call.digest, expected != found else { return path }
    throw Job.Failure(
      message: "\(path) on this host is another build than the one that was submitted: it is \(found), and "
        + "\(expected) is needed; install the same file on every node, or submit the program anew")
  }

  /// Why a file can't be read.
  public struct Unreadable: Error, Sendable {
    /// The system's words.
    public let reason: String
  }

  /// The digest of the file at `path`, `sha256:…`. Blocks while it is read, which happens once for each state of it.
  ///
  /// - Throws: ``Unreadable``.
  public static func digest(of path: String) throws(Unreadable) -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw Unreadable(reason: Errno.text(errno)) }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw Unreadable(reason: Errno.text(errno)) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw Unreadable(reason: "it is no plain file") }
    let identity = Identity(
      device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int64(status.st_size),
      changed: [
        status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec,
      ])
    if let known = known.withLock({ $0[path] }), known.identity == identity { return known.digest }
    var stream = DigestStream()
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = read(file, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw Unreadable(reason: Errno.text(errno)) }
      if count == 0 { break }
      stream.update(buffer[..<count])
    }
    let digest = stream.finish().description
    known.withLock { $0[path] = (identity, digest) }
    return digest
  }
}
