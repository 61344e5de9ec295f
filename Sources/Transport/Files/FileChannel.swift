import CSSH2

/// File transfer over one channel of a session (SFTP, version 3).
final class FileChannel {
  private let wire: Wire
  private let pointer: OpaquePointer
  /// Files that are open: the session doesn't free what belongs to them.
  private var handles: [OpaquePointer] = []

  init(_ wire: Wire) throws {
    let made = try wire.make(Wire.Limit(wire.patience, "start of SFTP")) { libssh2_sftp_init(wire.session) }
    guard let made else {
      var failure = wire.anyFailure(wire.lastError.code, "start of SFTP")
      if failure.kind == .refused { failure.mend = "allow the subsystem sftp in its sshd_config" }
      throw failure
    }
    self.wire = wire
    pointer = made
  }

  /// Ends it; what fails here ends with the session.
  func close() {
    let interruption = wire.interruption
    wire.interruption = nil
    defer { wire.interruption = interruption }
    for handle in handles {
      _ = try? wire.perform(Wire.Limit(.seconds(2), "end of SFTP")) { libssh2_sftp_close_handle(handle) }
    }
    handles = []
    _ = try? wire.perform(Wire.Limit(.seconds(2), "end of SFTP")) { libssh2_sftp_shutdown(pointer) }
  }

  private func limit() -> Wire.Limit { Wire.Limit(max(wire.patience, .seconds(30)), "file transfer") }

  // MARK: Files

  /// Makes a file that is not there yet, readable to nobody else.
  func create(_ path: String) throws -> FileHandle {
    try open(path, LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_EXCL, 0o600)
  }

  /// Opens a file to read it.
  func read(_ path: String) throws -> FileHandle { try open(path, LIBSSH2_FXF_READ, 0) }

  private func open(_ path: String, _ flags: Int32, _ mode: Int) throws -> FileHandle {
    let length = UInt32(path.utf8.count)
    let handle = try wire.make(limit()) {
      libssh2_sftp_open_ex(pointer, path, length, UInt(flags), mode, LIBSSH2_SFTP_OPENFILE)
    }
    guard let handle else { throw failure(wire.lastError.code, path) }
    handles.append(handle)
    return FileHandle(handle: handle, path: path)
  }

  /// Goes on reading at `offset`.
  func seek(_ file: FileHandle, to offset: UInt64) { libssh2_sftp_seek64(file.handle, offset) }

  /// Reads the next piece into `buffer`; 0 at the end of the file.
  func read(_ file: FileHandle, into buffer: inout [UInt8]) throws -> Int {
    let code = try buffer.withUnsafeMutableBytes { bytes in
      try wire.perform(limit()) {
        let count = libssh2_sftp_read(
          file.handle, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        return Int32(truncatingIfNeeded: count)
      }
    }
    guard code >= 0 else { throw failure(code, file.path) }
    return Int(code)
  }

  /// Writes all of `bytes`.
  func write(_ bytes: ArraySlice<UInt8>, to file: FileHandle) throws {
    var rest = bytes
    while !rest.isEmpty {
      // The same bytes again after a wait: libssh2 has sent part of them ahead.
      let code = try rest.withUnsafeBytes { bytes in
        try wire.perform(limit()) {
          let count = libssh2_sftp_write(
            file.handle, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
          return Int32(truncatingIfNeeded: count)
        }
      }
      guard code >= 0 else { throw failure(code, file.path) }
      rest = rest.dropFirst(Int(code))
    }
  }

  /// The size and mode of an open file.
  func attributes(of file: FileHandle) throws -> (size: UInt64, mode: UInt32) {
    var attributes = LIBSSH2_SFTP_ATTRIBUTES()
    let code = try wire.perform(limit()) { libssh2_sftp_fstat_ex(file.handle, &attributes, 0) }
    guard code == 0 else { throw failure(code, file.path) }
    return (attributes.filesize, UInt32(truncatingIfNeeded: attributes.permissions))
  }

  /// Whether `path` is a directory; false if it is not there.
  func isDirectory(_ path: String) throws -> Bool {
    var attributes = LIBSSH2_SFTP_ATTRIBUTES()
    let code = try wire.perform(limit()) {
      libssh2_sftp_stat_ex(pointer, path, UInt32(path.utf8.count), LIBSSH2_SFTP_STAT, &attributes)
    }
    if code == LIBSSH2_ERROR_SFTP_PROTOCOL { return false }
    guard code == 0 else { throw failure(code, path) }
    return attributes.permissions & UInt(LIBSSH2_SFTP_S_IFMT) == UInt(LIBSSH2_SFTP_S_IFDIR)
  }

  /// Sets an open file's mode, and has it written to the disk where the host can do that.
  func settle(_ file: FileHandle, mode: UInt32) throws {
    var attributes = LIBSSH2_SFTP_ATTRIBUTES()
    attributes.flags = UInt(LIBSSH2_SFTP_ATTR_PERMISSIONS)
    attributes.permissions = UInt(mode & 0o7777)
    let code = try wire.perform(limit()) { libssh2_sftp_fstat_ex(file.handle, &attributes, 1) }
    guard code == 0 else { throw failure(code, file.path) }
    let synced = try wire.perform(limit()) { libssh2_sftp_fsync(file.handle) }
    if synced != 0, let failure = wire.connectionFailure(synced, "file transfer") { throw failure }
  }

  func close(_ file: FileHandle) throws {
    let code = try wire.perform(limit()) { libssh2_sftp_close_handle(file.handle) }
    // Unless it would have to wait, libssh2 frees the handle, whatever the host says.
    handles.removeAll { $0 == file.handle }
    guard code == 0 else { throw failure(code, file.path) }
  }

  /// Renames a file, if nothing is called `new` yet: more this version of the protocol doesn't know.
  func rename(_ old: String, to new: String) throws {
    let code = try wire.perform(limit()) {
      libssh2_sftp_rename_ex(
        pointer, old, UInt32(old.utf8.count), new, UInt32(new.utf8.count), Int(LIBSSH2_SFTP_RENAME_NATIVE))
    }
    guard code == 0 else { throw failure(code, new) }
  }

  /// Removes a file.
  func remove(_ path: String) throws {
    let code = try wire.perform(limit()) { libssh2_sftp_unlink_ex(pointer, path, UInt32(path.utf8.count)) }
    guard code == 0 else { throw failure(code, path) }
  }

  private func failure(_ code: Int32, _ path: String) -> TransportError {
    if code != LIBSSH2_ERROR_SFTP_PROTOCOL, let failure = wire.connectionFailure(code, "file transfer") {
      return failure
    }
    let status = Int32(truncatingIfNeeded: Int(libssh2_sftp_last_error(pointer)))
    let what = "\(path) on \(wire.name)"
    return switch status {
    case 2, 10: TransportError(.noSuchFile, what: what, why: "there is no such file or directory")
    case 3: TransportError(.transfer, what: what, why: "permission is denied")
    case 11: TransportError(.transfer, what: what, why: "it is there already")
    case 14, 15: TransportError(.transfer, what: what, why: "no space is left there")
    default:
      TransportError(.transfer, what: what, why: "the host says only that it failed (SFTP status \(status))")
    }
  }
}

/// An open file on a host; closed with its channel at the latest.
struct FileHandle {
  let handle: OpaquePointer
  let path: String
}
