import CPostgres
import Database
import Glibc

/// Owns one result of libpq.
final class PostgresResult {
  private let pointer: OpaquePointer
  private lazy var columns: [String] = (0..<PQnfields(pointer)).map { index in
    PQfname(pointer, index).map { String(cString: $0) } ?? ""
  }
  private lazy var types: [Oid] = (0..<PQnfields(pointer)).map { PQftype(pointer, $0) }

  init(_ pointer: OpaquePointer) {
    self.pointer = pointer
  }

  deinit {
    PQclear(pointer)
  }

  var status: ExecStatusType { PQresultStatus(pointer) }
  var isError: Bool { status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE }
  var rowCount: Int { Int(PQntuples(pointer)) }

  /// The rows a command changed; 0 for others.
  var affectedRows: Int {
    PQcmdTuples(pointer).flatMap { Int(String(cString: $0)) } ?? 0
  }

  /// The command's tag, such as `COMMIT`.
  var tag: String { PQcmdStatus(pointer).map { String(cString: $0) } ?? "" }

  /// A field of the error, such as `EVENTOR_PG_DIAG_SQLSTATE`.
  func field(_ code: Int32) -> String? {
    PQresultErrorField(pointer, code).map { String(cString: $0) }
  }

  /// All rows, copied out of libpq; throws as ``row(_:)`` does.
  func rows() throws(DatabaseError) -> [Row] {
    var rows: [Row] = []
    rows.reserveCapacity(rowCount)
    for index in 0..<rowCount { rows.append(try row(index)) }
    return rows
  }

  /// Row `index`, copied out of libpq; throws `.unexpectedValue` for a number beyond 64 bits.
  func row(_ index: Int) throws(DatabaseError) -> Row {
    var values: [Value] = []
    values.reserveCapacity(types.count)
    for (column, type) in types.enumerated() {
      let column = Int32(column)
      if PQgetisnull(pointer, Int32(index), column) != 0 {
        values.append(.null)
        continue
      }
      guard let start = PQgetvalue(pointer, Int32(index), column) else {
        values.append(.null)
        continue
      }
      let length = Int(PQgetlength(pointer, Int32(index), column))
      let bytes = UnsafeRawBufferPointer(start: start, count: length)
      guard let value = PostgresValue.decode(bytes, type: type) else {
        throw DatabaseError(
          .unexpectedValue, code: "type \(type)",
          message: "column \(columns[Int(column)]) holds a value out of range")
      }
      values.append(value)
    }
    return Row(values: values, columns: columns)
  }
}

/// How PostgreSQL's text form of a type becomes a value.
enum PostgresValue {
  /// Nil if the text is none of its type, or a number beyond 64 bits. The numbers are those of pg_type.dat.
  static func decode(_ bytes: UnsafeRawBufferPointer, type: Oid) -> Value? {
    switch type {
    case 20, 21, 23, 26: return integer(bytes).map(Value.integer)
    case 16: return .integer(bytes.first == UInt8(ascii: "t") ? 1 : 0)
    case 700, 701: return Double(text(bytes)).map(Value.real)
    case 17: return bytea(bytes).map(Value.blob)
    // NUMERIC is what sums of BIGINT have: whole unless it has a decimal point, as in an average.
    case 1700:
      if let whole = integer(bytes) { return .integer(whole) }
      return Double(text(bytes)).map(Value.real)
    default: return .text(text(bytes))
    }
  }

  private static func text(_ bytes: UnsafeRawBufferPointer) -> String {
    String(decoding: bytes, as: UTF8.self)
  }

  private static func integer(_ bytes: UnsafeRawBufferPointer) -> Int64? {
    let isNegative = bytes.first == UInt8(ascii: "-")
    var sum: Int64 = 0
    guard bytes.count > (isNegative ? 1 : 0) else { return nil }
    for byte in bytes.dropFirst(isNegative ? 1 : 0) {
      let digit = Int64(byte) - 0x30
      guard (0...9).contains(digit) else { return nil }
      // Built up on the negative side, which reaches one further.
      let (tenfold, tooBig) = sum.multipliedReportingOverflow(by: 10)
      let (next, tooBigAgain) = tenfold.subtractingReportingOverflow(digit)
      if tooBig || tooBigAgain { return nil }
      sum = next
    }
    if isNegative { return sum }
    return sum == .min ? nil : -sum
  }

  /// `\x0a1b`, the only form since 9.0 unless `bytea_output` says otherwise, which the session sets.
  private static func bytea(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
    guard bytes.count >= 2, bytes.count % 2 == 0, bytes[0] == UInt8(ascii: "\\"),
      bytes[1] == UInt8(ascii: "x")
    else { return nil }
    func nibble(_ byte: UInt8) -> UInt8? {
      switch byte {
      case 0x30...0x39: byte - 0x30
      case 0x61...0x66: byte - 0x61 + 10
      default: nil
      }
    }
    var decoded: [UInt8] = []
    decoded.reserveCapacity(bytes.count / 2 - 1)
    for index in stride(from: 2, to: bytes.count, by: 2) {
      guard let high = nibble(bytes[index]), let low = nibble(bytes[index + 1]) else { return nil }
      decoded.append(high << 4 | low)
    }
    return decoded
  }
}
