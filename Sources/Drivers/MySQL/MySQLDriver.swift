import CMySQL
public import Database
import Glibc

/// Connects to MySQL and MariaDB with MariaDB's connector.
///
/// Options of the URL: `ssl-mode`, `ssl-ca`, `ssl-cert`, `ssl-key`, `socket`, `connect-timeout`. Of several
/// hosts each is tried, in order.
public struct MySQLDriver: Driver {
  /// A driver without settings of its own.
  public init() {}

  /// Connects, at most 3 s for each host unless `connect-timeout` says otherwise. Throws `.unreachable`,
  /// `.refused` or `.badURL`.
  public func open(_ url: StoreURL) throws(DatabaseError) -> any Session {
    let connection = try Self.connect(url)
    let identifier = connection.identifier
    let session = MySQLSession(connection) { Self.kill(identifier, at: url) }
    try session.configure()
    return session
  }

  /// Prepares the library, once in the process; its calls need no set-up for each thread (its
  /// `mysql_thread_init` does nothing), so jobs may move between the threads of a queue.
  private static let isReady = mysql_server_init(0, nil, nil) == 0

  /// A connection without a session, for a listener; like `open` in all else.
  static func connect(_ url: StoreURL) throws(DatabaseError) -> MySQLConnection {
    guard isReady else {
      throw DatabaseError(.other, code: "library", message: "MariaDB's connector can't be initialised")
    }
    let options = try MySQLOptions(url)
    let endpoints: [StoreURL.Endpoint?] = url.endpoints.isEmpty ? [nil] : url.endpoints.map { $0 }
    var failure: DatabaseError?
    for endpoint in endpoints {
      do {
        return try connect(endpoint, options, url)
      } catch {
        failure = error
        if error.kind == .refused { break }
      }
    }
    throw failure ?? DatabaseError(.badURL, code: "url", message: "the store names no host")
  }

  private static func connect(
    _ endpoint: StoreURL.Endpoint?, _ options: MySQLOptions, _ url: StoreURL
  ) throws(DatabaseError) -> MySQLConnection {
    let isLocal = endpoint?.host.hasPrefix("/") ?? true || options.socket != nil
    let wantsTLS = options.tls != .disabled && !(options.tls == .preferred && isLocal)
    do {
      return try connect(endpoint, options, url, withTLS: wantsTLS)
    } catch  where options.tls == .preferred && wantsTLS && error.code == "2026" {
      return try connect(endpoint, options, url, withTLS: false)
    }
  }

  private static func connect(
    _ endpoint: StoreURL.Endpoint?, _ options: MySQLOptions, _ url: StoreURL, withTLS: Bool
  ) throws(DatabaseError) -> MySQLConnection {
    guard let pointer = mysql_init(nil) else {
      throw DatabaseError(
        .other, code: "memory", message: "MariaDB's connector has no memory for a connection")
    }
    let connection = MySQLConnection(pointer)
    var timeout = options.connectTimeout
    mysql_options(pointer, MYSQL_OPT_CONNECT_TIMEOUT, &timeout)
    mysql_options(pointer, MYSQL_SET_CHARSET_NAME, "utf8mb4")
    var off: UInt32 = 0
    mysql_options(pointer, MYSQL_OPT_LOCAL_INFILE, &off)
    if withTLS { useTLS(options, pointer) }
    // Without it the affected rows of an UPDATE leave out those that had the new values already.
    let flags = UInt(CLIENT_FOUND_ROWS)
    let host = endpoint?.host
    let socket = options.socket ?? host.flatMap { $0.hasPrefix("/") ? $0 : nil }
    let connected = url.withPassword { password in
      mysql_real_connect(
        pointer, socket == nil ? host : nil, url.user, password, url.database,
        UInt32(endpoint?.port ?? 0), socket, flags)
    }
    guard connected != nil else {
      throw DatabaseError.mysqlConnect(
        connection.errorNumber, detail: connection.errorText, url: url,
        place: socket ?? endpoint?.description ?? "the default socket")
    }
    connection.keepAlive()
    return connection
  }

  private static func useTLS(_ options: MySQLOptions, _ pointer: UnsafeMutablePointer<MYSQL>) {
    var on: my_bool = 1
    var verifies: my_bool = options.tls.verifies ? 1 : 0
    mysql_options(pointer, MYSQL_OPT_SSL_ENFORCE, &on)
    mysql_options(pointer, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verifies)
    if let file = options.authority { mysql_options(pointer, MYSQL_OPT_SSL_CA, file) }
    if let file = options.certificate { mysql_options(pointer, MYSQL_OPT_SSL_CERT, file) }
    if let file = options.key { mysql_options(pointer, MYSQL_OPT_SSL_KEY, file) }
  }

  /// Stops the statement of another connection. A failure means that the server is gone or lets nobody in;
  /// then the statement ends by itself or with its connection.
  private static func kill(_ identifier: UInt, at url: StoreURL) {
    do { _ = try connect(url).run("KILL QUERY \(identifier)") } catch {}
  }
}
