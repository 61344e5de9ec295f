import Database

/// The type of a column in the words of its database.
struct LoopColumnType: Hashable {
  /// The type in lower case: `int(11) unsigned`, `character varying(64)`.
  let words: String
  /// The character set of text on MySQL.
  let characterSet: String?
  private let database: Dialect.Kind

  init(_ words: String, characterSet: String? = nil, of database: Dialect.Kind) {
    self.words = words.lowercased()
    self.characterSet = characterSet
    self.database = database
  }

  /// What ids of such a column may be; nil for a type that can't be compared exactly from here, such as a decimal, or
  /// PostgreSQL's `character(N)`, which adds spaces to what it holds.
  var kind: LoopIDType.Kind? {
    guard let match = words.firstMatch(of: /^([a-z0-9]+(?: varying)?)(?: ?\((\d+)\))?/) else { return nil }
    let length = match.output.2.flatMap { Int($0) }
    switch match.output.1 {
    case "tinyint": return integer(bits: 8)
    case "smallint": return integer(bits: 16)
    case "mediumint": return integer(bits: 24)
    case "int", "integer": return integer(bits: 32)
    case "bigint": return integer(bits: 64)
    case "char", "varchar", "text", "character varying", "enum":
      return .text(limit: length, last: lastCharacter)
    case "uuid": return .text(limit: 36, last: 0x7f)
    case "binary", "varbinary", "bytea", "blob": return .bytes(limit: length)
    default: return nil
    }
  }

  /// Whether the database fills up what is shorter, or drops what it could be filled up with.
  var isPadded: Bool {
    database == .mysql && words.wholeMatch(of: /(char|binary)\b.*/) != nil
  }

  private func integer(bits: Int) -> LoopIDType.Kind {
    // SQLite's only integer has 64 bits, whatever it is called.
    let bits = database == .sqlite ? 64 : bits
    let isUnsigned = words.contains("unsigned")
    let greatest = isUnsigned && bits < 64 ? (Int64(1) << bits) - 1 : Int64.max >> (64 - bits)
    return .integer((isUnsigned ? 0 : -greatest - 1)...greatest)
  }

  private var lastCharacter: UInt32 {
    switch characterSet {
    case "ascii": 0x7f
    case "utf8", "utf8mb3": 0xffff
    default: 0x10_ffff
    }
  }
}
