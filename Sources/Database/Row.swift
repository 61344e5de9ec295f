/// One row of a result, read by position with the type the reader expects.
public struct Row: Sendable {
  private let values: [Value]
  private let columns: [String]

  /// A row as a driver read it; `columns` names the values for error texts.
  public init(values: [Value], columns: [String]) {
    self.values = values
    self.columns = columns
  }

  /// How many columns there are.
  public var count: Int { values.count }

  /// The value of column `index`, from 0; there must be such a column.
  public subscript(index: Int) -> Value { values[index] }

  /// A 64-bit integer; throws `.unexpectedValue` for anything else.
  public func integer(_ index: Int) throws(DatabaseError) -> Int64 {
    guard case .integer(let value) = try value(index) else { throw unexpected(index, "an integer") }
    return value
  }

  /// An integer; throws `.unexpectedValue` for anything else.
  public func int(_ index: Int) throws(DatabaseError) -> Int {
    Int(try integer(index))
  }

  /// A double; integers count, as SQLite gives whole sums as integers. Throws `.unexpectedValue`.
  public func real(_ index: Int) throws(DatabaseError) -> Double {
    switch try value(index) {
    case .real(let value): return value
    case .integer(let value): return Double(value)
    default: throw unexpected(index, "a real number")
    }
  }

  /// Text; throws `.unexpectedValue` for anything else.
  public func text(_ index: Int) throws(DatabaseError) -> String {
    guard case .text(let value) = try value(index) else { throw unexpected(index, "text") }
    return value
  }

  /// An integer read as a truth value: 0 is false, 1 is true, others throw `.unexpectedValue`.
  public func bool(_ index: Int) throws(DatabaseError) -> Bool {
    switch try integer(index) {
    case 0: return false
    case 1: return true
    default: throw unexpected(index, "0 or 1")
    }
  }

  /// Bytes; throws `.unexpectedValue` for anything else.
  public func blob(_ index: Int) throws(DatabaseError) -> [UInt8] {
    guard case .blob(let value) = try value(index) else { throw unexpected(index, "bytes") }
    return value
  }

  /// As ``integer(_:)``, with nil for NULL.
  public func optionalInteger(_ index: Int) throws(DatabaseError) -> Int64? {
    try isNull(index) ? nil : integer(index)
  }

  /// As ``int(_:)``, with nil for NULL.
  public func optionalInt(_ index: Int) throws(DatabaseError) -> Int? {
    try isNull(index) ? nil : int(index)
  }

  /// As ``text(_:)``, with nil for NULL.
  public func optionalText(_ index: Int) throws(DatabaseError) -> String? {
    try isNull(index) ? nil : text(index)
  }

  /// As ``real(_:)``, with nil for NULL.
  public func optionalReal(_ index: Int) throws(DatabaseError) -> Double? {
    try isNull(index) ? nil : real(index)
  }

  /// As ``blob(_:)``, with nil for NULL.
  public func optionalBlob(_ index: Int) throws(DatabaseError) -> [UInt8]? {
    try isNull(index) ? nil : blob(index)
  }

  private func isNull(_ index: Int) throws(DatabaseError) -> Bool {
    if case .null = try value(index) { true } else { false }
  }

  private func value(_ index: Int) throws(DatabaseError) -> Value {
    guard values.indices.contains(index) else {
      throw DatabaseError(
        .unexpectedValue, code: "column",
        message: "column \(index + 1) was asked for, but the row has \(values.count)")
    }
    return values[index]
  }

  private func unexpected(_ index: Int, _ wanted: String) -> DatabaseError {
    let name = columns.indices.contains(index) ? columns[index] : String(index + 1)
    return DatabaseError(
      .unexpectedValue, code: "type",
      message: "column \(name) holds \(values[index].kindName) where \(wanted) was expected")
  }
}
