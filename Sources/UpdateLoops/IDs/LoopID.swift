public import Database

/// What a loop keeps up to date, by its key.
///
/// Two texts are the same id only if they are so byte by byte: Swift takes `é` and `e` with an accent after it for
/// equal, a database does not.
public enum LoopID: Sendable {
  /// A whole number.
  case integer(Int64)
  /// Text without NUL.
  case text(String)
  /// Bytes, as a `BINARY` column has them; written and read as hexadecimal digits.
  case bytes([UInt8])
}

extension LoopID: Hashable {
  /// Whether both are the same key.
  public static func == (left: LoopID, right: LoopID) -> Bool {
    switch (left, right) {
    case (.integer(let left), .integer(let right)): left == right
    case (.text(let left), .text(let right)): left.utf8.elementsEqual(right.utf8)
    case (.bytes(let left), .bytes(let right)): left == right
    default: false
    }
  }

  /// Feeds the key's bytes.
  public func hash(into hasher: inout Hasher) {
    switch self {
    case .integer(let number): hasher.combine(number)
    case .text(var text): text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    case .bytes(let bytes): hasher.combine(bytes)
    }
  }
}

extension LoopID: Comparable {
  /// Numbers by size, texts and bytes by their bytes.
  public static func < (left: LoopID, right: LoopID) -> Bool {
    switch (left, right) {
    case (.integer(let left), .integer(let right)): left < right
    case (.text(let left), .text(let right)): left.utf8.lexicographicallyPrecedes(right.utf8)
    case (.bytes(let left), .bytes(let right)): left.lexicographicallyPrecedes(right)
    case (.integer, _), (.text, .bytes): true
    default: false
    }
  }
}

extension LoopID: CustomStringConvertible {
  /// The number, the text, or the bytes in hexadecimal.
  public var description: String {
    switch self {
    case .integer(let number): String(number)
    case .text(let text): text
    case .bytes(let bytes): Self.hexadecimal(bytes)
    }
  }

  private static func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
  }
}

extension LoopID: Bindable {
  /// The key as a column holds it.
  public var databaseValue: Value {
    switch self {
    case .integer(let number): .integer(number)
    case .text(let text): .text(text)
    case .bytes(let bytes): .blob(bytes)
    }
  }

  /// The key in column `index`; throws `.unexpectedValue` for NULL and real numbers.
  init(_ row: Row, _ index: Int = 0) throws(DatabaseError) {
    switch row[index] {
    case .integer(let number): self = .integer(number)
    case .text(let text): self = .text(text)
    case .blob(let bytes): self = .bytes(bytes)
    case .null, .real: self = .integer(try row.integer(index))
    }
  }
}
