import Foundation
import Glibc

/// The host keys that are known, from all the files of one host's settings.
struct KnownHosts {
  /// How a host's key compares with what is known.
  enum Verdict {
    /// It is known.
    case trusted
    /// Nothing is known of this host.
    case unknown
    /// Others are known of this host, of its own type or of others.
    case changed([KnownHostLine])
    /// It is marked as revoked.
    case revoked(KnownHostLine)
    /// The host is known through a certificate authority only.
    case authority(KnownHostLine)
  }

  private let lines: [KnownHostLine]

  /// Reads the files that are there.
  init(files: [String]) throws {
    var lines: [KnownHostLine] = []
    for file in files {
      guard let data = FileManager.default.contents(atPath: file) else {
        guard access(file, F_OK) == 0 else { continue }
        throw TransportError(
          .knownHosts, what: "can't read \(file)", why: String(cString: strerror(errno)),
          mend: "make it readable, or name another with UserKnownHostsFile")
      }
      let text = String(decoding: data, as: UTF8.self)
      for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        .enumerated()
      {
        if let line = KnownHostLine(line, place: "\(file):\(index + 1)") { lines.append(line) }
      }
    }
    self.lines = lines
  }

  /// The types of keys that are known of the host called `names`, in the order they stand in the files.
  func types(for names: [String]) -> [String] {
    var types: [String] = []
    for line in lines where line.marker == .trusted && !types.contains(line.key.type) {
      if names.contains(where: line.isAbout) { types.append(line.key.type) }
    }
    return types
  }

  /// What is known of `key`. The first of `names` is the host's own; the others are good only for the very same key,
  /// as ssh looks up a host without its port.
  func verdict(on key: HostKey, of names: [String]) -> Verdict {
    let about = lines.filter { line in names.contains(where: line.isAbout) }
    if let line = about.first(where: { $0.marker == .revoked && $0.key == key }) { return .revoked(line) }
    if about.contains(where: { $0.marker == .trusted && $0.key == key }) { return .trusted }
    let own = about.filter { line in names.first.map(line.isAbout) ?? false }
    let others = own.filter { $0.marker == .trusted }
    if !others.isEmpty { return .changed(others) }
    if let line = own.first(where: { $0.marker == .authority }) { return .authority(line) }
    return .unknown
  }

  /// Adds a line for `key` to `file`, which is made if need be.
  static func store(_ key: HostKey, as name: String, hashed: Bool, in file: String) throws {
    let field = hashed ? HostNameHash.hashed(name) : name
    let folder = (file as NSString).deletingLastPathComponent
    if !folder.isEmpty, access(folder, F_OK) != 0 { mkdir(folder, 0o700) }
    let descriptor = open(file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw cantStore(file) }
    defer { close(descriptor) }
    var last: UInt8 = UInt8(ascii: "\n")
    let size = lseek(descriptor, 0, SEEK_END)
    if size > 0 { _ = pread(descriptor, &last, 1, size - 1) }
    // One write of one line, appended: several at a time don't mix.
    let line = Array(((last == UInt8(ascii: "\n") ? "" : "\n") + field + " " + key.line + "\n").utf8)
    guard write(descriptor, line, line.count) == line.count else { throw cantStore(file) }
  }

  private static func cantStore(_ file: String) -> TransportError {
    TransportError(
      .knownHosts, what: "can't store the host key in \(file)", why: String(cString: strerror(errno)),
      mend: "make it writable, or name another with UserKnownHostsFile")
  }
}
