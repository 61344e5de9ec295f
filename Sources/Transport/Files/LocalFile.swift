import Digest
import Glibc

/// A file of this host, as far as transfers need to know it.
public enum LocalFile {
  /// Its SHA-256 in hexadecimal, as `sha256sum` prints it. Blocks while it reads.
  ///
  /// - Throws: ``TransportError`` with `.noSuchFile` or `.transfer`.
  public static func digest(of path: String) throws(TransportError) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(path) }
    defer { close(descriptor) }
    var stream = DigestStream()
    var buffer = [UInt8](repeating: 0, count: 256 << 10)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      guard count >= 0 else { throw failure(path) }
      if count == 0 { return stream.finish().hexadecimal }
      stream.update(buffer[..<count])
    }
  }

  /// The same of bytes.
  public static func digest(of bytes: [UInt8]) -> String { Digest(of: bytes).hexadecimal }

  private static func failure(_ path: String) -> TransportError {
    TransportError(
      errno == ENOENT ? .noSuchFile : .transfer, what: path, why: String(cString: strerror(errno)))
  }
}
