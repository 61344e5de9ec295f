import CMySQL
import Database

/// Owns one prepared statement; freed with it, before or after its connection.
final class MySQLStatement {
  let pointer: UnsafeMutablePointer<MYSQL_STMT>
  private var buffer: MySQLRowBuffer?

  init(_ pointer: UnsafeMutablePointer<MYSQL_STMT>) {
    self.pointer = pointer
  }

  deinit {
    // Its failure is the connection's, which will tell.
    mysql_stmt_close(pointer)
  }

  var errorNumber: UInt32 { mysql_stmt_errno(pointer) }
  var errorText: String { String(cString: mysql_stmt_error(pointer)) }
  var parameterCount: Int { Int(mysql_stmt_param_count(pointer)) }
  var affectedRows: Int { Int(truncatingIfNeeded: mysql_stmt_affected_rows(pointer)) }
  var hasRows: Bool { mysql_stmt_field_count(pointer) > 0 }

  func prepare(_ text: String) -> Bool {
    mysql_stmt_prepare(pointer, text, UInt(text.utf8.count)) == 0
  }

  func execute(_ values: [Value]) -> Bool {
    var parameters = MySQLParameters(values)
    return parameters.withBinds { binds in
      if !values.isEmpty, mysql_stmt_bind_param(pointer, binds) != 0 { return false }
      return mysql_stmt_execute(pointer) == 0
    }
  }

  /// Makes ready to fetch rows one by one from the socket; false on an error.
  func bindRows() -> Bool {
    // The fields of this run: a changed table may give others than at the last.
    guard let first = mariadb_stmt_fetch_fields(pointer) else { return false }
    let fields = UnsafeBufferPointer(start: first, count: Int(mysql_stmt_field_count(pointer)))
    let buffer: MySQLRowBuffer
    if let known = self.buffer, known.fits(fields) {
      buffer = known
    } else {
      buffer = MySQLRowBuffer(fields)
      self.buffer = buffer
    }
    return mysql_stmt_bind_result(pointer, buffer.binds) == 0
  }

  /// The connector's code: 0 or MYSQL_DATA_TRUNCATED for a row, MYSQL_NO_DATA at the end.
  func fetch() -> Int32 { mysql_stmt_fetch(pointer) }

  /// The row just fetched.
  func row() throws(DatabaseError) -> Row {
    guard let buffer else { return Row(values: [], columns: []) }
    return try buffer.row(pointer)
  }

  /// Reads and drops what is left of the rows.
  func finish() {
    mysql_stmt_free_result(pointer)
  }
}
