import Foundation
import Glibc

/// This host.
public enum LocalHost {
  /// Its short name, as agents are known by.
  public static let name: String = {
    var buffer = [CChar](repeating: 0, count: 256)
    guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
    let full = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return full.split(separator: ".").first.map(String.init) ?? "localhost"
  }()
}

/// Who is acting: `user@host`.
public enum Person {
  /// The name.
  public static var name: String {
    let entry = getpwuid(getuid()).map { String(cString: $0.pointee.pw_name) }
    return (entry ?? "uid\(getuid())") + "@" + LocalHost.name
  }
}

/// Where what outlives a command is kept for this user: logs of steps, files of agents.
public enum StateDirectory {
  /// `$XDG_STATE_HOME/eventor`, or `~/.local/state/eventor`.
  public static var path: String {
    let environment = ProcessInfo.processInfo.environment
    if let base = environment["XDG_STATE_HOME"], base.hasPrefix("/") { return base + "/eventor" }
    let home = environment["HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? "/var/lib"
    return home + "/.local/state/eventor"
  }
}
