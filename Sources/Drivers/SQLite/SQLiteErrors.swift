import CSQLite
import Database
import Glibc

extension DatabaseError {
  /// What SQLite's extended result code says; `detail` is SQLite's text, which never holds values.
  static func sqlite(
    _ code: Int32, detail: String, systemError: Int32 = 0, path: String, statement: String? = nil
  ) -> DatabaseError {
    let (kind, message, hint) = explain(code, detail: detail, systemError: systemError, path: path)
    let name = names[code] ?? names[code & 0xff] ?? "SQLITE"
    return DatabaseError(kind, code: "\(name) \(code)", message: message, hint: hint, statement: statement)
  }

  private static func explain(
    _ code: Int32, detail: String, systemError: Int32, path: String
  ) -> (Kind, String, String) {
    let mayBeFull = code & 0xff == SQLITE_IOERR
    if mayBeFull, systemError == ENOSPC || systemError == EDQUOT || code == EVENTOR_SQLITE_IOERR_SHMSIZE {
      return (.diskFull, "no space left for \(path)", "free space on its disk, or run `coordinator db purge`")
    }
    let sameKey = [
      EVENTOR_SQLITE_CONSTRAINT_UNIQUE, EVENTOR_SQLITE_CONSTRAINT_PRIMARYKEY, EVENTOR_SQLITE_CONSTRAINT_ROWID,
    ]
    if sameKey.contains(code) {
      return (.uniqueViolation, "a row with the same key is there already: \(detail)", "")
    }
    switch code & 0xff {
    case SQLITE_BUSY, SQLITE_LOCKED:
      return (.busy, "another program is writing to \(path)", "wait for it, or see which with `fuser`")
    case SQLITE_CONSTRAINT: return (.constraint, detail, "")
    case SQLITE_MISMATCH, SQLITE_TOOBIG, SQLITE_RANGE: return (.constraint, detail, "")
    case SQLITE_FULL:
      return (.diskFull, "no space left for \(path)", "free space on its disk, or run `coordinator db purge`")
    case SQLITE_READONLY:
      return (.readOnly, "\(path) can only be read", "check the owner and mode of the file and its directory")
    case SQLITE_PERM, SQLITE_AUTH:
      return (.refused, "no permission for \(path)", "check the owner and mode of the file and its directory")
    case SQLITE_NOTADB:
      return (.corrupt, "\(path) is not an SQLite database", "name another file, or move this one away")
    case SQLITE_CORRUPT:
      return (.corrupt, "\(path) is damaged", "restore a backup, or try `sqlite3 FILE .recover`")
    case SQLITE_CANTOPEN:
      return (.unreachable, "\(path) can't be opened", "check that its directory exists and may be written")
    case SQLITE_INTERRUPT: return (.cancelled, "the statement was interrupted", "")
    case SQLITE_SCHEMA: return (.serialization, "the schema changed under the statement", "")
    case SQLITE_IOERR:
      return (.other, "reading or writing \(path) failed: \(detail)", "see the kernel's log for its disk")
    case SQLITE_ERROR: return (.syntax, detail, "")
    default: return (.other, detail, "")
    }
  }

  private static let names: [Int32: String] = [
    SQLITE_ERROR: "SQLITE_ERROR", SQLITE_PERM: "SQLITE_PERM", SQLITE_BUSY: "SQLITE_BUSY",
    EVENTOR_SQLITE_BUSY_SNAPSHOT: "SQLITE_BUSY_SNAPSHOT", SQLITE_LOCKED: "SQLITE_LOCKED",
    SQLITE_NOMEM: "SQLITE_NOMEM", SQLITE_READONLY: "SQLITE_READONLY",
    SQLITE_INTERRUPT: "SQLITE_INTERRUPT", SQLITE_IOERR: "SQLITE_IOERR", SQLITE_CORRUPT: "SQLITE_CORRUPT",
    SQLITE_FULL: "SQLITE_FULL", SQLITE_CANTOPEN: "SQLITE_CANTOPEN", SQLITE_SCHEMA: "SQLITE_SCHEMA",
    SQLITE_TOOBIG: "SQLITE_TOOBIG", SQLITE_CONSTRAINT: "SQLITE_CONSTRAINT",
    EVENTOR_SQLITE_CONSTRAINT_UNIQUE: "SQLITE_CONSTRAINT_UNIQUE",
    EVENTOR_SQLITE_CONSTRAINT_PRIMARYKEY: "SQLITE_CONSTRAINT_PRIMARYKEY",
    EVENTOR_SQLITE_CONSTRAINT_NOTNULL: "SQLITE_CONSTRAINT_NOTNULL",
    EVENTOR_SQLITE_CONSTRAINT_CHECK: "SQLITE_CONSTRAINT_CHECK",
    EVENTOR_SQLITE_CONSTRAINT_FOREIGNKEY: "SQLITE_CONSTRAINT_FOREIGNKEY", SQLITE_MISMATCH: "SQLITE_MISMATCH",
    SQLITE_AUTH: "SQLITE_AUTH", SQLITE_RANGE: "SQLITE_RANGE", SQLITE_NOTADB: "SQLITE_NOTADB",
  ]
}
