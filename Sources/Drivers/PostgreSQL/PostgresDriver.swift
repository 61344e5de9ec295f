import CPostgres
public import Database
import Glibc

/// Connects to PostgreSQL with libpq.
///
/// Every connection option of libpq may stand in the URL (`sslmode`, `sslrootcert`, `connect_timeout`, …),
/// and `schema`, which becomes the search path. Of several hosts each is tried on its own, in order.
public struct PostgresDriver: Driver {
  /// A driver without settings of its own.
  public init() {}

  /// Connects, at most 3 s for each host unless `connect_timeout` says otherwise. Throws `.unreachable`,
  /// `.refused` or `.badURL`.
  public func open(_ url: StoreURL) throws(DatabaseError) -> any Session {
    let schema = url.options["schema"]
    if let schema, !SQL.isIdentifier(schema) {
      throw badOption("schema is not an identifier", "use letters, digits and _")
    }
    return try connect(url) { (connection) throws(DatabaseError) in
      let session = PostgresSession(connection)
      try session.configure(schema: schema)
      return session
    }
  }

  /// A connection without a session, for a listener; like `open` in all else.
  func connect(_ url: StoreURL) throws(DatabaseError) -> PostgresConnection {
    try connect(url) { $0 }
  }

  private func connect<T>(
    _ url: StoreURL, _ setUp: (PostgresConnection) throws(DatabaseError) -> T
  ) throws(DatabaseError) -> T {
    let settings = try settings(url)
    let endpoints: [StoreURL.Endpoint?] = url.endpoints.isEmpty ? [nil] : url.endpoints.map { $0 }
    var failure: DatabaseError?
    for endpoint in endpoints {
      do {
        return try setUp(try connect(endpoint, settings, url))
      } catch {
        failure = error
        // A server that knows us and says no is an answer; the others may still be reached.
        if error.kind == .refused || error.kind == .badURL { break }
      }
    }
    throw failure ?? badOption("no host", "")
  }

  /// Seconds to wait for a connection to one host.
  static let defaultTimeout = 3

  private func settings(_ url: StoreURL) throws(DatabaseError) -> [String: String] {
    var settings = [
      "client_encoding": "UTF8", "application_name": "eventor", "connect_timeout": "\(Self.defaultTimeout)",
      // A host that vanished is noticed within about half a minute, not in hours.
      "keepalives": "1", "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3",
      "tcp_user_timeout": "30000",
    ]
    settings["user"] = url.user
    settings["dbname"] = url.database
    let known = Self.knownOptions()
    for (key, value) in url.options where key != "schema" {
      guard known.contains(key) else {
        throw badOption("unknown option \(key)", "PostgreSQL stores know schema and libpq's options")
      }
      if let allowed = Self.allowedValues[key], !allowed.contains(value) {
        throw badOption("\(key) can't be \(value)", "use one of \(allowed.joined(separator: ", "))")
      }
      settings[key] = value
    }
    guard Int(settings["connect_timeout"] ?? "") != nil else {
      throw badOption("connect_timeout is not a number of seconds", "")
    }
    return settings
  }

  private static let allowedValues = [
    "sslmode": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
    "channel_binding": ["disable", "prefer", "require"],
    "gssencmode": ["disable", "prefer", "require"],
    "target_session_attrs": ["any", "read-write", "read-only", "primary", "standby", "prefer-standby"],
  ]

  /// The options of the libpq that is loaded.
  private static func knownOptions() -> Set<String> {
    guard let defaults = PQconndefaults() else { return [] }
    defer { PQconninfoFree(defaults) }
    var names: Set<String> = []
    var option = defaults
    while let keyword = option.pointee.keyword {
      names.insert(String(cString: keyword))
      option += 1
    }
    return names
  }

  private func badOption(_ message: String, _ hint: String) -> DatabaseError {
    DatabaseError(.badURL, code: "option", message: "the store's options: \(message)", hint: hint)
  }

  private func connect(
    _ endpoint: StoreURL.Endpoint?, _ settings: [String: String], _ url: StoreURL
  ) throws(DatabaseError) -> PostgresConnection {
    var settings = settings
    settings["host"] = endpoint?.host
    settings["port"] = endpoint?.port.map(String.init)
    let place = endpoint?.description ?? "the default socket"
    guard let pointer = Self.start(settings, url) else {
      throw DatabaseError(.other, code: "memory", message: "libpq has no memory for a connection")
    }
    // libpq keeps the SQLSTATE of a refused connection to itself, except in this form of its error text.
    PQsetErrorVerbosity(pointer, PQERRORS_SQLSTATE)
    let connection = PostgresConnection(pointer)
    let seconds = max(1, settings["connect_timeout"].flatMap { Int($0) } ?? Self.defaultTimeout)
    let deadline = ContinuousClock.now + .seconds(seconds)
    // Driven by hand because libpq's blocking call builds its error text before it can be asked for the code.
    var state = PQstatus(pointer) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING
    while state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING {
      let events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT
      guard Self.wait(PQsocket(pointer), for: Int16(events), until: deadline) else {
        throw DatabaseError.postgresConnect(
          nil, text: "no answer within \(seconds) s", url: url, place: place)
      }
      state = PQconnectPoll(pointer)
    }
    guard state == PGRES_POLLING_OK else {
      let text = connection.errorText
      throw DatabaseError.postgresConnect(Self.state(in: text), text: text, url: url, place: place)
    }
    PQsetErrorVerbosity(pointer, PQERRORS_DEFAULT)
    connection.prepareCancelling()
    return connection
  }

  /// The password goes from where it is kept to libpq, which wipes its copy with the connection; an option `password`
  /// that stands in the URL too comes first, and libpq takes the last.
  private static func start(_ settings: [String: String], _ url: StoreURL) -> OpaquePointer? {
    let keys = settings.keys.sorted()
    let keywords = keys.map { strdup($0) }
    let values = keys.map { strdup(settings[$0] ?? "") }
    defer { for text in keywords + values { free(text) } }
    return "password".withCString { name in
      url.withPassword { password in
        PQconnectStartParams(
          keywords.map { UnsafePointer($0) } + [password == nil ? nil : name, nil],
          values.map { UnsafePointer($0) } + [password, nil], 0)
      }
    }
  }

  private static func wait(_ socket: Int32, for events: Int16, until deadline: ContinuousClock.Instant)
    -> Bool
  {
    while true {
      let left = (deadline - ContinuousClock.now) / Duration.milliseconds(1)
      guard left > 0 else { return false }
      var descriptor = pollfd(fd: socket, events: events, revents: 0)
      let ready = poll(&descriptor, 1, Int32(left.rounded(.up)))
      if ready > 0 || (ready < 0 && errno != EINTR) { return true }
    }
  }

  /// The SQLSTATE in an error text of `PQERRORS_SQLSTATE`, which ends with `FATAL:  28P01`.
  private static func state(in text: String) -> String? {
    let words = text.split(separator: " ")
    guard let last = words.last, last.utf8.count == 5, words.dropLast().last?.hasSuffix(":") == true,
      last.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) })
    else { return nil }
    return String(last)
  }
}
