/// A statement: text with a `?` for each value, and the values.
///
/// Built by interpolation, so that binding is what happens unless one says otherwise:
/// `"SELECT a FROM t WHERE id = \(id)"` has one `?`. One text serves all three databases; each driver
/// turns it into its own form.
public struct SQL: ExpressibleByStringInterpolation, Sendable, Hashable {
  /// The statement with `?` for the values; identifiers from `\(identifier:)` stand in backticks, which
  /// SQLite and MySQL read as they are and the PostgreSQL driver turns into double quotes.
  public var text: String
  /// The values in the order of their `?`.
  public var values: [Value]
  /// Names given to `\(identifier:)` that are no identifiers; a statement with one is never sent.
  private var refusedIdentifiers = 0

  /// A statement from its parts; `text` must be trusted.
  public init(text: String, values: [Value] = []) {
    self.text = text
    self.values = values
  }

  /// A statement without values.
  public init(stringLiteral value: String) {
    self.init(text: value)
  }

  /// A statement with the interpolated values bound.
  public init(stringInterpolation: Interpolation) {
    self = stringInterpolation.sql
  }

  /// Adds `other` at the end, text and values.
  public mutating func append(_ other: SQL) {
    text += other.text
    values += other.values
    refusedIdentifiers += other.refusedIdentifiers
  }

  /// Both, one after the other.
  public static func + (left: SQL, right: SQL) -> SQL {
    var sum = left
    sum.append(right)
    return sum
  }

  /// Adds `right` at the end of `left`.
  public static func += (left: inout SQL, right: SQL) {
    left.append(right)
  }

  /// Throws `.syntax` if an identifier in it is none; every driver asks before it sends.
  public func validate() throws(DatabaseError) {
    guard refusedIdentifiers == 0 else {
      throw DatabaseError(
        .syntax, code: "identifier", message: "a name in the statement is not an identifier",
        hint: "use letters, digits, _ and $, at most 63, not starting with a digit", statement: text)
    }
  }

  /// `(?, ?, ?)` with so many of them; the usual numbers are at hand.
  static func placeholders(_ count: Int) -> String {
    usualPlaceholders.indices.contains(count) ? usualPlaceholders[count] : spellPlaceholders(count)
  }

  private static let usualPlaceholders = (0...64).map(spellPlaceholders)

  private static func spellPlaceholders(_ count: Int) -> String {
    "(" + repeatElement("?", count: count).joined(separator: ", ") + ")"
  }

  /// Whether `name` may stand in a statement: `[A-Za-z_][A-Za-z0-9_$]{0,62}`.
  public static func isIdentifier(_ name: String) -> Bool {
    let bytes = name.utf8
    guard let first = bytes.first, bytes.count <= 63 else { return false }
    func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a || byte == 0x5f }
    func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
    return isLetter(first) && bytes.allSatisfy { isLetter($0) || isDigit($0) || $0 == 0x24 }
  }

  /// Collects the pieces of an interpolated literal.
  public struct Interpolation: StringInterpolationProtocol {
    fileprivate var sql = SQL(text: "")

    /// An empty statement.
    public init(literalCapacity: Int, interpolationCount: Int) {
      sql.text.reserveCapacity(literalCapacity + interpolationCount * 2)
      sql.values.reserveCapacity(interpolationCount)
    }

    /// Adds text of the program's own.
    public mutating func appendLiteral(_ literal: String) {
      sql.text += literal
    }

    /// Binds a value.
    public mutating func appendInterpolation(_ value: some Bindable) {
      sql.text += "?"
      sql.values.append(value.databaseValue)
    }

    /// Binds a value, or NULL for nil.
    public mutating func appendInterpolation(_ value: (some Bindable)?) {
      sql.text += "?"
      sql.values.append(value?.databaseValue ?? .null)
    }

    /// Splices another statement in, with its values.
    public mutating func appendInterpolation(_ other: SQL) {
      sql.append(other)
    }

    /// Adds trusted text as it is, such as a fragment of a ``Dialect``; never anything from outside.
    public mutating func appendInterpolation(raw text: String) {
      sql.text += text
    }

    /// Adds a quoted table or column name; what is no identifier makes the statement fail unsent.
    public mutating func appendInterpolation(identifier name: String) {
      if !SQL.isIdentifier(name) { sql.refusedIdentifiers += 1 }
      sql.text += SQL.isIdentifier(name) ? "`\(name)`" : "`?`"
    }

    /// Binds all of `list` as the rows of a table of one column, `(VALUES (?), (?))`, filled up as a list is; its column is
    /// called `column1` on PostgreSQL and SQLite. Not for MySQL, nor for an empty list.
    public mutating func appendInterpolation(rows list: [some Bindable]) {
      guard let last = list.last else {
        sql.text += "(VALUES (NULL))"
        return
      }
      var count = 1
      while count < list.count { count *= 2 }
      sql.text += "(VALUES (?)" + String(repeating: ", (?)", count: count - 1) + ")"
      for value in list { sql.values.append(value.databaseValue) }
      sql.values += repeatElement(last.databaseValue, count: count - list.count)
    }

    /// Binds all of `list` as `(?, ?, ?)`; an empty list is `(NULL)`, which nothing equals.
    ///
    /// The last value is repeated until there are a power of two of them, which changes nothing of what is equal to one:
    /// so a list of up to 64 has seven texts to be prepared and not 64.
    public mutating func appendInterpolation(list: [some Bindable]) {
      guard let last = list.last else {
        sql.text += "(NULL)"
        return
      }
      var count = 1
      while count < list.count { count *= 2 }
      sql.text += SQL.placeholders(count)
      for value in list { sql.values.append(value.databaseValue) }
      sql.values += repeatElement(last.databaseValue, count: count - list.count)
    }
  }
}
