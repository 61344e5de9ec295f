import Database
import Drivers
import Synchronization

/// The statements that somebody sent, with their values, in the order in which their transactions ended.
struct Transcript: Sendable {
  /// A statement in the form of its database.
  struct Statement: Sendable, Hashable {
    let text: String
    /// Whether it is not prepared, as BEGIN and COMMIT.
    let isPlain: Bool
  }

  struct Call: Sendable {
    let statement: Int
    let values: [Value]
  }

  private(set) var statements: [Statement] = []
  private(set) var calls: [Call] = []
  private var known: [Statement: Int] = [:]

  mutating func append(_ text: String, _ values: [Value], isPlain: Bool) {
    let statement = Statement(text: text, isPlain: isPlain)
    let number = known[statement] ?? statements.count
    if number == statements.count {
      statements.append(statement)
      known[statement] = number
    }
    calls.append(Call(statement: number, values: values))
  }
}

/// Notes what goes through the sessions of another driver.
final class RecordingDriver: Driver {
  /// What was noted.
  final class Tape: Sendable {
    private let transcript = Mutex(Transcript())

    var content: Transcript { transcript.withLock { $0 } }

    fileprivate func note(_ calls: [(text: String, values: [Value], isPlain: Bool)]) {
      transcript.withLock { transcript in
        for call in calls { transcript.append(call.text, call.values, isPlain: call.isPlain) }
      }
    }
  }

  let tape = Tape()
  private let driver: any Driver

  init(_ driver: any Driver) { self.driver = driver }

  func open(_ url: StoreURL) throws(DatabaseError) -> any Session {
    RecordingSession(try driver.open(url), tape)
  }
}

/// Keeps the calls of a transaction until it is committed, so that those of several connections stand one after the
/// other and can be made again by one.
private final class RecordingSession: Session {
  private let session: any Session
  private let tape: RecordingDriver.Tape
  private var pending: [(text: String, values: [Value], isPlain: Bool)] = []

  init(_ session: any Session, _ tape: RecordingDriver.Tape) {
    self.session = session
    self.tape = tape
  }

  var dialect: Dialect { session.dialect }
  var interrupter: Interrupter { session.interrupter }
  var isInTransaction: Bool { session.isInTransaction }
  var isBroken: Bool { session.isBroken }

  func query(_ sql: SQL) throws(DatabaseError) -> [Row] {
    note(sql)
    return try session.query(sql)
  }

  func execute(_ sql: SQL) throws(DatabaseError) -> Int {
    note(sql)
    return try session.execute(sql)
  }

  func enqueue(_ sql: SQL) throws(DatabaseError) {
    note(sql)
    try session.enqueue(sql)
  }

  func each(_ sql: SQL, _ body: (Row) throws -> Void) throws {
    note(sql)
    try session.each(sql, body)
  }

  func executeScript(_ text: String) throws(DatabaseError) { try session.executeScript(text) }

  func begin(_ kind: TransactionKind) throws(DatabaseError) {
    try session.begin(kind)
    pending = [(dialect.beginning(kind), [], true)]
  }

  func commit() throws(DatabaseError) {
    try session.commit()
    tape.note(pending + [("COMMIT", [], true)])
    pending = []
  }

  func rollback() {
    pending = []
    session.rollback()
  }

  func sever() { session.sever() }

  private func note(_ sql: SQL) {
    let text = dialect.kind == .postgresql ? PostgresStatementText(sql.text).text : sql.text
    if isInTransaction {
      pending.append((text, sql.values, false))
    } else {
      tape.note([(text, sql.values, false)])
    }
  }
}

extension Dialect {
  /// What the drivers send to begin a transaction.
  fileprivate func beginning(_ transaction: TransactionKind) -> String {
    let isRead = transaction == .read
    return switch kind {
    case .sqlite: isRead ? "BEGIN DEFERRED" : "BEGIN IMMEDIATE"
    case .postgresql: "BEGIN ISOLATION LEVEL READ COMMITTED " + (isRead ? "READ ONLY" : "READ WRITE")
    case .mysql: "START TRANSACTION " + (isRead ? "READ ONLY" : "READ WRITE")
    }
  }
}
