import Database

/// What the URL of a MySQL store says beyond server, user and database.
struct MySQLOptions {
  /// How far TLS is asked for, in the words of MySQL's own clients.
  enum TLS: String, CaseIterable {
    case disabled = "DISABLED"
    /// TLS if the server has it; whoever sits between can still turn it off.
    case preferred = "PREFERRED"
    case required = "REQUIRED"
    /// The connector checks certificate and host name together, so this is as strict as the next.
    case verifyCA = "VERIFY_CA"
    case verifyIdentity = "VERIFY_IDENTITY"

    var verifies: Bool { self == .verifyCA || self == .verifyIdentity }
  }

  var tls = TLS.preferred
  var authority: String?
  var certificate: String?
  var key: String?
  var socket: String?
  var connectTimeout: UInt32 = 3

  init(_ url: StoreURL) throws(DatabaseError) {
    for (key, value) in url.options {
      switch key {
      case "ssl-mode":
        guard let mode = TLS(rawValue: value.uppercased()) else {
          throw bad("ssl-mode can't be \(value)", TLS.allCases.map(\.rawValue).joined(separator: ", "))
        }
        tls = mode
      case "ssl-ca": authority = value
      case "ssl-cert": certificate = value
      case "ssl-key": self.key = value
      case "socket": socket = value
      case "connect-timeout":
        guard let seconds = UInt32(value), (1...3600).contains(seconds) else {
          throw bad("connect-timeout is not a number of seconds", "1 to 3600")
        }
        connectTimeout = seconds
      case "charset":
        guard value.lowercased() == "utf8mb4" else { throw bad("charset can't be \(value)", "utf8mb4") }
      default:
        throw bad(
          "unknown option \(key)", "ssl-mode, ssl-ca, ssl-cert, ssl-key, socket, connect-timeout or charset")
      }
    }
    if tls.verifies, authority == nil {
      throw bad("ssl-mode=\(tls.rawValue) needs an authority", "ssl-ca=FILE")
    }
  }

  private func bad(_ message: String, _ allowed: String) -> DatabaseError {
    DatabaseError(.badURL, code: "option", message: "the store's options: \(message)", hint: "use \(allowed)")
  }
}
