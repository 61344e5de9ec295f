public import ArgumentParser
import Coordinator
public import Secrets

/// How the key of the vault is given, where a database's password is a secret.
public struct KeyOptions: ParsableArguments, Sendable {
  /// A key file in place of the one the vault names.
  @Option(help: "The key file of the vault, in place of the one it names.")
  public var keyFile: String?

  /// A descriptor from which the key or the passphrase can be read.
  @Option(help: "A file descriptor from which the vault's key or passphrase is read.")
  public var keyFd: Int32?

  /// None said.
  public init() {}

  /// What was said, as the vault takes it.
  public var offer: KeyOffer { KeyOffer(file: keyFile.map(Places.absolute), descriptor: keyFd) }

  /// Refuses what can't be meant.
  public func validate() throws {
    if let keyFd, keyFd < 0 || keyFd == 1 || keyFd == 2 {
      throw ValidationError("--key-fd \(keyFd): use 0, or 3 and more")
    }
  }
}
