public import Digest
import Glibc

extension SSHSession {
  /// Sends the file at `local`, and returns its digest.
  ///
  /// It is written under another name beside `remote`, compared by SHA-256, given `mode` (the local file's if none is
  /// said), and then put in place of whatever was there.
  @discardableResult
  public func upload(_ local: String, to remote: String, mode: UInt32? = nil) async throws -> Digest {
    try await run { wire in
      let descriptor = Glibc.open(local, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw Self.localFailure(local) }
      defer { Glibc.close(descriptor) }
      var status = stat()
      guard fstat(descriptor, &status) == 0 else { throw Self.localFailure(local) }
      return try wire.upload(to: remote, mode: mode ?? status.st_mode & 0o7777) { buffer in
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        guard count >= 0 else { throw Self.localFailure(local) }
        return count
      }
    }
  }

  /// Sends `bytes` as a file, in the same way.
  @discardableResult
  public func upload(bytes: [UInt8], to remote: String, mode: UInt32) async throws -> Digest {
    try await run { wire in
      var rest = bytes[...]
      return try wire.upload(to: remote, mode: mode) { buffer in
        let count = min(rest.count, buffer.count)
        buffer.replaceSubrange(..<count, with: rest.prefix(count))
        rest = rest.dropFirst(count)
        return count
      }
    }
  }

  /// Fetches `remote` into a file of its own beside `local`, compares digests, gives it the host's mode (or `mode`), and
  /// puts it in place.
  @discardableResult
  public func download(_ remote: String, to local: String, mode: UInt32? = nil) async throws -> Digest {
    try await run { wire in
      let temporary = local + ".part-" + String(UInt64.random(in: 0...UInt64.max), radix: 36)
      let descriptor = Glibc.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { throw Self.localFailure(local) }
      defer { Glibc.close(descriptor) }
      do {
        let (digest, theirMode) = try wire.download(remote, from: 0, checked: true) { piece in
          try Self.write(piece, to: descriptor, local)
        }
        guard fchmod(descriptor, mode ?? theirMode) == 0, fsync(descriptor) == 0,
          rename(temporary, local) == 0
        else { throw Self.localFailure(local) }
        return digest
      } catch {
        unlink(temporary)
        throw error
      }
    }
  }

  /// Hands `remote`, from `offset` on, to `body` piece by piece, on the session's thread. For files that may grow
  /// meanwhile: nothing is compared.
  public func read(
    _ remote: String, from offset: UInt64 = 0, _ body: @escaping @Sendable (ArraySlice<UInt8>) throws -> Void
  ) async throws {
    try await run { wire in
      _ = try wire.download(remote, from: offset, checked: false, sink: body)
    }
  }

  private static func write(_ piece: ArraySlice<UInt8>, to descriptor: Int32, _ path: String) throws {
    var rest = piece
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else { throw localFailure(path) }
      rest = rest.dropFirst(count)
    }
  }

  private static func localFailure(_ path: String) -> TransportError {
    TransportError(
      errno == ENOENT ? .noSuchFile : .transfer, what: path, why: String(cString: strerror(errno)))
  }
}
