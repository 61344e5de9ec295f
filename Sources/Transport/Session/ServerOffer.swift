import CSSH2

/// What a host said before encryption began: its greeting, and the algorithms it offers (RFC 4253, 4.2 and 7.1).
///
/// libssh2 tells only that no agreement was reached; people need to know on what.
struct ServerOffer {
  /// One list of algorithms on which the two ends must agree.
  struct List {
    let noun: String
    let method: Int32
    let names: [String]
  }

  /// The line that begins with `SSH-`, if there was one.
  private(set) var greeting: String?
  /// What was said instead.
  private(set) var otherWords: String?
  /// Lists of algorithms; none if they did not come, or came damaged.
  private(set) var lists: [List] = []

  /// Reads the first bytes that were received.
  init(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      let line = String(decoding: rest[..<end], as: UTF8.self).trimmingSuffix("\r")
      rest = rest[(end + 1)...]
      if line.hasPrefix("SSH-") {
        greeting = line
        break
      }
      if otherWords == nil { otherWords = line }
    }
    if greeting == nil {
      if otherWords == nil, !rest.isEmpty { otherWords = String(decoding: rest.prefix(80), as: UTF8.self) }
      return
    }
    lists = Self.lists(in: rest)
  }

  /// The first list in which nothing is known here, of those this libssh2 supports in `session`.
  func disagreement(in session: OpaquePointer) -> List? {
    lists.first { list in
      let ours = Self.supported(list.method, in: session)
      return !ours.isEmpty && Set(ours).isDisjoint(with: list.names)
    }
  }

  /// The algorithms of one method that libssh2 supports.
  static func supported(_ method: Int32, in session: OpaquePointer) -> [String] {
    var names: UnsafeMutablePointer<UnsafePointer<CChar>?>?
    let count = libssh2_session_supported_algs(session, method, &names)
    guard count > 0, let names else { return [] }
    defer { libssh2_free(session, names) }
    return (0..<Int(count)).compactMap { index in names[index].map { String(cString: $0) } }
  }

  /// `uint32 length, byte padding, byte 20, 16 bytes of a cookie`, and then a name-list for each.
  private static func lists(in packet: ArraySlice<UInt8>) -> [List] {
    var reader = WireReader(packet)
    guard let length = reader.number(), length >= 18, length <= 35_000, reader.bytes(1) != nil,
      reader.bytes(1)?.first == 20, reader.bytes(16) != nil
    else { return [] }
    let kinds: [(String, Int32)] = [
      ("key exchange method", LIBSSH2_METHOD_KEX), ("host key type", LIBSSH2_METHOD_HOSTKEY),
      ("cipher", LIBSSH2_METHOD_CRYPT_CS), ("cipher", LIBSSH2_METHOD_CRYPT_SC),
      ("message authentication code", LIBSSH2_METHOD_MAC_CS),
      ("message authentication code", LIBSSH2_METHOD_MAC_SC),
    ]
    var lists: [List] = []
    for (noun, method) in kinds {
      guard let text = reader.string() else { return [] }
      let names = String(decoding: text, as: UTF8.self).split(separator: ",").map(String.init)
      lists.append(List(noun: noun, method: method, names: names))
    }
    return lists
  }
}

/// Reads numbers and strings as the SSH protocol and its key files write them (RFC 4251, 5).
struct WireReader {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  /// `count` bytes, or nil if there are fewer.
  mutating func bytes(_ count: Int) -> ArraySlice<UInt8>? {
    guard count >= 0, count <= rest.count else { return nil }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  /// A number of four bytes.
  mutating func number() -> Int? { bytes(4)?.reduce(0) { $0 << 8 | Int($1) } }

  /// A string after its length.
  mutating func string() -> ArraySlice<UInt8>? { number().flatMap { bytes($0) } }
}

extension String {
  fileprivate func trimmingSuffix(_ suffix: String) -> String {
    hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
  }
}
