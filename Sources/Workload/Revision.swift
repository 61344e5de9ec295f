import Digest

/// The revision of a document, `N-hash`: how often it was written, and a hash over all that was written so far.
///
/// The hash is the first 16 bytes of SHA-256 over the text of the revision before (nothing for the first one) and the
/// content, in hexadecimal. So a revision can only follow the one it names, and a copy of the database can be checked
/// without this program.
public struct Revision: Sendable, Hashable, CustomStringConvertible {
  /// How often the document was written, from 1.
  public let number: Int
  /// 32 hexadecimal digits.
  public let hash: String

  /// The revision that `content` makes after `previous`, or as the first.
  public init(after previous: Revision?, content: [UInt8]) {
    number = (previous?.number ?? 0) + 1
    var bytes: [UInt8] = []
    bytes.reserveCapacity(64 + content.count)
    if let previous { bytes += previous.description.utf8 }
    bytes += content
    hash = String(Digest(of: bytes).hexadecimal.prefix(Self.digits))
  }

  /// Reads `N-hash`; nil for anything else.
  public init?(_ text: String) {
    guard let dash = text.firstIndex(of: "-") else { return nil }
    let hash = text[text.index(after: dash)...]
    guard let number = Int(text[..<dash]), number > 0, text.first?.isNumber == true,
      hash.utf8.count == Self.digits,
      hash.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
    else { return nil }
    self.number = number
    self.hash = String(hash)
  }

  /// `N-hash`.
  public var description: String { "\(number)-\(hash)" }

  private static let digits = 32
}
