import Foundation
import Glibc

/// The client's configuration: `~/.ssh/config` and `/etc/ssh/ssh_config`, as ssh_config(5) describes them.
///
/// For each keyword the first value counts. `Match` blocks are left out of account, with a note, but for `Match all`:
/// their conditions may run commands.
public struct ClientConfiguration: Sendable {
  private let local: LocalUser
  /// Files in the order they count, and the directory that relative names in their `Include` are in.
  private let files: [(path: String, folder: String, isOwn: Bool)]

  /// The configuration of `local`. With `file`, only that file, which must be there.
  public init(local: LocalUser, file: String? = nil) throws {
    self.local = local
    let own = local.home + "/.ssh"
    if let file {
      guard access(file, R_OK) == 0 else {
        throw TransportError(
          .configuration, what: "can't read \(file)", why: String(cString: strerror(errno)),
          mend: "name a file that is there")
      }
      files = [(file, own, true)]
    } else {
      files = [(own + "/config", own, true), ("/etc/ssh/ssh_config", "/etc/ssh", false)]
    }
  }

  /// What the configuration says of `destination`, whose own user and port come first.
  public func settings(for destination: Destination) throws -> HostSettings {
    var values = ConfigurationValues(host: destination.host)
    for file in files {
      if file.isOwn { try Self.checkOwner(of: file.path) }
      try read(file.path, folder: file.folder, isActive: true, depth: 0, into: &values)
    }
    return try values.settings(for: destination, local: local)
  }

  /// Others must not be able to say how this user connects.
  private static func checkOwner(of path: String) throws {
    var status = stat()
    guard stat(path, &status) == 0 else { return }
    if status.st_mode & 0o022 != 0 || (status.st_uid != 0 && status.st_uid != getuid()) {
      throw TransportError(
        .configuration, what: path, why: "others may write to it", mend: "chmod 600 \(path), and own it")
    }
  }

  private func read(
    _ path: String, folder: String, isActive: Bool, depth: Int, into values: inout ConfigurationValues
  ) throws {
    guard let data = FileManager.default.contents(atPath: path) else { return }
    var isBlockActive = isActive
    let text = String(decoding: data, as: UTF8.self)
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .enumerated()
    {
      guard let line = try ConfigurationLine(line, place: "\(path):\(index + 1)") else { continue }
      guard !line.arguments.isEmpty else {
        throw TransportError(
          .configuration, what: line.place, why: "\(quoted(line.keyword)) has no value", mend: "give it one")
      }
      switch line.keyword {
      case "host":
        isBlockActive = isActive && HostPattern.list(line.arguments.map { $0[...] }, match: values.host)
      case "match":
        let isAll = line.arguments.map { $0.lowercased() } == ["all"]
        isBlockActive = isActive && isAll
        if !isAll {
          values.notes.append("\(line.place): Match is not evaluated; its block is left out of account")
        }
      case "include":
        guard isBlockActive else { continue }
        guard depth < 16 else {
          throw TransportError(
            .configuration, what: line.place, why: "files include each other more than 16 deep",
            mend: "take the circle apart")
        }
        for pattern in line.arguments {
          for included in Self.files(pattern, folder: folder, home: local.home) {
            try Self.checkOwner(of: included)
            try read(included, folder: folder, isActive: true, depth: depth + 1, into: &values)
          }
        }
      default:
        if isBlockActive { values.take(line) }
      }
    }
  }

  /// The files an `Include` names, in the order of their names.
  private static func files(_ pattern: String, folder: String, home: String) -> [String] {
    var path = pattern
    if path.hasPrefix("~/") { path = home + path.dropFirst() }
    if !path.hasPrefix("/") { path = folder + "/" + path }
    var found = glob_t()
    defer { globfree(&found) }
    guard glob(path, 0, nil, &found) == 0 else { return [] }
    return (0..<Int(found.gl_pathc)).compactMap { index in found.gl_pathv[index].map { String(cString: $0) } }
  }
}
