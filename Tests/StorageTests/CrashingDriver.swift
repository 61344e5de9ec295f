import Database
import Synchronization

/// Sessions of another driver whose commits go wrong at random, as those of a process that is killed: nothing has
/// happened, the connection is gone, or it has happened and nobody was told.
final class CrashingDriver: Driver {
  final class Crashes: Sendable {
    private let state = Mutex<(isOn: Bool, count: Int, isPlanned: Bool)>((false, 0, false))

    /// The next commit does not happen, and says so.
    func plan() { state.withLock { $0.isPlanned = true } }

    func begin() { state.withLock { $0.isOn = true } }

    /// No more of them; returns how many there were.
    func end() -> Int {
      state.withLock { state in
        state.isOn = false
        return state.count
      }
    }

    /// What happens to a commit; nil: nothing.
    func next() -> Int? {
      state.withLock { state in
        if state.isPlanned {
          state.isPlanned = false
          return 0
        }
        let dice = Int.random(in: 0..<9)
        guard state.isOn, dice < 3 else { return nil }
        state.count += 1
        return dice
      }
    }
  }

  private let driver: any Driver
  private let crashes: Crashes

  init(_ driver: any Driver, _ crashes: Crashes) {
    self.driver = driver
    self.crashes = crashes
  }

  func open(_ url: StoreURL) throws(DatabaseError) -> any Session {
    CrashingSession(try driver.open(url), crashes)
  }
}

private final class CrashingSession: Session {
  private let session: any Session
  private let crashes: CrashingDriver.Crashes
  private var isWriting = false

  init(_ session: any Session, _ crashes: CrashingDriver.Crashes) {
    self.session = session
    self.crashes = crashes
  }

  func begin(_ kind: TransactionKind) throws(DatabaseError) {
    isWriting = kind == .write
    try session.begin(kind)
  }

  func commit() throws(DatabaseError) {
    switch isWriting ? crashes.next() : nil {
    case 0: throw DatabaseError(.other, code: "crash", message: "killed before it committed")
    case 1:
      session.sever()
      try session.commit()
    case 2:
      try session.commit()
      throw DatabaseError(.outcomeUnknown, code: "crash", message: "killed before it heard of its commit")
    default: try session.commit()
    }
  }

  var dialect: Dialect { session.dialect }
  var interrupter: Interrupter { session.interrupter }
  var isInTransaction: Bool { session.isInTransaction }
  var isBroken: Bool { session.isBroken }
  func query(_ sql: SQL) throws(DatabaseError) -> [Row] { try session.query(sql) }
  @discardableResult func execute(_ sql: SQL) throws(DatabaseError) -> Int { try session.execute(sql) }
  func each(_ sql: SQL, _ body: (Row) throws -> Void) throws { try session.each(sql, body) }
  func executeScript(_ text: String) throws(DatabaseError) { try session.executeScript(text) }
  func rollback() { session.rollback() }
  func sever() { session.sever() }
}
