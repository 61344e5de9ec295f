import Digest

/// One step of a schema's history; written once and never changed after a release.
public struct Migration: Sendable {
  /// Its place in the history, from 1, without gaps or repeats.
  public let number: Int
  /// What it is about, for people.
  public let name: String
  /// The statements for a dialect, each without a semicolon at its end.
  ///
  /// MySQL commits each CREATE or ALTER by itself, so a crash can leave a migration half done. What is
  /// done is recorded after each statement; the one under way at the crash is run a second time, and must
  /// allow that (`IF NOT EXISTS`, `DROP … IF EXISTS`).
  public let statements: @Sendable (Dialect) -> [String]

  /// A migration.
  public init(number: Int, name: String, statements: @escaping @Sendable (Dialect) -> [String]) {
    self.number = number
    self.name = name
    self.statements = statements
  }

  /// What identifies the content: the hash of the statements for `dialect`.
  public func digest(_ dialect: Dialect) -> String {
    Digest(of: statements(dialect).joined(separator: ";\n").utf8).hexadecimal
  }
}

/// A migration as a database remembers it.
public struct AppliedMigration: Sendable, Hashable {
  /// Its number.
  public let number: Int
  /// Its name at the time.
  public let name: String
  /// The hash of the statements that were run.
  public let digest: String
  /// When, in microseconds since 1970 of the database's clock; nil while it is half done (MySQL only).
  public let appliedAt: Int64?
  /// How many of its statements were run.
  public let statementsDone: Int
}
