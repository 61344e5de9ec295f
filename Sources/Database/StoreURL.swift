/// Where a store is: `sqlite:PATH`, `postgresql://user@host/db?schema=play`, `mysql://user@host/db?ssl-mode=REQUIRED`.
///
/// `postgres`, `mariadb` and forms such as `mysql+driver` are other names of the same. Several servers may
/// stand where the host is, separated by commas; they are tried in order. `?host=/path` names a socket.
public struct StoreURL: Sendable, Hashable, CustomStringConvertible {
  /// A server's address.
  public struct Endpoint: Sendable, Hashable {
    /// Host name, address, or the path of a socket (PostgreSQL: of its directory).
    public var host: String
    /// The port, if the URL names one.
    public var port: Int?
  }

  /// Which database.
  public let kind: Dialect.Kind
  /// The servers in the order they are tried; empty means the client library's default, or SQLite.
  public internal(set) var endpoints: [Endpoint] = []
  /// The user, if named.
  public internal(set) var user: String?
  /// The password, if the URL holds one.
  public internal(set) var password: String?
  /// The password that somebody keeps for it.
  var kept: KeptPassword?
  /// The database's name on a server.
  public internal(set) var database: String?
  /// The file of an SQLite store.
  public internal(set) var path: String?
  /// The query part; keys of MySQL with `-`.
  public internal(set) var options: [String: String] = [:]

  /// The first server's host.
  public var host: String? { endpoints.first?.host }
  /// The first server's port.
  public var port: Int? { endpoints.first?.port }
  /// Whether this is a database that lives in this process only.
  public var isMemory: Bool { path == ":memory:" }

  /// Reads a URL; throws `.badURL`, whose text never repeats the URL.
  public init(_ text: String) throws(DatabaseError) {
    guard let colon = text.firstIndex(of: ":") else {
      throw Self.bad("the store is not a URL: it has no scheme", Self.schemesHint)
    }
    let scheme = text[..<colon].lowercased()
    let family = scheme.prefix { $0 != "+" }
    let rest = text[text.index(after: colon)...]
    switch family {
    case "sqlite", "sqlite3": kind = .sqlite
    case "postgresql", "postgres": kind = .postgresql
    case "mysql", "mariadb": kind = .mysql
    default:
      let isName = scheme.utf8.allSatisfy { $0 > 0x2a && $0 < 0x7b && $0 != 0x40 && $0 != 0x2f }
      throw Self.bad("unknown kind of store\(isName ? " \(family):" : "")", Self.schemesHint)
    }
    if kind == .sqlite { try readFile(rest) } else { try readServer(rest, scheme: scheme) }
  }

  /// The URL with `***` for the password and for every option that holds one.
  public var description: String {
    let query =
      options.keys.sorted()
      .map { "\($0)=\($0.lowercased().contains("passw") ? "***" : options[$0] ?? "")" }
      .joined(separator: "&")
    let suffix = query.isEmpty ? "" : "?" + query
    if let path { return "sqlite:" + path + suffix }
    var text = kind == .mysql ? "mysql://" : "postgresql://"
    if let user { text += user }
    let hasPassword = password != nil || kept != nil
    if hasPassword { text += ":***" }
    if user != nil || hasPassword { text += "@" }
    text += endpoints.map(\.description).joined(separator: ",")
    if let database { text += "/" + database }
    return text + suffix
  }

  static let schemesHint =
    "use sqlite:PATH, postgresql://USER@HOST:PORT/DATABASE or mysql://USER@HOST:PORT/DATABASE"

  static func bad(_ message: String, _ hint: String = "") -> DatabaseError {
    DatabaseError(.badURL, code: "url", message: message, hint: hint)
  }
}

extension StoreURL.Endpoint: CustomStringConvertible {
  /// `host:port`, an IPv6 address in brackets.
  public var description: String {
    let name = host.contains(":") ? "[\(host)]" : host
    return port.map { "\(name):\($0)" } ?? name
  }
}
