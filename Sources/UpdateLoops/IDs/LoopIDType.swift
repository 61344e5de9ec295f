/// What the ids of a loop are.
public struct LoopIDType: Sendable, Hashable, CustomStringConvertible {
  /// What ids may be, as far as this side can tell before the database does.
  public enum Kind: Sendable, Hashable {
    /// Whole numbers in a range.
    case integer(ClosedRange<Int64>)
    /// Text of at most `limit` code points (nil: any number), none above `last`.
    case text(limit: Int?, last: UInt32)
    /// At most `limit` bytes (nil: any number).
    case bytes(limit: Int?)
  }

  /// What ids may be.
  public let kind: Kind
  /// The type in words: `int`, `text(64)`, or what an existing table calls it.
  public let description: String

  /// Whether the column holds values of one length and fills up others, as `CHAR(N)` and `BINARY(N)` of MySQL do.
  private let isPadded: Bool

  /// The type of an existing column.
  init(kind: Kind, description: String, isPadded: Bool) {
    self.kind = kind
    self.description = description
    self.isPadded = isPadded
  }

  /// Whole numbers of 32 bits; what a loop has unless one says otherwise. (64 bits on SQLite, which has no other.)
  public static let int = LoopIDType(
    kind: .integer(-0x8000_0000...0x7fff_ffff), description: "int", isPadded: false)
  /// Whole numbers of 64 bits.
  public static let bigint = LoopIDType(
    kind: .integer(.min...(.max)), description: "bigint", isPadded: false)

  /// Reads what people write: `int`, `bigint`, `text`, `text(64)`, `char(64)`, `char(64) charset ascii`, `bytes(16)`.
  ///
  /// `varchar` is another name of `text`, `binary` and `varbinary` of `bytes`.
  ///
  /// - Throws: ``LoopError`` (`invalid`) for anything else: what is not one of these words never reaches a database.
  public init(_ text: String) throws(LoopError) {
    let words = text.lowercased().split(separator: " ").joined(separator: " ")
    guard
      let match = words.wholeMatch(
        of: /([a-z]+) ?(?:\( ?(\d{1,4}) ?\))?( (?:charset |character set )?ascii)?/)
    else { throw Self.unknown(text) }
    let (name, isASCII) = (match.output.1, match.output.3 != nil)
    let length = match.output.2.flatMap { Int($0) }
    switch name {
    case "int" where length == nil && !isASCII, "integer" where length == nil && !isASCII: self = .int
    case "bigint" where length == nil && !isASCII: self = .bigint
    case "text", "varchar", "char":
      let length = length ?? 255
      // What an index of InnoDB holds: 3072 bytes.
      guard (1...(isASCII ? 3072 : 768)).contains(length), name != "char" || length <= 255 else {
        throw LoopError(
          .invalid, "id type '\(text)'", why: "an index can't hold ids of that length",
          mend: "use char(255), text(768) or less")
      }
      isPadded = false
      kind = .text(limit: length, last: isASCII ? 0x7f : 0x10_ffff)
      description = "\(name == "char" ? "char" : "text")(\(length))\(isASCII ? " ascii" : "")"
    case "bytes", "binary", "varbinary":
      let length = length ?? 255
      guard (1...3072).contains(length), !isASCII else { throw Self.unknown(text) }
      isPadded = false
      kind = .bytes(limit: length)
      description = "bytes(\(length))"
    default: throw Self.unknown(text)
    }
  }

  private static func unknown(_ text: String) -> LoopError {
    LoopError(
      .invalid, "id type '\(text)'", why: "there is no such type",
      mend: "use int, bigint, text(N), char(N) or bytes(N)")
  }

  /// Whether ids are whole numbers.
  public var isInteger: Bool {
    if case .integer = kind { true } else { false }
  }

  /// Reads an id from the text that people and files have for it.
  ///
  /// - Throws: ``LoopError`` (`invalid`) if it is none of this type.
  public func id(_ text: String) throws(LoopError) -> LoopID {
    switch kind {
    case .integer:
      guard let number = Int64(text) else { throw refused(text, "it is no whole number of 64 bits") }
      return try admitted(.integer(number))
    case .text: return try admitted(.text(text))
    case .bytes:
      guard let bytes = Self.bytes(text) else {
        throw refused(text, "it is not written in hexadecimal digits")
      }
      return try admitted(.bytes(bytes))
    }
  }

  /// `id` itself, where it is of this type.
  ///
  /// Checked on this side, because databases differ in what they make of a number that is too big or a text that is
  /// too long, from an error to another id.
  ///
  /// - Throws: ``LoopError`` (`invalid`) if it is not.
  public func admitted(_ id: LoopID) throws(LoopError) -> LoopID {
    switch (kind, id) {
    case (.integer(let range), .integer(let number)):
      guard range.contains(number) else { throw refused("\(number)", "it is out of range") }
    case (.text(let limit, let last), .text(let text)):
      guard limit.map({ text.unicodeScalars.count <= $0 }) ?? true else {
        throw refused(text, "it is too long")
      }
      guard text.unicodeScalars.allSatisfy({ $0.value != 0 && $0.value <= last }) else {
        throw refused(text, "it has a character that the column can't hold")
      }
      // MySQL would make another id of it without a word.
      guard !isPadded || text.last != " " else {
        throw refused(text, "it ends with a space, which a CHAR column does not keep")
      }
    case (.bytes(let limit), .bytes(let bytes)):
      guard limit.map({ bytes.count <= $0 }) ?? true else { throw refused("\(id)", "it is too long") }
      guard !isPadded || bytes.count == limit else {
        throw refused("\(id)", "it is too short, and a BINARY column fills it up with zeros")
      }
    default: throw refused("\(id)", "it is of another type")
    }
    return id
  }

  private func refused(_ text: String, _ why: String) -> LoopError {
    let shown = text.unicodeScalars.count > 80 ? String(text.prefix(60)) + "…" : text
    return LoopError(.invalid, "id '\(shown)'", why: why, mend: "the ids of this loop are \(self)")
  }

  private static func bytes(_ text: String) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      let pair = String(decoding: digits[index...(index + 1)], as: UTF8.self)
      guard pair.utf8.first != UInt8(ascii: "+"), let byte = UInt8(pair, radix: 16) else { return nil }
      bytes.append(byte)
    }
    return bytes
  }
}
