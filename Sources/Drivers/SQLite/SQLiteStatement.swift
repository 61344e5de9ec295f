import CSQLite
import Database

/// Owns one prepared statement; freed with it, which must be before its connection.
final class SQLiteStatement {
  private let pointer: OpaquePointer
  private let parameterCount: Int
  private lazy var columns: [String] = (0..<sqlite3_column_count(pointer)).map { index in
    sqlite3_column_name(pointer, index).map { String(cString: $0) } ?? ""
  }

  init(_ pointer: OpaquePointer) {
    self.pointer = pointer
    parameterCount = Int(sqlite3_bind_parameter_count(pointer))
    isReadOnly = sqlite3_stmt_readonly(pointer) != 0
  }

  deinit {
    sqlite3_finalize(pointer)
  }

  /// Whether running it can't change the database.
  let isReadOnly: Bool

  /// Binds all values; a result code other than SQLITE_OK says which went wrong.
  func bind(_ values: [Value]) -> Int32 {
    guard values.count == parameterCount else { return SQLITE_RANGE }
    for (index, value) in values.enumerated() {
      let code = bind(value, at: Int32(index + 1))
      guard code == SQLITE_OK else { return code }
    }
    return SQLITE_OK
  }

  /// SQLITE_ROW, SQLITE_DONE or an error.
  func step() -> Int32 { sqlite3_step(pointer) }

  /// Ends the run, so that no read lock stays, and lets go of the values.
  func reset() {
    // Its result repeats the last step's, which was handled there.
    sqlite3_reset(pointer)
    if parameterCount > 0 { sqlite3_clear_bindings(pointer) }
  }

  /// The current row, copied out of SQLite.
  func row() -> Row {
    // Columns may change with the schema: SQLite prepares anew by itself when it did.
    if columns.count != Int(sqlite3_column_count(pointer)) {
      columns = (0..<sqlite3_column_count(pointer)).map { index in
        sqlite3_column_name(pointer, index).map { String(cString: $0) } ?? ""
      }
    }
    return Row(values: (0..<Int32(columns.count)).map(value), columns: columns)
  }

  private func bind(_ value: Value, at index: Int32) -> Int32 {
    switch value {
    case .null: return sqlite3_bind_null(pointer, index)
    case .integer(let number): return sqlite3_bind_int64(pointer, index, number)
    case .real(let number): return sqlite3_bind_double(pointer, index, number)
    case .text(var text):
      return text.withUTF8 { bytes in
        bytes.withMemoryRebound(to: CChar.self) { chars in
          guard let base = chars.baseAddress else {
            return eventor_sqlite_bind_text(pointer, index, "", 0)
          }
          return eventor_sqlite_bind_text(pointer, index, base, UInt64(chars.count))
        }
      }
    case .blob(let bytes):
      // A nil pointer would bind NULL.
      if bytes.isEmpty { return sqlite3_bind_zeroblob(pointer, index, 0) }
      return eventor_sqlite_bind_blob(pointer, index, bytes, UInt64(bytes.count))
    }
  }

  private func value(_ index: Int32) -> Value {
    switch sqlite3_column_type(pointer, index) {
    case SQLITE_INTEGER: return .integer(sqlite3_column_int64(pointer, index))
    case SQLITE_FLOAT: return .real(sqlite3_column_double(pointer, index))
    case SQLITE_TEXT:
      guard let text = sqlite3_column_text(pointer, index) else { return .text("") }
      let length = Int(sqlite3_column_bytes(pointer, index))
      return .text(String(decoding: UnsafeBufferPointer(start: text, count: length), as: UTF8.self))
    case SQLITE_BLOB:
      guard let bytes = sqlite3_column_blob(pointer, index) else { return .blob([]) }
      let length = Int(sqlite3_column_bytes(pointer, index))
      return .blob(Array(UnsafeRawBufferPointer(start: bytes, count: length)))
    default: return .null
    }
  }
}
