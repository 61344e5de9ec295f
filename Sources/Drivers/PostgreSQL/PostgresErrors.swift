import CPostgres
import Database

extension DatabaseError {
  /// What a result says went wrong, by its SQLSTATE.
  static func postgres(_ result: PostgresResult, statement: String?) -> DatabaseError {
    let state = result.field(EVENTOR_PG_DIAG_SQLSTATE) ?? "XX000"
    let primary = result.field(EVENTOR_PG_DIAG_MESSAGE_PRIMARY) ?? "the server gave no reason"
    let (kind, ownMessage, hint) = explain(state)
    var message = ownMessage ?? primary
    // The server's texts of these two classes quote values; names are given in fields of their own.
    if state.hasPrefix("22") || state.hasPrefix("23") {
      message = ownMessage ?? "a value does not fit its type or column"
      if let constraint = result.field(EVENTOR_PG_DIAG_CONSTRAINT_NAME) { message += " (\(constraint))" }
      if let table = result.field(EVENTOR_PG_DIAG_TABLE_NAME) { message += " in table \(table)" }
      if let column = result.field(EVENTOR_PG_DIAG_COLUMN_NAME) { message += ", column \(column)" }
    }
    return DatabaseError(kind, code: state, message: message, hint: hint, statement: statement)
  }

  /// Why no connection came about: the server's SQLSTATE if one answered, else libpq's own text.
  static func postgresConnect(_ state: String?, text: String, url: StoreURL, place: String) -> DatabaseError {
    let user = url.user ?? "the default user"
    let database = url.database ?? url.user ?? "the default database"
    guard let state else {
      return DatabaseError(
        .unreachable, code: "connect", message: "no PostgreSQL server at \(place): \(text)",
        hint: "check that it runs and that host, port and TLS options are right")
    }
    switch state {
    case "28P01", "28000":
      return DatabaseError(
        .refused, code: state, message: "the PostgreSQL server at \(place) refused \(user)",
        hint: "check the password, and the server's pg_hba.conf")
    case "3D000":
      return DatabaseError(
        .unreachable, code: state, message: "the PostgreSQL server at \(place) has no database \(database)",
        hint: "make it with `createdb`")
    default:
      let (kind, message, hint) = explain(state)
      return DatabaseError(
        kind == .refused ? .refused : .unreachable, code: state,
        message: "the PostgreSQL server at \(place) accepts no connection"
          + (message.map { ": \($0)" } ?? ""),
        hint: hint)
    }
  }

  /// The kind by SQLSTATE (manual, appendix A), with a text where the server's may quote values.
  private static func explain(_ state: String) -> (Kind, String?, String) {
    switch state {
    case "28P01", "28000": return (.refused, nil, "check user and password")
    case "42501":
      return (.refused, nil, "grant the permission; `coordinator db grants` shows which are needed")
    case "57P01", "57P02": return (.connectionLost, "the server ended the connection", "")
    case "57P03": return (.unreachable, "the server is starting or stopping", "wait a moment")
    case "53300": return (.unreachable, "the server has no connection left", "raise max_connections")
    case "57014": return (.cancelled, "the statement was interrupted", "")
    case "40P01": return (.deadlock, nil, "")
    case "40001", "40003": return (.serialization, nil, "")
    case "55P03": return (.lockTimeout, nil, "")
    case "23505": return (.uniqueViolation, "a row with the same key is there already", "")
    case "23502": return (.constraint, "a value is missing", "")
    case "23503": return (.constraint, "a row that is referred to is missing, or still referred to", "")
    case "23514": return (.constraint, "a check failed", "")
    case "53100": return (.diskFull, "the server has no disk space left", "free space on the server")
    case "25006":
      return (.readOnly, nil, "name the server that takes writes, or `target_session_attrs=read-write`")
    case "0A000": return (.unsupported, nil, "")
    case "XX001", "XX002": return (.corrupt, nil, "restore a backup")
    default: break
    }
    switch state.prefix(2) {
    case "08": return (.connectionLost, nil, "")
    case "22", "23": return (.constraint, nil, "")
    case "42", "3F", "26": return (.syntax, nil, "")
    case "28": return (.refused, nil, "check user and password")
    case "57": return (.connectionLost, nil, "")
    default: return (.other, nil, "")
    }
  }
}
