/// A host as people name it: `[user@]host[:port]`, or `ssh://[user@]host[:port]`.
public struct Destination: Sendable, Hashable, CustomStringConvertible {
  /// The user, where one is named.
  public let user: String?
  /// The host: a name of `ssh_config`, a name of the network, or an address.
  public let host: String
  /// The port, where one is named.
  public let port: Int?

  /// Reads it; throws ``TransportError`` if it is none.
  public init(_ text: String) throws {
    func bad(_ why: String) -> TransportError {
      TransportError(
        .configuration, what: "host \(quoted(text))", why: why, mend: "write [user@]host[:port]")
    }
    var rest = text[...]
    if rest.hasPrefix("ssh://") {
      rest = rest.dropFirst(6)
      if rest.hasSuffix("/") { rest = rest.dropLast() }
    }
    var user: Substring?
    if let at = rest.lastIndex(of: "@") {
      user = rest[..<at]
      rest = rest[rest.index(after: at)...]
    }
    var port: Substring?
    if rest.hasPrefix("["), let end = rest.firstIndex(of: "]") {
      let after = rest[rest.index(after: end)...]
      guard after.isEmpty || after.hasPrefix(":") else {
        throw bad("something else than a port follows the address")
      }
      if !after.isEmpty { port = after.dropFirst() }
      rest = rest[..<end].dropFirst()
    } else if let colon = rest.firstIndex(of: ":"), rest.lastIndex(of: ":") == colon {
      port = rest[rest.index(after: colon)...]
      rest = rest[..<colon]
    }
    if let user, user.isEmpty { throw bad("the user is empty") }
    guard !rest.isEmpty else { throw bad("it is empty") }
    // A name that begins so would be an option to the commands that messages propose.
    guard !rest.hasPrefix("-"), user?.hasPrefix("-") != true else {
      throw bad("a name can't begin with a dash")
    }
    guard (user ?? "").unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7f }),
      rest.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7f && $0 != "/" })
    else { throw bad("a character in it can't be part of a name") }
    if let port {
      guard let number = Int(port), (1...65535).contains(number), port.allSatisfy(\.isNumber) else {
        throw bad("a port is a number from 1 to 65535")
      }
      self.port = number
    } else {
      self.port = nil
    }
    self.user = user.map(String.init)
    host = String(rest)
  }

  /// As it can be read again.
  public var description: String {
    let shown = host.contains(":") && port != nil ? "[\(host)]" : host
    return (user.map { $0 + "@" } ?? "") + shown + (port.map { ":\($0)" } ?? "")
  }
}
