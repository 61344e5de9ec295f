import CPostgres
import Database

/// A connection to PostgreSQL.
final class PostgresSession: Session {
  private struct Prepared {
    let name: String
    let parameterCount: Int
  }

  let dialect = Dialect(.postgresql)
  let interrupter: Interrupter
  private let connection: PostgresConnection
  private var statements = StatementCache<Prepared>()
  private var queue = PostgresQueue()
  private var namesGiven = 0
  private var isStreaming = false
  private var wasLost = false
  private(set) var isInTransaction = false

  init(_ connection: PostgresConnection) {
    self.connection = connection
    interrupter = Interrupter { connection.cancel() }
  }

  /// An interrupted session counts as broken: a cancel request may still be on its way to the server, and
  /// would hit the next statement.
  var isBroken: Bool {
    if wasLost || interrupter.isInterrupted { return true }
    if !isStreaming { connection.noticeLoss() }
    return !connection.isAlive
  }

  /// How many prepared statements are kept.
  var cachedStatements: Int { statements.count }

  /// Sets the connection up; called once. The migrator reads `eventor.schema`.
  func configure(schema: String?) throws(DatabaseError) {
    // Every statement that runs often has an index to go by, whatever its values. So its plan is made once: making a look's
    // anew takes six times as long as the look. And as a plan may outlive the moment at which its table was nearly empty,
    // it must not be one that reads the whole table; compiling what that rule makes look costly would only add to it.
    var script = "SET bytea_output = 'hex'; SET standard_conforming_strings = on; SET extra_float_digits = 1"
    if PQserverVersion(connection.pointer) >= 120_000 {
      script += "; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off"
    }
    if let schema { script += "; SET search_path = \"\(schema)\"; SET eventor.schema = '\(schema)'" }
    try executeScript(script)
  }

  func query(_ sql: SQL) throws(DatabaseError) -> [Row] {
    try run(sql).rows()
  }

  func queryAll(_ statements: [SQL]) throws(DatabaseError) -> [[Row]] {
    try ready()
    guard let first = statements.first else { return [] }
    guard statements.count > 1 else { return [try query(first)] }
    var entries: [PostgresQueue.Entry] = []
    for sql in statements {
      entries.append(.init(name: try prepare(sql).name, text: sql.text, values: sql.values))
    }
    var answers: [[Row]] = []
    for result in try send(entries) { answers.append(try result.rows()) }
    return answers
  }

  func execute(_ sql: SQL) throws(DatabaseError) -> Int {
    try run(sql).affectedRows
  }

  func enqueue(_ sql: SQL) throws(DatabaseError) {
    try ready()
    guard isInTransaction else { return _ = try run(sql) }
    let prepared = try prepare(sql)
    queue.add(.init(name: prepared.name, text: sql.text, values: sql.values))
    if queue.isFull { try flush() }
  }

  func each(_ sql: SQL, _ body: (Row) throws -> Void) throws {
    try ready()
    let prepared = try prepare(sql)
    try flush()
    let sent = PostgresParameters(sql.values).withPointers { values, lengths, formats in
      PQsendQueryPrepared(
        connection.pointer, prepared.name, Int32(values.count), values, lengths, formats, 0)
    }
    guard sent == 1, PQsetSingleRowMode(connection.pointer) == 1 else { throw failure(nil, sql.text) }
    var problem: (any Error)?
    isStreaming = true
    // Read to the end in any case: libpq takes no other statement before.
    while let pointer = PQgetResult(connection.pointer) {
      let result = PostgresResult(pointer)
      if problem != nil { continue }
      if result.isError {
        problem = failure(result, sql.text)
      } else if result.status == PGRES_SINGLE_TUPLE {
        do { try body(try result.row(0)) } catch { problem = error }
      }
    }
    isStreaming = false
    if let problem { throw problem }
    if !connection.isAlive { throw failure(nil, sql.text) }
  }

  func executeScript(_ text: String) throws(DatabaseError) {
    try ready()
    try flush()
    try simple(text)
  }

  func begin(_ kind: TransactionKind) throws(DatabaseError) {
    try ready()
    guard !isInTransaction else {
      throw DatabaseError(.unsupported, code: "nested", message: "a transaction is open already")
    }
    connection.noticeLoss()
    guard connection.isAlive else { throw failure(nil, "BEGIN").nothingHappened(if: true) }
    let mode = kind == .read ? "READ ONLY" : "READ WRITE"
    queue.add(.init(name: nil, text: "BEGIN ISOLATION LEVEL READ COMMITTED \(mode)"))
    isInTransaction = true
  }

  func commit() throws(DatabaseError) {
    try ready()
    // Seen before COMMIT is sent, a loss is certain: the server rolls back.
    connection.noticeLoss()
    guard connection.isAlive else { throw failure(nil, "COMMIT") }
    let result: PostgresResult
    do {
      result = try answer(to: .init(name: nil, text: "COMMIT"))
    } catch {
      // What came before it and failed kept it from being carried out.
      if wasLost, error.statement == "COMMIT" { throw .outcomeUnknown(code: error.code) }
      throw error
    }
    isInTransaction = false
    guard result.tag == "COMMIT" else {
      throw DatabaseError(
        .other, code: "25P02", message: "the transaction was rolled back because of an earlier error in it")
    }
  }

  func rollback() {
    isInTransaction = false
    let wasBegun = queue.entries.first?.text.hasPrefix("BEGIN") != true
    _ = queue.take()
    guard !isBroken, wasBegun else { return }
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
    if wasLost { throw failure(nil, nil) }
  }

  private func run(_ sql: SQL) throws(DatabaseError) -> PostgresResult {
    try ready()
    let prepared = try prepare(sql)
    guard queue.isEmpty else {
      return try answer(to: .init(name: prepared.name, text: sql.text, values: sql.values))
    }
    let pointer = PostgresParameters(sql.values).withPointers { values, lengths, formats in
      PQexecPrepared(connection.pointer, prepared.name, Int32(values.count), values, lengths, formats, 0)
    }
    return try check(pointer, sql.text)
  }

  /// Sends what was kept back.
  private func flush() throws(DatabaseError) {
    if !queue.isEmpty { try send([]) }
  }

  private func answer(to last: PostgresQueue.Entry) throws(DatabaseError) -> PostgresResult {
    guard let answer = try send([last]).first else { throw gone(last.text) }
    return answer
  }

  /// Sends what was kept back and then `wanted`, in one round trip, and returns the results of those.
  ///
  /// The first that fails keeps the server from carrying out those after it. Its error is thrown, and names it.
  @discardableResult
  private func send(_ wanted: [PostgresQueue.Entry]) throws(DatabaseError) -> [PostgresResult] {
    let kept = queue.take()
    let entries = kept + wanted
    guard PQenterPipelineMode(connection.pointer) == 1 else { throw failure(nil, entries.first?.text) }
    let isSent =
      entries.allSatisfy { $0.send(to: connection.pointer) } && PQpipelineSync(connection.pointer) == 1
    guard isSent else { throw gone(entries.last?.text) }
    var problem: DatabaseError?
    var answers: [PostgresResult] = []
    for (position, entry) in entries.enumerated() {
      var hasAnswer = false
      while let pointer = PQgetResult(connection.pointer) {
        hasAnswer = true
        let result = PostgresResult(pointer)
        if !result.isError {
          if position >= kept.count { answers.append(result) }
        } else if result.field(EVENTOR_PG_DIAG_SQLSTATE) == nil {
          // Not the server's word: libpq lost it, and the rest may have been carried out all the same.
          throw gone(entries.last?.text)
        } else {
          problem = problem ?? failure(result, entry.text)
        }
      }
      // Nobody knows how far the server came.
      if !hasAnswer || !connection.isAlive { throw problem ?? gone(entries.last?.text) }
    }
    // The mark of the end, without which the mode can't be left.
    while let pointer = PQgetResult(connection.pointer) {
      if PostgresResult(pointer).status == PGRES_PIPELINE_SYNC { break }
    }
    guard PQexitPipelineMode(connection.pointer) == 1 else { throw problem ?? gone(entries.last?.text) }
    if let problem { throw problem }
    guard answers.count == wanted.count else { throw gone(entries.last?.text) }
    return answers
  }

  /// The connection can't be used any more.
  private func gone(_ text: String?) -> DatabaseError {
    wasLost = true
    return failure(nil, text)
  }

  @discardableResult
  private func simple(_ text: String) throws(DatabaseError) -> PostgresResult {
    try check(PQexec(connection.pointer, text), text)
  }

  private func prepare(_ sql: SQL) throws(DatabaseError) -> Prepared {
    try sql.validate()
    let prepared: Prepared
    if let known = statements.find(sql.text) {
      prepared = known
    } else {
      let translated = PostgresStatementText(sql.text)
      namesGiven += 1
      prepared = Prepared(name: "s\(namesGiven)", parameterCount: translated.parameterCount)
      try check(PQprepare(connection.pointer, prepared.name, translated.text, 0, nil), sql.text)
      if let evicted = statements.keep(prepared, for: sql.text) {
        // It may be among those that are kept back.
        try flush()
        try simple("DEALLOCATE \(evicted.name)")
      }
    }
    guard prepared.parameterCount == sql.values.count else {
      throw DatabaseError(
        .syntax, code: "parameters",
        message: "the statement has \(prepared.parameterCount) places for \(sql.values.count) values",
        statement: sql.text)
    }
    return prepared
  }

  @discardableResult
  private func check(_ pointer: OpaquePointer?, _ text: String) throws(DatabaseError) -> PostgresResult {
    guard let pointer else { throw failure(nil, text) }
    let result = PostgresResult(pointer)
    if result.isError { throw failure(result, text) }
    return result
  }

  /// The error of a failed call, which also tells whether the connection went with it.
  private func failure(_ result: PostgresResult?, _ text: String?) -> DatabaseError {
    let isFatal = result?.field(EVENTOR_PG_DIAG_SEVERITY_NONLOCALIZED) == "FATAL"
    if isFatal || wasLost || !connection.isAlive {
      wasLost = true
      let state = result?.field(EVENTOR_PG_DIAG_SQLSTATE) ?? "08006"
      return DatabaseError(
        .connectionLost, code: state, message: "the connection to the PostgreSQL server was lost",
        hint: "see the server's log", statement: text, certainlyDidNotHappen: isInTransaction)
    }
    guard let result else {
      return DatabaseError(.other, code: "libpq", message: connection.errorText, statement: text)
    }
    let error = DatabaseError.postgres(result, statement: text)
    // A prepared statement whose tables changed ("cached plan must not change result type") or that a
    // connection pooler dropped: the transaction failed, and works with a fresh one.
    if error.code == "0A000" || error.code == "26000", let text, statements.remove(text) != nil {
      return error.nothingHappened(if: true)
    }
    return error
  }
}

extension DatabaseError {
  /// The same, known to have left no trace if `condition` holds.
  func nothingHappened(if condition: Bool) -> DatabaseError {
    var copy = self
    copy.certainlyDidNotHappen = certainlyDidNotHappen || condition
    return copy
  }

  /// A COMMIT whose answer never came.
  static func outcomeUnknown(code: String) -> DatabaseError {
    DatabaseError(
      .outcomeUnknown, code: code,
      message: "the connection was lost during COMMIT: whether the change was made is not known",
      hint: "look before doing it again", statement: "COMMIT")
  }
}
