import Documents
import Foundation
import Glibc
import Model
public import Secrets

/// The file `secrets.yaml` of a configuration: read, and changed as a whole.
public struct VaultFile: Sendable, Hashable {
  /// Where it is.
  public let path: String

  /// The file at `path`.
  public init(path: String) { self.path = path }

  /// The vault that goes with a configuration file: beside it, or in the user's own directory of configurations if there
  /// is none.
  public init(besideConfiguration file: String?, home: String?) {
    let directory = file.map { ($0 as NSString).deletingLastPathComponent } ?? Self.ownDirectory(home)
    path = (directory.isEmpty ? "." : directory) + "/secrets.yaml"
  }

  /// Where the key file of a new vault here goes: not beside configurations that are shared or kept in a repository.
  public func standardKeyFile(home: String?) -> String {
    (path.hasPrefix("/etc/") ? (path as NSString).deletingLastPathComponent : Self.ownDirectory(home))
      + "/secrets.key"
  }

  private static func ownDirectory(_ home: String?) -> String { (home ?? "") + "/.config/eventor" }

  /// The vault in it.
  ///
  /// - Throws: ``SecretError`` with `.noVault`, `.unreadable`, `.exposed` or `.malformed`.
  public func read() throws(SecretError) -> Vault {
    try checkMode()
    let document: SecretsDocument
    do {
      document = try SecretsDocument.read(path: path)
    } catch {
      throw failure(error)
    }
    guard document.format == Vault.format else {
      throw malformed("its format is \(document.format), and this version knows \(Vault.format)")
    }
    for name in document.entries.keys.sorted() where !Name.isValid(name) {
      throw malformed("a secret has a name that can't be one")
    }
    let source: Vault.Source
    switch (document.key.file, document.key.passphrase) {
    case (let file?, nil): source = .file(expanded(file))
    case (nil, let passphrase?):
      source = .passphrase(
        try PassphraseSettings(
          salt: passphrase.salt, operations: passphrase.operations, memory: passphrase.memory))
    default: throw malformed("its key must have either a file or a passphrase")
    }
    return try Vault(keyID: document.key.id, source: source, entries: document.entries)
  }

  /// Makes a new vault with `vault` in it, and nothing else at its place.
  ///
  /// - Throws: ``SecretError`` with `.exists` or `.unwritable`.
  public func make(_ vault: Vault) throws(SecretError) {
    let lock = try DirectoryLock(of: path)
    guard access(path, F_OK) != 0 else { throw alreadyThere }
    try write(vault)
    withExtendedLifetime(lock) {}
  }

  /// Changes what is in it; no other command does so at the same time, and a crash leaves it as it was or as it will be.
  public func change<T>(_ body: (inout Vault) throws -> T) throws -> T {
    let lock = try DirectoryLock(of: path)
    var vault = try read()
    let former = vault
    let result = try body(&vault)
    if vault != former { try write(vault) }
    withExtendedLifetime(lock) {}
    return result
  }

  var alreadyThere: SecretError {
    SecretError(
      .exists, "the vault \(path)", "it is there already, and is never overwritten",
      "change its key with `coordinator secret rotate`, or name another configuration with --config")
  }

  func write(_ vault: Vault) throws(SecretError) {
    let bytes = Array(vault.text.utf8)
    var failure: SecretError?
    bytes.withUnsafeBufferPointer { bytes in
      do throws(SecretError) {
        try DurableFile.replace(path, with: bytes, mode: 0o644)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }

  /// Whoever may change the file may put older entries back, or name another key file.
  private func checkMode() throws(SecretError) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw SecretError(
        errno == ENOENT || errno == ENOTDIR ? .noVault : .unreadable, "the vault \(path)",
        errno == ENOENT || errno == ENOTDIR ? "there is none" : String(cString: strerror(errno)),
        "make one with `coordinator secret init`")
    }
    guard status.st_mode & 0o022 == 0 else {
      throw SecretError(.exposed, "the vault \(path)", "others may change it", "chmod go-w \(path)")
    }
  }

  private func failure(_ error: DocumentError) -> SecretError {
    switch error {
    case .unreadable(_, let reason, let hint):
      return SecretError(.unreadable, "the vault \(path)", reason, hint)
    case .invalid(let diagnostics):
      guard let first = diagnostics.first else { return malformed("it is empty") }
      return malformed("line \(first.mark.line): \(first.message)")
    }
  }

  private func malformed(_ why: String) -> SecretError {
    SecretError(.malformed, "the vault \(path)", why, "restore the file from a backup")
  }

  private func expanded(_ file: String) -> String {
    guard file.hasPrefix("~/"), let home = ProcessInfo.processInfo.environment["HOME"] else { return file }
    return home + file.dropFirst()
  }
}
