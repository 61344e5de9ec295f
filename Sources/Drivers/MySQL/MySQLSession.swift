import CMySQL
import Database

/// A connection to MySQL or MariaDB.
final class MySQLSession: Session {
  let dialect = Dialect(.mysql)
  let interrupter: Interrupter
  private let connection: MySQLConnection
  private var statements = StatementCache<MySQLStatement>()
  private var isStreaming = false
  private var wasLost = false
  /// A deadlock rolled the transaction back while its owner may still believe in it.
  private var wasRolledBack = false
  private(set) var isInTransaction = false

  init(_ connection: MySQLConnection, kill: @escaping @Sendable () -> Void) {
    self.connection = connection
    interrupter = Interrupter(wake: kill)
  }

  deinit {
    statements.removeAll()  // before the connection, so that the server is told
  }

  /// An interrupted session counts as broken: a KILL may still be on its way, and would hit the next
  /// statement.
  var isBroken: Bool {
    if wasLost || interrupter.isInterrupted { return true }
    if !isStreaming, connection.hasLeft { wasLost = true }
    return wasLost
  }

  /// How many prepared statements are kept.
  var cachedStatements: Int { statements.count }

  /// Sets the connection up; called once.
  func configure() throws(DatabaseError) {
    try simple("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    try simple(
      """
      SET SESSION time_zone = '+00:00', innodb_lock_wait_timeout = 10, autocommit = 1,
      sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'
      """)
  }

  func query(_ sql: SQL) throws(DatabaseError) -> [Row] {
    var rows: [Row] = []
    let problem = try stream(sql) { row in
      rows.append(row)
      return nil
    }
    if let problem = problem as? DatabaseError { throw problem }
    return rows
  }

  func execute(_ sql: SQL) throws(DatabaseError) -> Int {
    guard let statement = try start(sql) else { return 0 }
    defer { statement.finish() }
    return statement.hasRows ? 0 : max(0, statement.affectedRows)
  }

  func each(_ sql: SQL, _ body: (Row) throws -> Void) throws {
    let problem = try stream(sql) { row in
      do {
        try body(row)
        return nil
      } catch {
        return error
      }
    }
    if let problem { throw problem }
  }

  func executeScript(_ text: String) throws(DatabaseError) {
    try ready()
    // Off except here: with it on, a mistake in quoting elsewhere could carry a second statement.
    let hasSeveral = text.dropLast().contains(";")
    if hasSeveral, mysql_set_server_option(connection.pointer, MYSQL_OPTION_MULTI_STATEMENTS_ON) != 0 {
      throw failure(text)
    }
    defer {
      if hasSeveral { mysql_set_server_option(connection.pointer, MYSQL_OPTION_MULTI_STATEMENTS_OFF) }
    }
    try simple(text)
  }

  func begin(_ kind: TransactionKind) throws(DatabaseError) {
    try ready()
    guard !isInTransaction else {
      throw DatabaseError(.unsupported, code: "nested", message: "a transaction is open already")
    }
    do {
      try simple("START TRANSACTION " + (kind == .read ? "READ ONLY" : "READ WRITE"))
    } catch {
      throw error.nothingHappened(if: error.kind == .connectionLost)
    }
    isInTransaction = true
    wasRolledBack = false
  }

  func commit() throws(DatabaseError) {
    try ready()
    // Seen before COMMIT is sent, a loss is certain: the server rolls back.
    if connection.hasLeft {
      wasLost = true
      throw lost("COMMIT")
    }
    do {
      try simple("COMMIT")
    } catch {
      if wasLost { throw .outcomeUnknown(code: error.code) }
      throw error
    }
    isInTransaction = false
  }

  func rollback() {
    isInTransaction = false
    wasRolledBack = false
    guard !isBroken else { return }
    do { try simple("ROLLBACK") } catch { wasLost = true }
  }

  func sever() {
    connection.sever()
  }

  // MARK: Statements

  private func ready() throws(DatabaseError) {
    try interrupter.check()
    if isStreaming {
      throw DatabaseError(
        .unsupported, code: "streaming", message: "a session can't be used while it hands rows over")
    }
    if wasLost { throw lost(nil) }
    if wasRolledBack {
      throw DatabaseError(
        .deadlock, code: "1213", message: "the transaction was rolled back by an earlier deadlock in it")
    }
  }

  /// Runs a statement and hands over its rows until `body` returns an error, which is returned.
  private func stream(_ sql: SQL, _ body: (Row) -> (any Error)?) throws(DatabaseError) -> (any Error)? {
    guard let statement = try start(sql) else { return nil }
    defer { statement.finish() }
    guard statement.hasRows else { return nil }
    guard statement.bindRows() else { throw failure(statement, sql.text) }
    isStreaming = true
    defer { isStreaming = false }
    while true {
      switch statement.fetch() {
      case 0, MYSQL_DATA_TRUNCATED:
        if let problem = body(try statement.row()) { return problem }
      case MYSQL_NO_DATA: return nil
      default: throw failure(statement, sql.text)
      }
    }
  }

  /// Executes a statement; nil for one that MySQL can't prepare, which ran as text.
  private func start(_ sql: SQL) throws(DatabaseError) -> MySQLStatement? {
    try ready()
    try sql.validate()
    let statement: MySQLStatement
    if let known = statements.find(sql.text) {
      statement = known
    } else {
      guard let pointer = mysql_stmt_init(connection.pointer) else { throw failure(sql.text) }
      statement = MySQLStatement(pointer)
      if !statement.prepare(sql.text) {
        if statement.errorNumber == 1295, sql.values.isEmpty {  // not in the prepared statement protocol yet
          try simple(sql.text)
          return nil
        }
        throw failure(statement, sql.text)
      }
      _ = statements.keep(statement, for: sql.text)  // the evicted one is closed by its deinit
    }
    guard statement.parameterCount == sql.values.count else {
      throw DatabaseError(
        .syntax, code: "parameters",
        message: "the statement has \(statement.parameterCount) places for \(sql.values.count) values",
        statement: sql.text)
    }
    guard statement.execute(sql.values) else { throw failure(statement, sql.text) }
    return statement
  }

  private func simple(_ text: String) throws(DatabaseError) {
    guard connection.run(text) else { throw failure(text) }
  }

  private func failure(_ text: String) -> DatabaseError {
    failure(connection.errorNumber, connection.errorText, text)
  }

  private func failure(_ statement: MySQLStatement, _ text: String) -> DatabaseError {
    // MariaDB tells an error among the rows of a SELECT, such as a deadlock, of the connection only.
    if statement.errorNumber == 0 { return failure(text) }
    return failure(statement.errorNumber, statement.errorText, text)
  }

  /// The error of a failed call, after noting what it means for connection and transaction.
  private func failure(_ number: UInt32, _ detail: String, _ text: String) -> DatabaseError {
    if DatabaseError.mysqlIsLoss(number) {
      wasLost = true
      return lost(text, number)
    }
    if number == 2057 {  // the connector leaves the rows of other columns unread: no use for anything else
      wasLost = true
      return DatabaseError(
        .serialization, code: "2057", message: "the table changed under a prepared statement",
        statement: text, certainlyDidNotHappen: isInTransaction)
    }
    let error = DatabaseError.mysql(number, detail: detail, statement: text)
    if error.kind == .deadlock { wasRolledBack = isInTransaction }
    return error
  }

  private func lost(_ text: String?, _ number: UInt32 = 2006) -> DatabaseError {
    var error = DatabaseError.mysql(number, detail: "", statement: text)
    error.certainlyDidNotHappen = isInTransaction
    return error
  }
}
