import CMySQL
import Database

/// Owns the memory into which the connector writes one row after the other.
final class MySQLRowBuffer {
  private enum Decoding {
    case integer, real, decimal, text, blob
  }

  /// Bytes kept ready for a text; longer ones are fetched once more into memory of their size.
  private static let width = 512

  private let columns: [String]
  private let decodings: [Decoding]
  private let types: [UInt64]
  private let count: Int
  private let memory: UnsafeMutableRawPointer
  let binds: UnsafeMutablePointer<MYSQL_BIND>
  private let lengths: UnsafeMutablePointer<UInt>
  private let nulls: UnsafeMutablePointer<my_bool>

  init(_ fields: UnsafeBufferPointer<MYSQL_FIELD>) {
    columns = fields.map { $0.name.map { String(cString: $0) } ?? "" }
    decodings = fields.map(Self.decoding)
    types = Self.signature(fields)
    count = fields.count
    memory = .allocate(byteCount: max(1, count) * Self.width, alignment: 8)
    binds = .allocate(capacity: max(1, count))
    lengths = .allocate(capacity: max(1, count))
    nulls = .allocate(capacity: max(1, count))
    lengths.initialize(repeating: 0, count: max(1, count))
    nulls.initialize(repeating: 0, count: max(1, count))
    binds.initialize(repeating: MYSQL_BIND(), count: max(1, count))
    for index in 0..<count {
      binds[index].buffer = memory.advanced(by: index * Self.width)
      binds[index].buffer_length = UInt(Self.width)
      binds[index].length = lengths.advanced(by: index)
      binds[index].is_null = nulls.advanced(by: index)
      switch decodings[index] {
      case .integer:
        binds[index].buffer_type = MYSQL_TYPE_LONGLONG
        binds[index].is_unsigned = fields[index].flags & UInt32(UNSIGNED_FLAG) != 0 ? 1 : 0
      case .real: binds[index].buffer_type = MYSQL_TYPE_DOUBLE
      case .decimal, .text: binds[index].buffer_type = MYSQL_TYPE_STRING
      case .blob: binds[index].buffer_type = MYSQL_TYPE_BLOB
      }
    }
  }

  deinit {
    binds.deallocate()
    lengths.deallocate()
    nulls.deallocate()
    memory.deallocate()
  }

  /// Whether the columns are of the kinds this was made for.
  func fits(_ fields: UnsafeBufferPointer<MYSQL_FIELD>) -> Bool {
    Self.signature(fields) == types
  }

  /// The row just fetched, copied out; throws `.unexpectedValue` for a number beyond 64 bits.
  func row(_ statement: UnsafeMutablePointer<MYSQL_STMT>) throws(DatabaseError) -> Row {
    var values: [Value] = []
    values.reserveCapacity(count)
    for index in 0..<count {
      values.append(nulls[index] != 0 ? .null : try value(index, statement))
    }
    return Row(values: values, columns: columns)
  }

  private func value(_ index: Int, _ statement: UnsafeMutablePointer<MYSQL_STMT>) throws(DatabaseError)
    -> Value
  {
    let place = memory.advanced(by: index * Self.width)
    switch decodings[index] {
    case .integer:
      let number = place.load(as: Int64.self)
      if number < 0, binds[index].is_unsigned != 0 { throw outOfRange(index) }
      return .integer(number)
    case .real: return .real(place.load(as: Double.self))
    case .text: return .text(String(decoding: try bytes(index, statement), as: UTF8.self))
    case .blob: return .blob(try bytes(index, statement))
    case .decimal:
      // What sums of BIGINT are: whole unless the column has decimals, as an average has.
      let text = String(decoding: try bytes(index, statement), as: UTF8.self)
      if let whole = Int64(text) { return .integer(whole) }
      guard let number = Double(text) else { throw outOfRange(index) }
      return .real(number)
    }
  }

  private func bytes(_ index: Int, _ statement: UnsafeMutablePointer<MYSQL_STMT>) throws(DatabaseError)
    -> [UInt8]
  {
    let length = Int(lengths[index])
    if length <= Self.width {
      return Array(UnsafeRawBufferPointer(start: memory.advanced(by: index * Self.width), count: length))
    }
    var code: Int32 = 0
    let fetched = [UInt8](unsafeUninitializedCapacity: length) { buffer, initialized in
      var bind = MYSQL_BIND()
      var isNull: my_bool = 0
      var fetchedLength: UInt = 0
      bind.buffer_type = binds[index].buffer_type
      bind.buffer = UnsafeMutableRawPointer(buffer.baseAddress)
      bind.buffer_length = UInt(length)
      withUnsafeMutablePointer(to: &isNull) { isNull in
        withUnsafeMutablePointer(to: &fetchedLength) { fetchedLength in
          bind.is_null = isNull
          bind.length = fetchedLength
          code = mysql_stmt_fetch_column(statement, &bind, UInt32(index), 0)
        }
      }
      initialized = code == 0 ? length : 0
    }
    guard code == 0 else {
      throw DatabaseError.mysql(
        mysql_stmt_errno(statement), detail: String(cString: mysql_stmt_error(statement)), statement: nil)
    }
    return fetched
  }

  private func outOfRange(_ index: Int) -> DatabaseError {
    DatabaseError(
      .unexpectedValue, code: "range", message: "column \(columns[index]) holds a value out of range")
  }

  private static func signature(_ fields: UnsafeBufferPointer<MYSQL_FIELD>) -> [UInt64] {
    fields.map {
      UInt64($0.type.rawValue) << 32 | UInt64($0.charsetnr & 0xffff) << 8
        | UInt64($0.flags & UInt32(UNSIGNED_FLAG))
    }
  }

  private static func decoding(_ field: MYSQL_FIELD) -> Decoding {
    switch field.type {
    case MYSQL_TYPE_TINY, MYSQL_TYPE_SHORT, MYSQL_TYPE_INT24, MYSQL_TYPE_LONG, MYSQL_TYPE_LONGLONG,
      MYSQL_TYPE_YEAR:
      .integer
    case MYSQL_TYPE_FLOAT, MYSQL_TYPE_DOUBLE: .real
    case MYSQL_TYPE_DECIMAL, MYSQL_TYPE_NEWDECIMAL: .decimal
    case MYSQL_TYPE_TINY_BLOB, MYSQL_TYPE_BLOB, MYSQL_TYPE_MEDIUM_BLOB, MYSQL_TYPE_LONG_BLOB,
      MYSQL_TYPE_STRING, MYSQL_TYPE_VAR_STRING, MYSQL_TYPE_VARCHAR, MYSQL_TYPE_BIT:
      // Character set 63 is `binary`: bytes, not text.
      field.charsetnr == 63 ? .blob : .text
    default: .text
    }
  }
}
