import Digest
import Glibc

/// Brings a schema forward, and never back.
///
/// Each migration runs in a transaction of its own and is recorded, with the digest of its statements, in
/// the same. Any number of migrators may run at once: the database lets one after the other through.
public struct Migrator: Sendable {
  private let table: String
  private let migrations: [Migration]

  /// A migrator that keeps its record in `table`; the numbers must rise.
  public init(table: String = "ev_migration", migrations: [Migration]) {
    self.table = table
    self.migrations = migrations.sorted { $0.number < $1.number }
  }

  /// Applies what is missing and returns the numbers applied here; one SELECT when nothing is.
  ///
  /// Blocks while another migrator works. Throws `.tooNew` if the database has migrations unknown here,
  /// `.corrupt` if an applied one was changed since, and what the statements throw.
  @discardableResult
  public func migrate(_ session: any Session) throws(DatabaseError) -> [Int] {
    if let record = try recordIfThere(session), try pending(record, session.dialect) == nil { return [] }
    let lock = MigrationLock(table: table)
    try lock.acquire(session)
    do {
      try createRecord(session)
      var numbers: [Int] = []
      while let number = try applyPatiently(session) { numbers.append(number) }
      lock.release(session)
      return numbers
    } catch {
      lock.release(session)
      throw error
    }
  }

  /// The migrations this database has; empty for a fresh one.
  public func status(_ session: any Session) throws(DatabaseError) -> [AppliedMigration] {
    try recordIfThere(session) ?? []
  }

  /// What ``migrate(_:)`` would run from after `from` to `to`, for people who run it themselves.
  public func script(_ dialect: Dialect, from: Int = 0, to: Int = .max) -> String {
    var lines = [from < 1 ? createTable(dialect) + ";\n" : ""]
    for migration in migrations where migration.number > from && migration.number <= to {
      lines.append("-- \(migration.number): \(migration.name)")
      if dialect.hasTransactionalDDL { lines.append("BEGIN;") }
      let statements = migration.statements(dialect)
      lines += statements.map { $0 + ";" }
      let name = migration.name.replacing("'", with: "''")
      lines.append(
        "INSERT INTO \(table) (number, name, digest, applied_at, done) VALUES (\(migration.number), '\(name)', "
          + "'\(migration.digest(dialect))', \(scriptNow(dialect)), \(statements.count));")
      lines.append(dialect.hasTransactionalDDL ? "COMMIT;\n" : "")
    }
    return lines.joined(separator: "\n")
  }

  // MARK: The record

  private func createTable(_ dialect: Dialect) -> String {
    """
    CREATE TABLE IF NOT EXISTS \(dialect.quote(table)) (number BIGINT NOT NULL PRIMARY KEY, \
    name \(dialect.keyText()) NOT NULL, digest \(dialect.keyText(64)) NOT NULL, applied_at BIGINT, \
    done BIGINT NOT NULL)\(dialect.tableOptions)
    """
  }

  private func createRecord(_ session: any Session) throws(DatabaseError) {
    if session.dialect.kind == .postgresql {
      // The driver leaves the name of the URL's schema in this setting; NULL or empty without one.
      let schema = try session.query("SELECT current_setting('eventor.schema', true)").first?.optionalText(0)
      if let schema, !schema.isEmpty,
        try session.query("SELECT 1 FROM pg_namespace WHERE nspname = \(schema)").isEmpty
      {
        try session.executeScript("CREATE SCHEMA IF NOT EXISTS \(session.dialect.quote(schema))")
      }
      // Asked first because CREATE TABLE IF NOT EXISTS needs the right to create even if the table exists.
      if try recordIfThere(session) != nil { return }
    }
    try session.executeScript(createTable(session.dialect))
  }

  /// Nil if there is no record table yet.
  private func recordIfThere(_ session: any Session) throws(DatabaseError) -> [AppliedMigration]? {
    do {
      return try record(session)
    } catch  where error.kind == .syntax && !session.isInTransaction {
      return nil  // "no such table" has no code of its own in SQLite; any other mistake shows in CREATE
    }
  }

  private func record(_ session: any Session) throws(DatabaseError) -> [AppliedMigration] {
    try session.query(
      "SELECT number, name, digest, applied_at, done FROM \(identifier: table) ORDER BY number"
    ).map { row throws(DatabaseError) in
      AppliedMigration(
        number: try row.int(0), name: try row.text(1), digest: try row.text(2),
        appliedAt: try row.optionalInteger(3), statementsDone: try row.int(4))
    }
  }

  /// The first migration that is not done, after checking that the history is ours.
  private func pending(
    _ record: [AppliedMigration], _ dialect: Dialect
  ) throws(DatabaseError) -> (migration: Migration, statementsDone: Int)? {
    if let newest = record.last?.number, newest > migrations.last?.number ?? 0 {
      throw DatabaseError(
        .tooNew, code: "migration \(newest)",
        message: "this database was made by a newer version of this program (migration \(newest))",
        hint: "upgrade this program")
    }
    let applied = Dictionary(record.map { ($0.number, $0) }) { first, _ in first }
    var next: (Migration, Int)?
    for migration in migrations {
      guard let past = applied[migration.number] else {
        if next == nil { next = (migration, 0) }
        continue
      }
      guard past.digest == migration.digest(dialect) else {
        throw DatabaseError(
          .corrupt, code: "migration \(migration.number)",
          message:
            "migration \(migration.number) (\(past.name)) was applied with other statements than this program has",
          hint: "use the program version that made this database, or a newer release of it")
      }
      if past.appliedAt == nil, next == nil { next = (migration, past.statementsDone) }
    }
    return next
  }

  // MARK: Applying

  /// On PostgreSQL whoever waits for a table keeps everybody waiting who comes after: agents would lose their locks behind a
  /// migration that waits for somebody's long report. So it waits a moment only, lets them go first, and tries again.
  private func applyPatiently(_ session: any Session) throws(DatabaseError) -> Int? {
    var attempt = 1
    while true {
      do {
        return try applyNext(session)
      } catch  where Self.isInTheWay(error) && session.dialect.kind == .postgresql {
        guard attempt < Self.mostAttempts else {
          throw DatabaseError(
            error.kind, code: error.code,
            message:
              "the schema can't be brought forward: others use its tables all the time (\(error.message))",
            hint: "end long transactions (pg_stat_activity shows them), and try again")
        }
        attempt += 1
        usleep(1_000_000)
      }
    }
  }

  private static let mostAttempts = 30

  private static func isInTheWay(_ error: DatabaseError) -> Bool {
    error.kind == .lockTimeout || error.kind == .deadlock || error.kind == .serialization
  }

  private func applyNext(_ session: any Session) throws(DatabaseError) -> Int? {
    try session.beginPatiently()
    do {
      if session.dialect.kind == .postgresql { try session.executeScript("SET LOCAL lock_timeout = '2s'") }
      guard let (migration, done) = try pending(try record(session), session.dialect) else {
        session.rollback()
        return nil
      }
      if session.dialect.hasTransactionalDDL {
        try applyAtOnce(migration, session)
      } else {
        try session.commit()
        try applyStepwise(migration, after: done, session)
      }
      return migration.number
    } catch {
      if session.isInTransaction { session.rollback() }
      throw error
    }
  }

  private func applyAtOnce(_ migration: Migration, _ session: any Session) throws(DatabaseError) {
    let statements = migration.statements(session.dialect)
    for statement in statements { try session.executeScript(statement) }
    try session.execute(
      """
      INSERT INTO \(identifier: table) (number, name, digest, applied_at, done)
      VALUES (\(migration.number), \(migration.name), \(migration.digest(session.dialect)),
              \(raw: session.dialect.now), \(statements.count))
      """)
    try session.commit()
  }

  /// Differs by necessity: MySQL commits DDL by itself, so the progress is recorded statement by statement.
  private func applyStepwise(
    _ migration: Migration, after done: Int, _ session: any Session
  ) throws(DatabaseError) {
    let statements = migration.statements(session.dialect)
    if done == 0 {
      _ = try session.insert(
        into: table, columns: ["number", "name", "digest", "done"],
        rows: [
          [
            .integer(Int64(migration.number)), .text(migration.name),
            .text(migration.digest(session.dialect)), .integer(0),
          ]
        ], ignoringConflicts: true)
    }
    for (index, statement) in statements.enumerated().dropFirst(done) {
      try session.executeScript(statement)
      try session.execute(
        "UPDATE \(identifier: table) SET done = \(index + 1) WHERE number = \(migration.number)")
    }
    try session.execute(
      """
      UPDATE \(identifier: table) SET applied_at = \(raw: session.dialect.now)
      WHERE number = \(migration.number)
      """)
  }

  /// The command line tool of SQLite does not know `eventor_now`.
  private func scriptNow(_ dialect: Dialect) -> String {
    dialect.kind == .sqlite
      ? "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)" : dialect.now
  }
}
