import Glibc

/// What somebody is asked who may know the passphrase of a key file.
public struct PassphraseRequest: Sendable, Hashable {
  /// The key file.
  public let path: String
  /// How often the passphrase given was wrong before.
  public let failures: Int
}

/// Gives the passphrase of a key file, or nil to go on without that key.
///
/// It is called on the thread of the session, which it may keep waiting. What it returns is wiped after use.
public typealias PassphraseSource = @Sendable (PassphraseRequest) -> [UInt8]?

enum Passphrases {
  /// Overwrites the bytes of a passphrase.
  static func wipe(_ bytes: UnsafeMutableRawBufferPointer) {
    if let start = bytes.baseAddress { explicit_bzero(start, bytes.count) }
  }
}
