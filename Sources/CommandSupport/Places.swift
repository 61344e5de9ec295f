import Agent
import Foundation
import Glibc

/// Directories of this user.
public enum Places {
  /// The home directory, if there is one.
  public static var home: String? {
    ProcessInfo.processInfo.environment["HOME"].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// See `StateDirectory`.
  public static var state: String { StateDirectory.path }

  /// `path` from the root: relative to where the command was called, a tilde being the home directory.
  public static func absolute(_ path: String) -> String {
    let expanded = path.hasPrefix("~/") ? (home ?? "") + path.dropFirst(1) : path
    return expanded.hasPrefix("/") ? expanded : FileManager.default.currentDirectoryPath + "/" + expanded
  }

  /// Makes a directory that nobody else can read, with those above it.
  public static func make(_ path: String) throws {
    guard !path.isEmpty else { return }
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o711])
    } catch {
      throw CommandFailure(
        status: .failed, what: "can't make the directory \(path)", why: "\(String(cString: strerror(errno)))",
        mend: "choose another with --work-dir, --log-dir or --store")
    }
  }
}
