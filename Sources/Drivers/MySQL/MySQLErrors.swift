import Database

extension DatabaseError {
  /// What an error number of the server or of the connector says; `detail` is its text, shown only where
  /// that can't quote a value.
  static func mysql(_ number: UInt32, detail: String, statement: String?) -> DatabaseError {
    let (kind, ownMessage, hint) = explain(number, detail)
    return DatabaseError(
      kind, code: "\(number)", message: ownMessage ?? detail, hint: hint, statement: statement)
  }

  /// Why no connection came about.
  static func mysqlConnect(_ number: UInt32, detail: String, url: StoreURL, place: String) -> DatabaseError {
    let user = url.user ?? "the default user"
    let (kind, _, hint) = explain(number, detail)
    switch (number, kind) {
    case (1049, _):
      return DatabaseError(
        .unreachable, code: "\(number)",
        message: "the MySQL server at \(place) has no database \(url.database ?? "")",
        hint: "make it with CREATE DATABASE")
    case (_, .refused):
      return DatabaseError(
        .refused, code: "\(number)", message: "the MySQL server at \(place) refused \(user)",
        hint: "check the password, and the server's grants for this host")
    default:
      return DatabaseError(
        .unreachable, code: "\(number)", message: "no MySQL server at \(place): \(detail)",
        hint: hint.isEmpty ? "check that it runs and that host, port and TLS options are right" : hint)
    }
  }

  /// Whether the number means that the connection is of no use any more.
  static func mysqlIsLoss(_ number: UInt32) -> Bool {
    switch number {
    case 1053, 1077, 1079, 1080, 1152...1161, 1927, 2006, 2013, 2014, 2027, 2055, 4031, 5013, 5014:
      number != 1153
    default: false
    }
  }

  /// The kind by number (mysqld_error.h, errmsg.h), with a text where the server's may quote values.
  private static func explain(_ number: UInt32, _ detail: String) -> (Kind, String?, String) {
    if mysqlIsLoss(number) {
      return (.connectionLost, "the connection to the MySQL server was lost", "see the server's log")
    }
    switch number {
    case 2001...2005, 2009, 2012, 2026: return (.unreachable, nil, "")
    case 1040, 1203, 1226: return (.unreachable, nil, "raise max_connections on the server")
    case 1044, 1045, 1129, 1130, 1142, 1143, 1227, 1370, 1698, 1820, 1862, 1873, 2059, 2061, 3118:
      return (.refused, nil, "grant the permission; `coordinator db grants` shows which are needed")
    case 1213: return (.deadlock, "the transaction was chosen to end a deadlock", "")
    case 1020: return (.serialization, "a row changed since it was read", "")
    case 1205, 3572: return (.lockTimeout, "a lock was not free in time", "")
    case 1022, 1062, 1169, 1586, 1859:
      return (.uniqueViolation, "a row with the same key is there already" + key(number, detail), "")
    case 1048, 1364: return (.constraint, nil, "")  // these two name the column only
    case 1216, 1217, 1451, 1452:
      return (.constraint, "a row that is referred to is missing, or still referred to", "")
    case 3819, 4025: return (.constraint, "a check failed", "")
    case 1264, 1265, 1292, 1366, 1367, 1406, 1411, 1441, 1525, 1690, 3140:
      return (.constraint, "a value does not fit its type or column", "")
    case 1021, 1114: return (.diskFull, "the server has no space left", "free space on the server")
    case 1036, 1290, 1792, 1836: return (.readOnly, nil, "name the server that takes writes")
    case 1317, 1969, 3024: return (.cancelled, "the statement was interrupted", "")
    case 1235, 1295: return (.unsupported, nil, "")
    case 1034, 1194, 1195: return (.corrupt, nil, "restore a backup")
    case 1046, 1050, 1051, 1054, 1060, 1061, 1064, 1091, 1109, 1136, 1146, 1149, 1210, 1305, 1582:
      return (.syntax, nil, "")
    default: return (.other, nil, "")
    }
  }

  /// The key's name, which ends the text of 1062 (`… for key 'NAME'`); the value before it is left out.
  private static func key(_ number: UInt32, _ detail: String) -> String {
    let parts = detail.split(separator: "'", omittingEmptySubsequences: false)
    guard number == 1062, parts.count >= 3, parts.last?.isEmpty == true else { return "" }
    let name = parts[parts.count - 2]
    return name.utf8.count <= 130 ? " (\(name))" : ""
  }
}
