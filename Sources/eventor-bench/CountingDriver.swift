import Database
import Synchronization

/// Counts the statements that go through the sessions of another driver.
final class CountingDriver: Driver {
  /// What was counted: statements, and the transactions around them.
  final class Meter: Sendable {
    private let counts = Mutex<(statements: Int, transactions: Int)>((0, 0))

    var now: (statements: Int, transactions: Int) { counts.withLock { $0 } }

    fileprivate func statement() { counts.withLock { $0.statements += 1 } }
    fileprivate func transaction() { counts.withLock { $0.transactions += 1 } }
  }

  let meter = Meter()
  private let driver: any Driver

  init(_ driver: any Driver) { self.driver = driver }

  func open(_ url: StoreURL) throws(DatabaseError) -> any Session {
    CountingSession(try driver.open(url), meter)
  }
}

private final class CountingSession: Session {
  private let session: any Session
  private let meter: CountingDriver.Meter

  init(_ session: any Session, _ meter: CountingDriver.Meter) {
    self.session = session
    self.meter = meter
  }

  var dialect: Dialect { session.dialect }
  var interrupter: Interrupter { session.interrupter }
  var isInTransaction: Bool { session.isInTransaction }
  var isBroken: Bool { session.isBroken }

  func query(_ sql: SQL) throws(DatabaseError) -> [Row] {
    meter.statement()
    return try session.query(sql)
  }

  func execute(_ sql: SQL) throws(DatabaseError) -> Int {
    meter.statement()
    return try session.execute(sql)
  }

  func enqueue(_ sql: SQL) throws(DatabaseError) {
    meter.statement()
    try session.enqueue(sql)
  }

  func each(_ sql: SQL, _ body: (Row) throws -> Void) throws {
    meter.statement()
    try session.each(sql, body)
  }

  func executeScript(_ text: String) throws(DatabaseError) { try session.executeScript(text) }

  func begin(_ kind: TransactionKind) throws(DatabaseError) { try session.begin(kind) }

  func commit() throws(DatabaseError) {
    try session.commit()
    meter.transaction()
  }

  func rollback() { session.rollback() }
  func sever() { session.sever() }
}
