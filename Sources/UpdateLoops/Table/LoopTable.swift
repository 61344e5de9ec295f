public import Database

/// A loop's table: `id`, `last_updated`, `lock_until` in Unix seconds, and an index over the last two.
public struct LoopTable: Sendable, Hashable {
  /// The table's name.
  public let name: String
  /// What its ids are.
  public let idType: LoopIDType
  /// On MySQL the name of an index by which there is one row for an id; nil if there is none.
  let keyIndex: String?
  /// On MySQL the name of the index over `lock_until`, `last_updated`; nil if it isn't known.
  let turnIndex: String?

  /// Whether statements name indexes.
  var namesIndexes: Bool { keyIndex != nil || turnIndex != nil }
  /// The same for statements that name no index: one may have been renamed, dropped or made invisible since.
  var withoutIndexNames: LoopTable { LoopTable(known: name, idType) }

  /// A table that is to be made.
  ///
  /// - Throws: ``LoopError`` (`invalid`) if the name is no identifier, or one of the step engine's (`ev_…`) or of workloads
  ///   (`wl_…`).
  public init(name: String, idType: LoopIDType) throws(LoopError) {
    try Self.check(name)
    for (prefix, owner) in [("ev_", "the engine's own"), ("wl_", "those of workloads")]
    where name.lowercased().hasPrefix(prefix) {
      throw LoopError(
        .invalid, "loop name '\(name)'", why: "names that begin with \(prefix) are \(owner)",
        mend: "choose another")
    }
    self.init(known: name, idType)
  }

  /// A table that is there.
  init(known name: String, _ idType: LoopIDType, keyIndex: String? = nil, turnIndex: String? = nil) {
    self.name = name
    self.idType = idType
    self.keyIndex = keyIndex
    self.turnIndex = turnIndex
  }

  /// Throws ``LoopError`` if `name` is no identifier: then it would not be sent to a database either.
  static func check(_ name: String) throws(LoopError) {
    guard SQL.isIdentifier(name) else {
      throw LoopError(
        .invalid, "loop name '\(name)'", why: "it is no identifier",
        mend: "use letters, digits, _ and $, at most 63, the first no digit")
    }
  }

  /// The statements that make the table, each without a semicolon; on MySQL the very layout of doloop's own.
  ///
  /// - Throws: ``LoopError`` (`invalid`) for an id type that this database doesn't have.
  public func statements(for dialect: Dialect) throws(LoopError) -> [String] {
    let table = dialect.quote(name)
    let id = try column(dialect)
    switch dialect.kind {
    case .mysql:
      return [
        """
        CREATE TABLE \(table) (
          `id` \(id) NOT NULL,
          `last_updated` INT DEFAULT NULL,
          `lock_until` INT DEFAULT NULL,
          PRIMARY KEY (`id`),
          KEY `lock_until` (`lock_until`, `last_updated`)
        ) ENGINE=InnoDB
        """
      ]
    case .postgresql:
      // Each turn of an id leaves two dead entries at the end of the index where `get` begins: the sooner they are
      // swept up, the fewer it steps over.
      return [
        """
        CREATE TABLE \(table) (
          id \(id) NOT NULL PRIMARY KEY,
          last_updated BIGINT,
          lock_until BIGINT
        ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0)
        """,
        "CREATE INDEX ON \(table) (lock_until, last_updated NULLS FIRST)",
      ]
    case .sqlite:
      // INTEGER PRIMARY KEY is the row's number itself; other keys order the table.
      return [
        """
        CREATE TABLE \(table) (
          id \(id) NOT NULL PRIMARY KEY,
          last_updated INTEGER,
          lock_until INTEGER
        )\(idType.isInteger ? "" : " WITHOUT ROWID")
        """,
        "CREATE INDEX \"\(name)_lock_until\" ON \(table) (lock_until, last_updated)",
      ]
    }
  }

  /// The type of `id`, compared byte by byte.
  private func column(_ dialect: Dialect) throws(LoopError) -> String {
    switch (idType.kind, dialect.kind) {
    case (.integer, .sqlite): return "INTEGER"
    case (.integer, _): return idType == .int ? "INT" : "BIGINT"
    case (.bytes, .sqlite): return "BLOB"
    case (.bytes, .postgresql): return "BYTEA"
    case (.bytes(let limit), .mysql): return "VARBINARY(\(limit ?? 255))"
    case (.text(let limit, let last), let database):
      let length = "(\(limit ?? 255))"
      guard database == .mysql else {
        guard last > 0x7f else {
          throw LoopError(
            .invalid, "id type '\(idType)'", why: "only MySQL has columns for ASCII",
            mend: "use text\(length)")
        }
        return "VARCHAR\(length)" + (database == .postgresql ? " COLLATE \"C\"" : "")
      }
      let word = idType.description.hasPrefix("char") ? "CHAR" : "VARCHAR"
      if last == 0x7f { return "\(word)\(length) CHARACTER SET ascii COLLATE ascii_bin" }
      // Differs by necessity: the order in which 'a' and 'a ' are two has another name in MariaDB and in MySQL, and
      // each reads only the comment that is meant for it.
      return "\(word)\(length) CHARACTER SET utf8mb4 "
        + "/*M!100202 COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */"
    }
  }
}
