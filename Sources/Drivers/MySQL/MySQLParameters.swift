import CMySQL
import Database

/// The values of one statement as the connector wants them.
struct MySQLParameters {
  private var content: [UInt8] = []
  private var binds: [MYSQL_BIND] = []
  private var starts: [Int] = []

  init(_ values: [Value]) {
    for value in values {
      var bind = MYSQL_BIND()
      // Numbers are read in place, so they begin where a 64-bit number may.
      while content.count % 8 != 0 { content.append(0) }
      starts.append(content.count)
      switch value {
      case .null: bind.buffer_type = MYSQL_TYPE_NULL
      case .integer(let number):
        bind.buffer_type = MYSQL_TYPE_LONGLONG
        withUnsafeBytes(of: number) { content += $0 }
      case .real(let number):
        bind.buffer_type = MYSQL_TYPE_DOUBLE
        withUnsafeBytes(of: number) { content += $0 }
      case .text(let text):
        bind.buffer_type = MYSQL_TYPE_STRING
        content += text.utf8
      case .blob(let bytes):
        bind.buffer_type = MYSQL_TYPE_BLOB
        content += bytes
      }
      bind.buffer_length = UInt(content.count - (starts.last ?? 0))
      binds.append(bind)
    }
    content.append(0)  // so that an empty last value has an address
  }

  /// Lends the bindings for the call of `body`, which must bind and execute.
  mutating func withBinds<R>(_ body: (UnsafeMutablePointer<MYSQL_BIND>?) -> R) -> R {
    content.withUnsafeMutableBytes { buffer in
      for index in binds.indices {
        binds[index].buffer = buffer.baseAddress?.advanced(by: starts[index])
      }
      return binds.withUnsafeMutableBufferPointer { pointers in
        // length_value is what the connector reads where no length pointer is given.
        for index in pointers.indices { pointers[index].length_value = pointers[index].buffer_length }
        return body(pointers.baseAddress)
      }
    }
  }
}
