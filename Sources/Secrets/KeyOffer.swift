import Glibc

/// How whoever calls gives the key of a vault, beyond what the vault itself says.
public struct KeyOffer: Sendable, Hashable {
  /// A key file in place of the vault's.
  public var file: String?
  /// A descriptor from which a key or a passphrase can be read, once.
  public var descriptor: Int32?

  /// An offer of these; none of them, and the vault's own key file is read, or its passphrase asked for.
  public init(file: String? = nil, descriptor: Int32? = nil) {
    self.file = file
    self.descriptor = descriptor
  }

  /// The key of `vault`, and whether it can be had again in the same way. Blocks: for a person to answer, and for
  /// most of a second where there is a passphrase.
  ///
  /// - Throws: ``SecretError`` with `.noKey`, `.exposed`, `.badKey`, `.wrongKey`, `.wrongPassphrase`, `.interrupted`.
  public func key(of vault: Vault) throws(SecretError) -> (key: VaultKey, isLasting: Bool) {
    CoreDumps.forbid()
    if let descriptor {
      let text = try Self.text(of: descriptor)
      if !KeyText.isMeant(text), case .passphrase(let settings) = vault.source {
        return (try Self.derived(from: text, settings, vault), false)
      }
      return (try Self.pick(KeyText.keys(in: text, from: "descriptor \(descriptor)"), vault), false)
    }
    switch (file, vault.source) {
    case (let file?, _), (nil, .file(let file)): return (try Self.pick(KeyFile(file).keys(), vault), true)
    case (nil, .passphrase(let settings)):
      return (try Self.derived(from: SecretInput.ask("passphrase of the vault: "), settings, vault), false)
    }
  }

  /// The text, without the end of its last line, that `descriptor` gives; it is closed, or steps would inherit it.
  public static func text(of descriptor: Int32) throws(SecretError) -> SecretBytes {
    defer { close(descriptor) }
    return try SecretInput.line(descriptor, limit: 4096, from: "descriptor \(descriptor)")
  }

  /// A descriptor from which a program that takes this one's place can read `key` as by `--key-fd`: it stays open
  /// over execve(2), and is number `wanted` if one is.
  ///
  /// - Throws: ``SecretError`` with `.system`.
  public static func handOn(_ key: VaultKey, as wanted: Int32?) throws(SecretError) -> Int32 {
    func failure() -> SecretError {
      SecretError(.system, "the key", "it can't be handed on: " + String(cString: strerror(errno)))
    }
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw failure() }
    // A pipe takes 64 KiB before anybody reads.
    let text = try KeyText.text(of: [key])
    let isWritten = text.withBytes { write(ends[1], $0.baseAddress, $0.count) == $0.count }
    // Before the number that is wanted is taken, which may be this one's.
    close(ends[1])
    guard isWritten else { throw failure() }
    guard let wanted, wanted != ends[0] else { return ends[0] }
    defer { close(ends[0]) }
    guard dup2(ends[0], wanted) >= 0 else { throw failure() }
    return wanted
  }

  private static func pick(_ keys: [VaultKey], _ vault: Vault) throws(SecretError) -> VaultKey {
    if let key = keys.first(where: { $0.id == vault.keyID }) { return key }
    if let key = keys.first { try vault.check(key) }
    throw SecretError(.noKey, "the vault", "there is no key", "name one with --key-file")
  }

  private static func derived(
    from passphrase: SecretBytes, _ settings: PassphraseSettings, _ vault: Vault
  ) throws(SecretError) -> VaultKey {
    let key = try settings.key(from: passphrase)
    guard key.id == vault.keyID else {
      throw SecretError(
        .wrongPassphrase, "the passphrase", "it is not that of the vault", "give the one of its last rotation"
      )
    }
    return key
  }
}
