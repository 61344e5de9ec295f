/// A compiled time zone as the database keeps it: TZif, RFC 8536.
struct ZoneFile {
  /// Why the bytes are no such file.
  struct Failure: Error {
    let reason: String
  }

  private let bytes: [UInt8]
  private var position = 0

  /// The rules in `bytes`, the file of the zone `name`.
  static func rules(_ bytes: [UInt8], name: String) throws(Failure) -> ZoneRules {
    var file = ZoneFile(bytes: bytes)
    let first = try file.header()
    // Version 1 counts in 32 bits; what came after it repeats everything in 64.
    guard first.version >= 2 else { return try file.block(first, width: 4, name: name) }
    try file.skip(first.size(width: 4))
    let second = try file.header()
    return try file.block(second, width: 8, name: name)
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private struct Header {
    /// 1 where the file says nothing.
    let version: Int
    let utcMarks: Int
    let standardMarks: Int
    let leaps: Int
    let changes: Int
    let kinds: Int
    let letters: Int

    func size(width: Int) -> Int {
      changes * (width + 1) + kinds * 6 + letters + leaps * (width + 4) + standardMarks + utcMarks
    }
  }

  private mutating func header() throws(Failure) -> Header {
    guard bytes.dropFirst(position).starts(with: Array("TZif".utf8)) else {
      throw Failure(reason: "it doesn't begin with TZif")
    }
    try skip(4)
    let version = try integer(1)
    try skip(15)
    var counts: [Int] = []
    for _ in 0..<6 { counts.append(Int(try integer(4)) & 0xffff_ffff) }
    return Header(
      version: version == 0 ? 1 : Int(version) - 48, utcMarks: counts[0], standardMarks: counts[1],
      leaps: counts[2],
      changes: counts[3], kinds: counts[4], letters: counts[5])
  }

  private mutating func block(_ header: Header, width: Int, name: String) throws(Failure) -> ZoneRules {
    guard bytes.count - position >= header.size(width: width) else { throw Self.cutShort }
    guard header.leaps == 0 else { throw Failure(reason: "it counts leap seconds, which clocks here do not") }
    guard header.kinds > 0 else { throw Failure(reason: "it names no offset") }
    var moments: [Int64] = []
    // -2^59 is the beginning of time to the compiler of these files; less would overflow in sums.
    for _ in 0..<header.changes { moments.append(max(try integer(width), -1 << 59)) }
    var kinds: [Int] = []
    for _ in 0..<header.changes { kinds.append(Int(try integer(1)) & 0xff) }
    var offsets: [Int64] = []
    for _ in 0..<header.kinds {
      let offset = try integer(4)
      // A day and some hours: RFC 8536, 3.2.
      guard abs(offset) < 26 * 3600 else { throw Failure(reason: "an offset is more than a day") }
      offsets.append(offset)
      try skip(2)
    }
    try skip(header.letters + header.standardMarks + header.utcMarks)
    guard kinds.allSatisfy(offsets.indices.contains), zip(moments, moments.dropFirst()).allSatisfy(<),
      moments.allSatisfy({ $0 < 1 << 59 })
    else { throw Failure(reason: "its changes are out of order") }
    let changes = zip(moments, kinds).map { ZoneRules.Change(at: $0, offset: offsets[$1]) }
    return ZoneRules(
      name: name, first: offsets[0], changes: changes, yearly: width == 8 ? try footer() : nil)
  }

  /// What stands between two line feeds at the end; empty where clocks are not to be known.
  private func footer() throws(Failure) -> YearlyRule? {
    guard position < bytes.count, bytes[position] == UInt8(ascii: "\n"),
      let end = bytes[(position + 1)...].firstIndex(of: UInt8(ascii: "\n"))
    else { throw Self.cutShort }
    let text = bytes[(position + 1)..<end]
    if text.isEmpty { return nil }
    guard let rule = YearlyRuleParser.rule(text) else {
      throw Failure(reason: "its rule '\(String(decoding: text, as: UTF8.self))' is not understood")
    }
    return rule
  }

  private static let cutShort = Failure(reason: "it is cut short")

  private mutating func skip(_ count: Int) throws(Failure) {
    guard count <= bytes.count - position else { throw Self.cutShort }
    position += count
  }

  /// A signed big-endian number of `width` bytes.
  private mutating func integer(_ width: Int) throws(Failure) -> Int64 {
    let start = position
    try skip(width)
    var value: Int64 = 0
    for byte in bytes[start..<position] { value = value << 8 | Int64(byte) }
    let unused = Int64(64 - 8 * width)
    return (value << unused) >> unused
  }
}
