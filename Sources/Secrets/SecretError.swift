/// Why a secret can't be had or kept. Never shows a secret, a key or a part of one.
public struct SecretError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What the caller can act on.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// There is no vault.
    case noVault
    /// What was to be made is there already.
    case exists
    /// A file can't be read.
    case unreadable
    /// A file can't be written.
    case unwritable
    /// Others may read the key, or change it or the vault.
    case exposed
    /// There is no key to open the vault with, and nobody to ask.
    case noKey
    /// The key file holds no key in the form it must have.
    case badKey
    /// A key, but not that of the vault.
    case wrongKey
    /// A passphrase, but not that of the vault.
    case wrongPassphrase
    /// A passphrase that can be guessed.
    case weakPassphrase
    /// The vault or an entry does not have the form it must have, as after it was cut off.
    case malformed
    /// An entry that another key encrypted: of before a rotation, or of another vault.
    case oldKey
    /// An entry that was changed, or moved from another tag.
    case tampered
    /// The vault has no secret of that name.
    case noSuchSecret
    /// What is no public key, or one nothing can be sealed for.
    case badPublicKey
    /// An export that was sealed for another host.
    case notForUs
    /// An export that was changed or cut off.
    case badExport
    /// A value that can't be kept: empty, too long, or with a NUL.
    case badValue
    /// Whoever was asked pressed Ctrl-C.
    case interrupted
    /// The system refuses memory, random numbers or a file's lock.
    case system
  }

  /// What the caller can act on.
  public let kind: Kind
  /// What can't be done, or what is wrong.
  public let what: String
  /// Why.
  public let why: String
  /// How to mend it; may be empty.
  public let mend: String

  /// An error of these parts.
  public init(_ kind: Kind, _ what: String, _ why: String, _ mend: String = "") {
    self.kind = kind
    self.what = what
    self.why = why
    self.mend = mend
  }

  /// `WHAT: WHY; HOW TO MEND`.
  public var description: String { what + ": " + why + (mend.isEmpty ? "" : "; " + mend) }
}
