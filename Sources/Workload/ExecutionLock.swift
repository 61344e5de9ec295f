import Database
import Synchronization

/// Lets one program at a time work on the documents of a database.
///
/// PostgreSQL and MySQL have locks that belong to a connection and end with it; beside an SQLite file there is a file
/// whose lock ends with the process. So nothing has to be cleared up after a program that was killed. That no document
/// gets two turns does not rest on this lock but on the claim in the locked row: should a lock be lost with its
/// connection (or not be shared, as MySQL's between the nodes of a cluster), the later claim wins and the other program
/// is told.
final class ExecutionLock: Sendable {
  private let url: StoreURL
  private let file = Mutex<LockFile?>(nil)

  init(_ url: StoreURL) { self.url = url }

  /// Takes the lock, unless this session has it already. False if another has it. Does not wait.
  func hold(_ session: any Session) throws(DatabaseError) -> Bool {
    switch session.dialect.kind {
    case .sqlite: try holdFile()
    case .postgresql: try session.query(Self.postgresHold).first?.bool(0) ?? false
    case .mysql: try session.query(Self.mysqlHold).first?.optionalInt(0) == 1
    }
  }

  /// Lets the server notice within minutes that the host of this session, which has the lock, is gone without a word.
  ///
  /// PostgreSQL asks the other end; where it is on the same machine the settings are ignored. MySQL ends a session that
  /// has been silent for so long: one that works never is.
  func keepAlive(_ session: any Session) throws(DatabaseError) {
    switch session.dialect.kind {
    case .sqlite: break
    case .postgresql:
      try session.executeScript(
        "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3")
    case .mysql: try session.executeScript("SET SESSION wait_timeout = 300")
    }
  }

  /// Gives the lock back. A session that is gone has done so already.
  func release(_ session: any Session) throws(DatabaseError) {
    switch session.dialect.kind {
    case .sqlite: file.withLock { $0 = nil }
    case .postgresql: _ = try session.query("SELECT pg_advisory_unlock(\(raw: Self.postgresKey))")
    case .mysql: _ = try session.query("SELECT RELEASE_LOCK(\(raw: Self.mysqlName))")
    }
  }

  private func holdFile() throws(DatabaseError) -> Bool {
    // A database in memory is this process's own.
    guard !url.isMemory, let path = url.path else { return true }
    if file.withLock({ $0 != nil }) { return true }
    guard let taken = try LockFile.take(path + "-workload") else { return false }
    file.withLock { $0 = taken }
    return true
  }

  /// Advisory locks belong to a database; the number of the table tells its schemas apart. `evwl` in ASCII is above it.
  private static let postgresKey = "((1702262636::bigint << 32) | 'wl_workload'::regclass::oid::bigint)"

  /// Asks first whether the session has it: a lock taken twice would have to be given back twice.
  private static let postgresHold: SQL = """
    SELECT CASE WHEN EXISTS (
      SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted
        AND classid = 1702262636 AND objid = 'wl_workload'::regclass::oid AND objsubid = 1
    ) THEN true ELSE pg_try_advisory_lock(\(raw: postgresKey)) END
    """

  /// MySQL's names are the server's, of at most 64 characters: that of the database is in the hash.
  private static let mysqlName = "CONCAT('eventor.workload.', LEFT(SHA2(DATABASE(), 256), 40))"

  private static let mysqlHold: SQL = """
    SELECT CASE WHEN IS_USED_LOCK(\(raw: mysqlName)) = CONNECTION_ID() THEN 1
      ELSE GET_LOCK(\(raw: mysqlName), 0) END
    """
}
