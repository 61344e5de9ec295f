/// One connection to a database; synchronous, and used on one executor thread only.
///
/// A session whose `isBroken` is true answers every call with an error and is never used again.
public protocol Session: AnyObject {
  /// The differences of this database.
  var dialect: Dialect { get }
  /// Stops what runs here from another thread.
  var interrupter: Interrupter { get }
  /// Whether a transaction was begun and not yet ended.
  var isInTransaction: Bool { get }
  /// Whether the connection is gone; looks at the socket, so it also notices a server that left while idle.
  var isBroken: Bool { get }

  /// All rows of a statement.
  func query(_ sql: SQL) throws(DatabaseError) -> [Row]
  /// All rows of each of several statements, carried out one after the other: each sees what those before it did, and what
  /// others had committed when it began. In one round trip where the database can.
  func queryAll(_ statements: [SQL]) throws(DatabaseError) -> [[Row]]
  /// Runs a statement; returns the number of rows it inserted, deleted or matched for update.
  @discardableResult func execute(_ sql: SQL) throws(DatabaseError) -> Int
  /// Carries out a statement whose answer nobody needs: at once, or with the next one in the same round trip. Its
  /// error may be thrown by a later call, by ``commit()`` at the latest. For use in transactions.
  func enqueue(_ sql: SQL) throws(DatabaseError)
  /// Hands the rows over one by one, in constant memory.
  ///
  /// `body` must not use this session. When it throws, the rest of the rows is read and dropped.
  func each(_ sql: SQL, _ body: (Row) throws -> Void) throws
  /// Runs several statements without values, as they are, separated by semicolons.
  func executeScript(_ text: String) throws(DatabaseError)

  /// Opens a transaction. A `.read` one refuses writes (`.readOnly`).
  func begin(_ kind: TransactionKind) throws(DatabaseError)
  /// Makes the transaction last; throws `.outcomeUnknown` if the connection breaks on the way.
  func commit() throws(DatabaseError)
  /// Gives the transaction up. Never fails: a session that can't roll back is broken.
  func rollback()

  /// For tests: breaks the physical connection, so that the next call fails with `.connectionLost`.
  func sever()
}

extension Session {
  /// One by one.
  public func queryAll(_ statements: [SQL]) throws(DatabaseError) -> [[Row]] {
    var answers: [[Row]] = []
    for statement in statements { answers.append(try query(statement)) }
    return answers
  }

  /// For the rest of a transaction that goes over whole tables: PostgreSQL may read them from end to end, which sessions
  /// otherwise keep it from.
  public func allowFullScans() throws(DatabaseError) {
    if dialect.kind == .postgresql, isInTransaction { try executeScript("SET LOCAL enable_seqscan = on") }
  }

  /// At once.
  public func enqueue(_ sql: SQL) throws(DatabaseError) { try execute(sql) }
}

/// What a transaction is for. Isolation is READ COMMITTED on the servers; SQLite's is stricter by nature.
public enum TransactionKind: Sendable, Hashable {
  /// Reads only; SQLite: BEGIN DEFERRED.
  case read
  /// Reads and writes; SQLite: BEGIN IMMEDIATE, so that it never fails to upgrade half way.
  case write
}

/// What makes sessions of one kind of database.
public protocol Driver: Sendable {
  /// Connects; blocks up to the connect timeout (3 s unless the URL says otherwise) for each address.
  ///
  /// Called on the connection's own thread. Throws `.unreachable`, `.refused`, `.badURL` and others.
  func open(_ url: StoreURL) throws(DatabaseError) -> any Session
}
