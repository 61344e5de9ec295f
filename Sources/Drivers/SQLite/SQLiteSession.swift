import CSQLite
import Database
import Glibc

/// A connection to an SQLite file or memory database.
final class SQLiteSession: Session {
  let dialect = Dialect(.sqlite)
  let interrupter: Interrupter
  private let connection: SQLiteConnection
  private let path: String
  private var statements = StatementCache<SQLiteStatement>()
  private var transaction: TransactionKind?
  private var isStreaming = false

  init(_ connection: SQLiteConnection, path: String) {
    self.connection = connection
    self.path = path
    interrupter = Interrupter { connection.interrupt() }
  }

  deinit {
    statements.removeAll()
    connection.close()
  }

  var isInTransaction: Bool { transaction != nil }
  var isBroken: Bool { !connection.isOpen }
  /// How many prepared statements are kept.
  var cachedStatements: Int { statements.count }

  /// Sets the connection up; called once.
  func configure(synchronous: String, isMemory: Bool) throws(DatabaseError) {
    try executeScript("PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF")
    guard !isMemory else { return }
    try useWriteAheadLog()
    try executeScript("PRAGMA synchronous = \(synchronous)")
  }

  func query(_ sql: SQL) throws(DatabaseError) -> [Row] {
    var rows: [Row] = []
    try run(sql) { rows.append($0.row()) }
    return rows
  }

  func execute(_ sql: SQL) throws(DatabaseError) -> Int {
    let before = sqlite3_total_changes64(connection.pointer)
    let isReadOnly = try run(sql) { _ in }
    // changes() would repeat the count of an earlier statement; the total includes what foreign keys did.
    guard !isReadOnly, sqlite3_total_changes64(connection.pointer) != before else { return 0 }
    return Int(sqlite3_changes64(connection.pointer))
  }

  func each(_ sql: SQL, _ body: (Row) throws -> Void) throws {
    var failure: (any Error)?
    try run(sql) { statement in
      guard failure == nil else { return }
      isStreaming = true
      defer { isStreaming = false }
      do { try body(statement.row()) } catch { failure = error }
    } until: {
      failure != nil
    }
    if let failure { throw failure }
  }

  func executeScript(_ text: String) throws(DatabaseError) {
    try ready()
    if transaction == .read { throw readOnlyError(text) }
    let code = sqlite3_exec(connection.pointer, text, nil, nil, nil)
    guard code == SQLITE_OK else { throw error(code, text) }
  }

  func begin(_ kind: TransactionKind) throws(DatabaseError) {
    guard transaction == nil else {
      throw DatabaseError(.unsupported, code: "nested", message: "a transaction is open already")
    }
    try run(kind == .read ? "BEGIN DEFERRED" : "BEGIN IMMEDIATE") { _ in }
    transaction = kind
  }

  func commit() throws(DatabaseError) {
    try run("COMMIT") { _ in }
    transaction = nil
  }

  func rollback() {
    transaction = nil
    // Some errors (disk full, interrupted write) have rolled back already.
    guard connection.isOpen, sqlite3_get_autocommit(connection.pointer) == 0 else { return }
    if sqlite3_exec(connection.pointer, "ROLLBACK", nil, nil, nil) != SQLITE_OK { sever() }
  }

  func sever() {
    statements.removeAll()
    connection.close()
  }

  /// Runs a statement, handing over each row; returns whether it could only read.
  @discardableResult
  private func run(
    _ sql: SQL, row: (SQLiteStatement) -> Void, until isDone: () -> Bool = { false }
  ) throws(DatabaseError) -> Bool {
    try ready()
    try sql.validate()
    let statement = try prepare(sql.text)
    if transaction == .read, !statement.isReadOnly { throw readOnlyError(sql.text) }
    defer { statement.reset() }
    let bound = statement.bind(sql.values)
    guard bound == SQLITE_OK else {
      throw DatabaseError.sqlite(
        bound,
        detail: "the statement needs another number of values than \(sql.values.count), or smaller ones",
        path: path, statement: sql.text)
    }
    while true {
      let code = statement.step()
      switch code {
      case SQLITE_ROW:
        row(statement)
        if isDone() { return statement.isReadOnly }
      case SQLITE_DONE: return statement.isReadOnly
      default: throw error(code, sql.text)
      }
    }
  }

  private func prepare(_ text: String) throws(DatabaseError) -> SQLiteStatement {
    if let statement = statements.find(text) { return statement }
    let (code, pointer, isSingle) = text.withCString { start in
      var pointer: OpaquePointer?
      var tail: UnsafePointer<CChar>?
      let code = sqlite3_prepare_v3(
        connection.pointer, start, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &pointer, &tail)
      // What follows the first statement must prepare to nothing: spaces, semicolons, comments.
      var second: OpaquePointer?
      let isSingle =
        code != SQLITE_OK
        || (sqlite3_prepare_v2(connection.pointer, tail, -1, &second, nil) == SQLITE_OK && second == nil)
      sqlite3_finalize(second)
      return (code, pointer, isSingle)
    }
    guard code == SQLITE_OK else { throw error(code, text) }
    guard let pointer else { throw syntaxError("the statement is empty", text) }
    let statement = SQLiteStatement(pointer)
    guard isSingle else { throw syntaxError("a script was given where one statement was expected", text) }
    _ = statements.keep(statement, for: text)  // the evicted one is freed by its deinit
    return statement
  }

  private func ready() throws(DatabaseError) {
    guard connection.isOpen else {
      throw DatabaseError(
        .connectionLost, code: "closed", message: "the connection to \(path) is closed",
        certainlyDidNotHappen: true)
    }
    if isStreaming {
      throw DatabaseError(
        .unsupported, code: "streaming", message: "a session can't be used while it hands rows over")
    }
    if !interrupter.isInterrupted { connection.isInterrupted.store(false, ordering: .relaxed) }
    try interrupter.check()
    if transaction != nil, sqlite3_get_autocommit(connection.pointer) != 0 {
      throw DatabaseError(
        .other, code: "rolled back", message: "the transaction was rolled back by an earlier error")
    }
  }

  private func error(_ code: Int32, _ text: String) -> DatabaseError {
    DatabaseError.sqlite(
      code, detail: String(cString: sqlite3_errmsg(connection.pointer)),
      systemError: sqlite3_system_errno(connection.pointer), path: path, statement: text)
  }

  private func syntaxError(_ message: String, _ text: String) -> DatabaseError {
    DatabaseError(.syntax, code: "SQLITE_ERROR", message: message, statement: text)
  }

  private func readOnlyError(_ text: String) -> DatabaseError {
    DatabaseError(
      .readOnly, code: "SQLITE_READONLY", message: "a transaction for reading can't write", statement: text)
  }

  /// Changing to WAL needs the file alone and does not call the busy handler: several programs that open a
  /// new file at once take turns here.
  private func useWriteAheadLog() throws(DatabaseError) {
    var tries = 0
    while true {
      do throws(DatabaseError) {
        if try query("PRAGMA journal_mode").first?.text(0) == "wal" { return }
        guard try query("PRAGMA journal_mode = WAL").first?.text(0) == "wal" else {
          throw DatabaseError(
            .unsupported, code: "journal_mode", message: "\(path) can't use a write-ahead log",
            hint: "put it on a local disk that allows shared memory")
        }
        return
      } catch  where error.kind == .busy && tries < connection.busyTimeout / 10 {
        tries += 1
        usleep(UInt32.random(in: 5_000...15_000))
      } catch  where error.kind == .readOnly {
        return  // a read-only file in rollback mode can still be read; writes say so themselves
      }
    }
  }
}
