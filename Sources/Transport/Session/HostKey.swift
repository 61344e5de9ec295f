import Digest
import Foundation

/// The public key of a host, as it shows it and as `known_hosts` stores it.
public struct HostKey: Sendable, Hashable {
  /// The algorithm, such as `ssh-ed25519`.
  public let type: String
  /// The key in the format of RFC 4253, 6.6, which begins with its type.
  public let blob: [UInt8]

  /// The order in which types are asked for where none is known.
  static let order = [
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512",
    "rsa-sha2-256", "ssh-rsa",
  ]

  /// A key from its bytes; nil if they don't begin with a type.
  public init?(blob: [UInt8]) {
    var reader = WireReader(blob[...])
    guard let type = reader.string(), !type.isEmpty, type.count <= 64,
      type.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
    else { return nil }
    self.type = String(decoding: type, as: UTF8.self)
    self.blob = blob
  }

  /// `SHA256:` and the digest in base64, as `ssh-keygen -l` prints it.
  public var fingerprint: String {
    let text = Data(Digest(of: blob).bytes).base64EncodedString()
    return "SHA256:" + text.prefix { $0 != "=" }
  }

  /// Type and key in base64, as they stand in `known_hosts`.
  var line: String { type + " " + Data(blob).base64EncodedString() }
}
