import Digest
import Glibc

/// Lets one migrator through after the other.
///
/// PostgreSQL and MySQL hold a named lock for the whole migration, which ends with the connection; SQLite
/// needs none, as each migration begins by taking the file's write lock.
struct MigrationLock {
  /// Seconds to wait for another migrator before giving up; a large ALTER may take a while.
  static let patience = 300

  let table: String

  func acquire(_ session: any Session) throws(DatabaseError) {
    switch session.dialect.kind {
    case .sqlite: break
    case .postgresql:
      // Two databases have separate advisory locks, two schemas don't: they share a key and take turns.
      _ = try session.query("SELECT pg_advisory_lock(\(key))")
    case .mysql:
      let got = try session.query("SELECT GET_LOCK(\(name(session)), \(Self.patience))")
      guard try got.first?.optionalInt(0) == 1 else {
        throw DatabaseError(
          .lockTimeout, code: "GET_LOCK",
          message: "another program has been migrating this database for \(Self.patience) seconds",
          hint: "wait for it, or end it")
      }
    }
  }

  func release(_ session: any Session) {
    guard !session.isBroken else { return }
    // Failing to release means that the connection is gone, and the lock with it.
    switch session.dialect.kind {
    case .sqlite: break
    case .postgresql: _ = try? session.query("SELECT pg_advisory_unlock(\(key))")
    case .mysql: _ = try? session.query("SELECT RELEASE_LOCK(\(name(session)))")
    }
  }

  private var key: Int64 {
    Digest(of: "eventor migration \(table)".utf8).bytes.prefix(8).reduce(0) { $0 << 8 | Int64($1) }
  }

  /// MySQL's lock names are the server's, at most 64 characters: the database is part of the hash.
  private func name(_ session: any Session) -> String {
    let database = (try? session.query("SELECT DATABASE()").first?.optionalText(0)) ?? ""
    return "eventor." + Digest(of: "\(database).\(table)".utf8).hexadecimal.prefix(48)
  }
}

extension Session {
  /// Begins a write; on SQLite others may hold the file for long, so for up to 30 s. Blocks its thread.
  func beginPatiently() throws(DatabaseError) {
    var tries = 0
    while true {
      do {
        return try begin(.write)
      } catch  where error.kind == .busy && tries < 300 {
        tries += 1
        usleep(100_000)
      }
    }
  }
}
