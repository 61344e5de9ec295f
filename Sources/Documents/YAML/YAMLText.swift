/// The content of a file, fit to be given to libyaml.
///
/// Yams expands aliases while it composes, and compares whole expanded trees where they stand as keys: a few
/// hundred bytes could keep it busy for ever. It also gives up at the first key written twice. So neither reaches it:
/// the `*` of whatever could be an alias, and the first letter of a repeated key, are replaced by stand-ins from a
/// private-use plane, one scalar for one scalar, so that every mark stays true. ``YAMLComposer`` puts them back.
struct YAMLText {
  /// What was written, without a byte order mark.
  let written: String
  /// What Yams is given.
  private(set) var masked: String
  /// Stands for the `*` of a possible alias; nil if there is none.
  private(set) var aliasSign: Unicode.Scalar?
  private var originals: [Unicode.Scalar: Unicode.Scalar] = [:]
  private var nextStandIn: UInt32 = 0xF0000
  private let taken: Set<Unicode.Scalar>

  /// Why a content can't be YAML text.
  struct Refusal: Error {
    let position: Position
    let message: String
  }

  /// Takes `bytes`, unless they are no text.
  init(_ bytes: [UInt8]) throws(Refusal) {
    var content = bytes[...]
    if content.starts(with: [0xEF, 0xBB, 0xBF]) { content = content.dropFirst(3) }
    if content.starts(with: [0xFF, 0xFE]) || content.starts(with: [0xFE, 0xFF]) {
      throw Refusal(position: .first, message: "the file is UTF-16; save it as UTF-8")
    }
    guard let text = String(validating: content, as: UTF8.self) else { throw Self.undecodable(content) }
    taken = try Self.privateScalars(of: text)
    written = text
    masked = text
    // Every node but the first needs one of these; composing far more of them would take gigabytes.
    let signs = content.count { [10, 13, 0x2C, 0x2D, 0x3A, 0x3F, 0x5B, 0x7B].contains($0) }
    if signs > 6_000_000 {
      throw Refusal(
        position: .first, message: "the file holds millions of values; at most a million are read")
    }
    maskAliases()
  }

  /// Replaces the letter at `position`, where a repeated key begins; false if that can't be done.
  mutating func maskKey(at position: Position) -> Bool {
    var scalars = Array(masked.unicodeScalars)
    guard var index = Self.index(of: position, in: scalars) else { return false }
    if scalars[index] == "\"" || scalars[index] == "'" { index += 1 }
    guard scalars.indices.contains(index), Self.isAnchorLetter(scalars[index]) || scalars[index].value > 0xFF
    else { return false }
    scalars[index] = standIn(for: scalars[index])
    masked = Self.text(scalars)
    return true
  }

  /// `text`, which came out of ``masked``, as it was written.
  func restored(_ text: String) -> String {
    guard !originals.isEmpty, text.unicodeScalars.contains(where: { originals[$0] != nil }) else {
      return text
    }
    return Self.text(text.unicodeScalars.map { originals[$0] ?? $0 })
  }

  /// Whether `text` was written literally at `position`, so that places inside it can be counted.
  func holds(_ text: String, at position: Position) -> Bool {
    let scalars = Array(written.unicodeScalars)
    guard let start = Self.index(of: position, in: scalars) else { return false }
    return scalars[start...].starts(with: text.unicodeScalars)
  }

  /// The last place of the text.
  var end: Position {
    var position = Position.first
    var last: Unicode.Scalar?
    for scalar in written.unicodeScalars {
      position.advance(over: scalar, after: last)
      last = scalar
    }
    return position
  }

  private mutating func maskAliases() {
    guard written.utf8.contains(UInt8(ascii: "*")) else { return }
    var scalars = Array(written.unicodeScalars)
    for index in scalars.indices.dropLast()
    where scalars[index] == "*" && Self.isAnchorLetter(scalars[index + 1]) {
      if aliasSign == nil { aliasSign = standIn(for: "*") }
      scalars[index] = aliasSign ?? "*"
    }
    if aliasSign != nil { masked = Self.text(scalars) }
  }

  private mutating func standIn(for scalar: Unicode.Scalar) -> Unicode.Scalar {
    while let candidate = Unicode.Scalar(nextStandIn) {
      nextStandIn += 1
      guard !taken.contains(candidate), nextStandIn < 0xFFFF0 else { continue }
      originals[candidate] = scalar
      return candidate
    }
    return scalar
  }

  static func isAnchorLetter(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "_", "-": true
    default: false
    }
  }

  private static func text(_ scalars: [Unicode.Scalar]) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }

  private static func index(of wanted: Position, in scalars: [Unicode.Scalar]) -> Int? {
    var position = Position.first
    for (index, scalar) in scalars.enumerated() {
      if position >= wanted { return position == wanted ? index : nil }
      position.advance(over: scalar, after: index > 0 ? scalars[index - 1] : nil)
    }
    return nil
  }

  /// Refuses what YAML 1.2 calls non-printable (5.1), and finds the scalars of plane 15 that are taken.
  private static func privateScalars(of text: String) throws(Refusal) -> Set<Unicode.Scalar> {
    var found: Set<Unicode.Scalar> = []
    var position = Position.first
    var last: Unicode.Scalar?
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x20...0x7E, 0x09, 0x0A, 0x0D, 0x85, 0xA0...0xD7FF, 0xE000...0xFEFE, 0xFF00...0xFFFD: break
      case 0xF0000...0xFFFFF: found.insert(scalar)
      case 0x10000...: break
      case 0:
        throw Refusal(
          position: position, message: "the file is binary (it holds a NUL byte); a text file is needed")
      default:
        let code = String(scalar.value, radix: 16, uppercase: true)
        let padded = String(repeating: "0", count: max(0, 4 - code.count)) + code
        throw Refusal(
          position: position, message: "the character U+\(padded) is not allowed; write it as an escape")
      }
      position.advance(over: scalar, after: last)
      last = scalar
    }
    return found
  }

  private static func undecodable(_ bytes: ArraySlice<UInt8>) -> Refusal {
    if bytes.prefix(4096).contains(0) {
      return Refusal(
        position: .first, message: "the file is binary (it holds a NUL byte); a text file is needed")
    }
    var position = Position.first
    var last: Unicode.Scalar?
    var decoder = UTF8()
    var rest = bytes.makeIterator()
    while case .scalarValue(let scalar) = decoder.decode(&rest) {
      position.advance(over: scalar, after: last)
      last = scalar
    }
    return Refusal(position: position, message: "this is not UTF-8; save the file as UTF-8")
  }
}
