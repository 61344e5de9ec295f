// How the text of a URL becomes its parts (RFC 3986, with libpq's comma-separated hosts).
extension StoreURL {
  /// `PATH`, `///abs/path`, `:memory:`, each with options.
  mutating func readFile(_ rest: Substring) throws(DatabaseError) {
    let (location, query) = Self.split(rest, at: "?")
    var file = location
    if file.hasPrefix("//") {
      file = file.dropFirst(2)
      guard file.hasPrefix("/") || file == ":memory:" else {
        throw Self.bad(
          "sqlite://… with two slashes names a host, and SQLite has none",
          "write sqlite:relative/path or sqlite:///absolute/path")
      }
    }
    let decoded = try Self.decode(file)
    guard !decoded.isEmpty else {
      throw Self.bad("the SQLite store has no path", "write sqlite:PATH or sqlite::memory:")
    }
    path = decoded
    try readOptions(query)
  }

  /// `//user:password@host:port,host:port/database?options`.
  mutating func readServer(_ rest: Substring, scheme: String) throws(DatabaseError) {
    guard rest.hasPrefix("//") else {
      throw Self.bad("\(scheme): needs two slashes", "write \(scheme)://USER@HOST:PORT/DATABASE")
    }
    let (location, query) = Self.split(rest.dropFirst(2), at: "?")
    let (authority, name) = Self.split(location, at: "/")
    var servers = authority
    // The last @ ends the credentials: passwords with a bare @ are common and then still work.
    if let at = authority.lastIndex(of: "@") {
      let (user, password) = Self.split(authority[..<at], at: ":")
      if !user.isEmpty { self.user = try Self.decode(user) }
      if let password { self.password = try Self.decode(password) }
      servers = authority[authority.index(after: at)...]
    }
    for server in servers.split(separator: ",") {
      endpoints.append(try Self.endpoint(server))
    }
    if let name, !name.isEmpty { database = try Self.decode(name) }
    try readOptions(query)
    if let host = options.removeValue(forKey: "host") {
      let port = try options.removeValue(forKey: "port").map(Self.port)
      endpoints = [Endpoint(host: host, port: port ?? endpoints.first?.port)]
    }
  }

  private mutating func readOptions(_ query: Substring?) throws(DatabaseError) {
    for pair in (query ?? "").split(separator: "&") {
      let (rawKey, rawValue) = Self.split(pair, at: "=")
      var key = try Self.decode(rawKey)
      guard let rawValue else {
        throw Self.bad("the option \(key) of the store has no value", "write \(key)=VALUE")
      }
      if kind == .mysql { key = String(key.map { $0 == "_" ? "-" : $0 }) }
      options[key] = try Self.decode(rawValue)
    }
  }

  private static func endpoint(_ text: Substring) throws(DatabaseError) -> Endpoint {
    if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
      let host = String(text[text.index(after: text.startIndex)..<end])
      let tail = text[text.index(after: end)...]
      return Endpoint(host: host, port: tail.hasPrefix(":") ? try port(String(tail.dropFirst())) : nil)
    }
    let (host, number) = split(text, at: ":")
    return Endpoint(
      host: try decode(host), port: try number.map { (n) throws(DatabaseError) in try port(String(n)) })
  }

  private static func port(_ text: String) throws(DatabaseError) -> Int {
    guard let number = Int(text), (1...65535).contains(number) else {
      throw bad("the store's port is not a number from 1 to 65535", schemesHint)
    }
    return number
  }

  private static func split(_ text: Substring, at separator: Character) -> (Substring, Substring?) {
    guard let place = text.firstIndex(of: separator) else { return (text, nil) }
    return (text[..<place], text[text.index(after: place)...])
  }

  /// Replaces `%41` by `A`; `+` stays itself.
  private static func decode(_ text: Substring) throws(DatabaseError) -> String {
    guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      let digits = String(Substring(rest.prefix(2)))
      guard digits.utf8.count == 2, digits.first != "+", let decoded = UInt8(digits, radix: 16), decoded != 0
      else {
        throw bad(
          "the store's URL has a % that is not followed by two hexadecimal digits", "write %25 for a %")
      }
      bytes.append(decoded)
      rest = rest.dropFirst(2)
    }
    guard let decoded = String(validating: bytes, as: UTF8.self) else {
      throw bad("the store's URL is not UTF-8 after percent-decoding")
    }
    return decoded
  }
}
