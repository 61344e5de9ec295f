import Database
import Synchronization

/// Notes every statement that goes through sessions of another driver, once per text.
final class RecordingDriver: Driver {
  final class Log: Sendable {
    private let statements = Mutex<[String: SQL]>([:])

    /// What was noted, with the values of the first time.
    var all: [SQL] { statements.withLock { $0.values.sorted { $0.text < $1.text } } }

    func note(_ sql: SQL) { statements.withLock { if $0[sql.text] == nil { $0[sql.text] = sql } } }
  }

  private let driver: any Driver
  private let log: Log

  init(_ driver: any Driver, log: Log) {
    self.driver = driver
    self.log = log
  }

  func open(_ url: StoreURL) throws(DatabaseError) -> any Session {
    RecordingSession(try driver.open(url), log: log)
  }
}

private final class RecordingSession: Session {
  private let session: any Session
  private let log: RecordingDriver.Log

  init(_ session: any Session, log: RecordingDriver.Log) {
    self.session = session
    self.log = log
  }

  var dialect: Dialect { session.dialect }
  var interrupter: Interrupter { session.interrupter }
  var isInTransaction: Bool { session.isInTransaction }
  var isBroken: Bool { session.isBroken }

  func query(_ sql: SQL) throws(DatabaseError) -> [Row] {
    log.note(sql)
    return try session.query(sql)
  }

  @discardableResult
  func execute(_ sql: SQL) throws(DatabaseError) -> Int {
    log.note(sql)
    return try session.execute(sql)
  }

  func each(_ sql: SQL, _ body: (Row) throws -> Void) throws {
    log.note(sql)
    try session.each(sql, body)
  }

  func executeScript(_ text: String) throws(DatabaseError) { try session.executeScript(text) }
  func begin(_ kind: TransactionKind) throws(DatabaseError) { try session.begin(kind) }
  func commit() throws(DatabaseError) { try session.commit() }
  func rollback() { session.rollback() }
  func sever() { session.sever() }
}
