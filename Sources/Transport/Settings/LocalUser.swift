import Foundation
import Glibc

/// Who connects, and from where: what `ssh_config` may refer to.
public struct LocalUser: Sendable, Hashable {
  /// The home directory, under which `.ssh` is.
  public var home: String
  /// The user's name.
  public var name: String
  /// The user's number.
  public var number: UInt32
  /// This host's name.
  public var host: String
  /// Variables that settings may name, `SSH_AUTH_SOCK` among them.
  public var environment: [String: String]

  /// A user of these properties.
  public init(home: String, name: String, number: UInt32, host: String, environment: [String: String]) {
    self.home = home
    self.name = name
    self.number = number
    self.host = host
    self.environment = environment
  }

  /// The user of this process. `HOME` comes before the account's directory.
  public static var current: LocalUser {
    let environment = ProcessInfo.processInfo.environment
    let home = environment["HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? NSHomeDirectory()
    return LocalUser(
      home: home, name: NSUserName(), number: getuid(), host: ProcessInfo.processInfo.hostName,
      environment: environment)
  }
}
