import Foundation
import Glibc
public import Secrets

extension VaultFile {
  /// Makes an empty vault whose key, a new one, is in a file.
  ///
  /// - Throws: ``SecretError`` with `.exists` if there is a vault or a key file, `.unwritable` or `.exposed`.
  public func make(keyFile path: String) throws(SecretError) -> VaultKey {
    try prepare()
    try makeDirectory(of: path)
    let file = KeyFile(path)
    guard !file.isThere else {
      throw SecretError(
        .exists, "the key file \(path)", "it is there already, and may be another vault's",
        "name another with --key-file")
    }
    let key = try VaultKey.random()
    try file.write([key])
    do throws(SecretError) {
      try make(Vault(key: key, from: .file(path)))
    } catch {
      // Nothing was encrypted with it.
      unlink(path)
      throw error
    }
    return key
  }

  /// Makes an empty vault whose key comes from a passphrase. Takes most of a second.
  ///
  /// - Throws: ``SecretError`` with `.exists`, `.weakPassphrase` or `.unwritable`.
  public func make(passphrase: () throws(SecretError) -> SecretBytes) throws(SecretError) -> VaultKey {
    try prepare()
    let passphrase = try passphrase()
    try PassphraseSettings.check(passphrase)
    let settings = try PassphraseSettings.fresh()
    let key = try settings.key(from: passphrase)
    try make(Vault(key: key, from: .passphrase(settings)))
    return key
  }

  /// Asked before anything is typed or made, and again under the lock.
  private func prepare() throws(SecretError) {
    CoreDumps.forbid()
    try makeDirectory(of: path)
    if access(path, F_OK) == 0 { throw alreadyThere }
  }

  /// Nobody else may write where keys are, or read where they are kept.
  private func makeDirectory(of path: String) throws(SecretError) {
    let directory = (path as NSString).deletingLastPathComponent
    guard !directory.isEmpty, access(directory, F_OK) != 0 else { return }
    do {
      try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw SecretError(
        .unwritable, "the directory \(directory)", String(cString: strerror(errno)),
        "make it, or name another")
    }
  }
}
