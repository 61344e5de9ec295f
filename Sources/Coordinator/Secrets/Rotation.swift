public import Secrets

extension VaultFile {
  /// What a rotation has on disk, one after the other. Stopped after any of them, the vault opens with its key file.
  public enum RotationMoment: CaseIterable, Sendable {
    /// The key file has the former key and the new one.
    case keysWritten
    /// The vault is encrypted with the new key.
    case vaultWritten
    /// The key file has the new key alone.
    case formerKeyForgotten
  }

  /// Encrypts every secret anew with another key: a random one in the key file, or that of another passphrase.
  ///
  /// Nothing is changed unless every secret opens. The one step that counts is the renaming of the vault's file: before
  /// it the former key opens all, after it the new one.
  ///
  /// - Parameters:
  ///   - offer: How the former key is given. A key file that it names is the one written to.
  ///   - newPassphrase: Asked for the next passphrase, of a vault that has one.
  ///   - reached: Told of each moment; what it throws stops the rotation there.
  /// - Returns: The vault as it is now, and its key.
  public func rotate(
    _ offer: KeyOffer, newPassphrase: () throws -> SecretBytes,
    reached: (RotationMoment) throws -> Void = { _ in }
  ) throws -> (vault: Vault, key: VaultKey) {
    let lock = try DirectoryLock(of: path)
    defer { withExtendedLifetime(lock) {} }
    let vault = try read()
    let former = try offer.key(of: vault).key
    switch vault.source {
    case .passphrase:
      let passphrase = try newPassphrase()
      try PassphraseSettings.check(passphrase)
      let settings = try PassphraseSettings.fresh()
      let key = try settings.key(from: passphrase)
      let next = try vault.rekeyed(from: former, to: key, source: .passphrase(settings))
      try write(next)
      try reached(.vaultWritten)
      return (next, key)
    case .file(let standard):
      let key = try VaultKey.random()
      let next = try vault.rekeyed(from: former, to: key, source: vault.source)
      let file = KeyFile(offer.file ?? standard)
      // A key that came by a descriptor may be in no file; one of another vault must not be written over.
      let isThere = file.isThere
      if isThere, try !file.keys().contains(where: { $0.id == former.id }) {
        throw SecretError(
          .exists, "the key file \(file.path)", "it holds the key of another vault",
          "name one for this vault with --key-file")
      }
      try file.write(isThere ? [former, key] : [key])
      try reached(.keysWritten)
      try write(next)
      try reached(.vaultWritten)
      try file.write([key])
      try reached(.formerKeyForgotten)
      return (next, key)
    }
  }
}
