/// What a database cell can hold, the same five kinds in all three databases.
public enum Value: Sendable, Hashable {
  /// SQL NULL.
  case null
  /// A 64-bit signed integer; booleans are 0 and 1.
  case integer(Int64)
  /// A double.
  case real(Double)
  /// Unicode text without NUL.
  case text(String)
  /// Bytes.
  case blob([UInt8])

  /// The kind's name, for error texts, which must not show the content.
  public var kindName: String {
    switch self {
    case .null: "NULL"
    case .integer: "an integer"
    case .real: "a real number"
    case .text: "text"
    case .blob: "bytes"
    }
  }
}
