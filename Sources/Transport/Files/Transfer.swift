import Digest
import Glibc

extension Wire {
  /// Bytes that are read, hashed and written at a time.
  private static let piece = 256 << 10

  /// Sends what `next` gives, piece by piece, to a new file beside `remote`, compares digests, and puts it in place.
  func upload(to remote: String, mode: UInt32, next: (inout [UInt8]) throws -> Int) throws -> Digest {
    let files = try FileChannel(self)
    defer { files.close() }
    if try files.isDirectory(remote) {
      throw TransportError(
        .transfer, what: "\(remote) on \(name)", why: "it is a directory", mend: "name the file in it")
    }
    let (folder, base) = Self.split(remote)
    let temporary = folder + "." + base + ".part-" + String(UInt64.random(in: 0...UInt64.max), radix: 36)
    let file = try files.create(temporary)
    do {
      var stream = DigestStream()
      var buffer = [UInt8](repeating: 0, count: Self.piece)
      while case let count = try next(&buffer), count > 0 {
        stream.update(buffer[..<count])
        try files.write(buffer[..<count], to: file)
      }
      try files.settle(file, mode: mode)
      try files.close(file)
      let digest = stream.finish()
      try compare(digest, temporary, files)
      try replace(temporary, remote, files)
      return digest
    } catch {
      // The host's disk is not left with pieces, unless the connection is gone.
      let interruption = self.interruption
      self.interruption = nil
      try? files.remove(temporary)
      self.interruption = interruption
      throw error
    }
  }

  /// Reads `remote` from `offset` on, gives it to `sink` piece by piece, and compares digests if it was read whole.
  func download(
    _ remote: String, from offset: UInt64, checked: Bool, sink: (ArraySlice<UInt8>) throws -> Void
  ) throws -> (digest: Digest, mode: UInt32) {
    let files = try FileChannel(self)
    defer { files.close() }
    let file = try files.read(remote)
    let mode = try files.attributes(of: file).mode
    if offset > 0 { files.seek(file, to: offset) }
    var stream = DigestStream()
    var buffer = [UInt8](repeating: 0, count: Self.piece)
    while case let count = try files.read(file, into: &buffer), count > 0 {
      stream.update(buffer[..<count])
      try sink(buffer[..<count])
    }
    try files.close(file)
    let digest = stream.finish()
    if checked, offset == 0 { try compare(digest, remote, files) }
    return (digest, mode & 0o7777)
  }

  private static func split(_ path: String) -> (folder: String, base: String) {
    guard let slash = path.lastIndex(of: "/") else { return ("", path) }
    return (String(path[...slash]), String(path[path.index(after: slash)...]))
  }

  /// Throws if the host's own digest of the file differs.
  private func compare(_ digest: Digest, _ path: String, _ files: FileChannel) throws {
    let theirs = try self.digest(of: path, files)
    guard theirs == digest.hexadecimal else {
      throw TransportError(
        .digestMismatch, what: "\(path) on \(name)",
        why: "its SHA-256 there is \(theirs), and \(digest.hexadecimal) here", mend: "try again")
    }
  }

  /// Has the host hash the file; one that has no `sha256sum`, or allows no commands, gives it to be read again.
  private func digest(of path: String, _ files: FileChannel) throws -> String {
    do {
      let outcome = try gather(.script("exec sha256sum <\"$1\"", path), limit: 4096)
      if outcome.end == .exited(0), let word = outcome.text.split(separator: " ").first, word.count == 64 {
        return String(word)
      }
    } catch let error as TransportError where error.kind == .refused {}
    let file = try files.read(path)
    var stream = DigestStream()
    var buffer = [UInt8](repeating: 0, count: Self.piece)
    while case let count = try files.read(file, into: &buffer), count > 0 { stream.update(buffer[..<count]) }
    try files.close(file)
    return stream.finish().hexadecimal
  }

  /// Puts the file in its place at once, whatever was there: `mv` calls rename(2), which this version of SFTP can't. A
  /// host that allows no commands has the old file removed first.
  private func replace(_ temporary: String, _ remote: String, _ files: FileChannel) throws {
    do {
      let outcome = try gather(.script("exec mv -f -- \"$1\" \"$2\"", temporary, remote), limit: 4096)
      if outcome.end == .exited(0) { return }
    } catch let error as TransportError where error.kind == .refused {}
    do {
      try files.rename(temporary, to: remote)
    } catch let error as TransportError where error.kind == .transfer {
      try files.remove(remote)
      try files.rename(temporary, to: remote)
    }
  }
}
