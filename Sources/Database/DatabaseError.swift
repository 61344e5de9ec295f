/// Why a database did not do what it was asked; never shows bound values or passwords.
public struct DatabaseError: Error, CustomStringConvertible, Sendable {
  /// What the caller can act on.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// No server, no file, or the server does not accept anybody now.
    case unreachable
    /// Authentication or permission.
    case refused
    /// The connection broke under a statement.
    case connectionLost
    /// The connection broke during COMMIT: the transaction may or may not have happened.
    case outcomeUnknown
    /// Another connection holds the SQLite file's write lock.
    case busy
    /// The database chose this transaction to end a deadlock.
    case deadlock
    /// The transaction can't be ordered with a concurrent one.
    case serialization
    /// A lock was not free in time.
    case lockTimeout
    /// A row with the same key is there.
    case uniqueViolation
    /// Another constraint: NOT NULL, CHECK, foreign key, range or length of a value.
    case constraint
    /// The statement is wrong, or names what is not there.
    case syntax
    /// A write where only reads are possible.
    case readOnly
    /// No space left.
    case diskFull
    /// The file or the schema is damaged, or not ours.
    case corrupt
    /// The schema was made by a newer version of this program.
    case tooNew
    /// The statement was interrupted.
    case cancelled
    /// A column held something else than the reader expected.
    case unexpectedValue
    /// This database can't do it.
    case unsupported
    /// The store's URL or one of its options is wrong.
    case badURL
    /// Anything else.
    case other
  }

  /// What the caller can act on.
  public var kind: Kind
  /// The native code: SQLSTATE, SQLite's extended code, MySQL's error number.
  public var code: String
  /// A lower-case sentence: what and why.
  public var message: String
  /// How to mend it; may be empty.
  public var hint: String
  /// The statement's text with `?`, without values.
  public var statement: String?
  /// Whether nothing of what was asked took place, so that doing it again is harmless.
  ///
  /// True for deadlock, serialization, busy and lock timeout once the transaction is rolled back, and for
  /// a connection lost inside a transaction before COMMIT was sent.
  public var certainlyDidNotHappen: Bool

  /// An error; `certainlyDidNotHappen` follows from the kind unless it is said.
  public init(
    _ kind: Kind, code: String, message: String, hint: String = "", statement: String? = nil,
    certainlyDidNotHappen: Bool? = nil
  ) {
    self.kind = kind
    self.code = code
    self.message = message
    self.hint = hint
    self.statement = statement
    self.certainlyDidNotHappen = certainlyDidNotHappen ?? kind.undoesItself
  }

  /// `message (code); hint`, and the statement on a line of its own where there is one.
  public var description: String {
    var text = "\(message) (\(code))"
    if !hint.isEmpty { text += "; \(hint)" }
    if let statement { text += "\n  in: \(statement)" }
    return text
  }
}

extension DatabaseError.Kind {
  fileprivate var undoesItself: Bool {
    switch self {
    case .deadlock, .serialization, .busy, .lockTimeout: true
    default: false
    }
  }
}
