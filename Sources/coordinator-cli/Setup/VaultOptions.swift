import ArgumentParser
import CommandSupport
import Coordinator
import Database
import Documents
import Foundation
import Glibc
import Model
import Runtime
import Secrets

/// Which vault a command is about, and how its key is given.
struct VaultOptions: ParsableArguments {
  @Option(help: "The configuration file; the vault is secrets.yaml beside it.")
  var config: String?

  @OptionGroup var key: KeyOptions

  /// The vault's file.
  func file() throws -> VaultFile {
    VaultFile(besideConfiguration: try Configuration.found(explicit: config).file, home: Places.home)
  }

  /// Refuses a key on standard input where that has something else.
  func checkInputIsFree() throws {
    if key.keyFd == STDIN_FILENO {
      throw ValidationError("--key-fd 0: standard input has what the command is to keep; use 3 or more")
    }
  }

  /// Refuses what is no name.
  static func check(_ name: String) throws {
    guard Name.isValid(name) else {
      throw ValidationError("'\(name)' is not a name: use 1 to 128 of A-Z a-z 0-9 _ . -")
    }
  }

  /// Asks for a passphrase, twice, since what is typed can't be seen.
  static func newPassphrase() throws(SecretError) -> SecretBytes {
    let passphrase = try SecretInput.ask("new passphrase: ")
    try PassphraseSettings.check(passphrase)
    guard passphrase.isSame(as: try SecretInput.ask("once more: ")) else {
      throw SecretError(.wrongPassphrase, "the passphrase", "the two are not the same", "type it again")
    }
    return passphrase
  }

  /// Does what waits for people, disks and hashes on a thread that may block.
  static func blocking<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await SerialWorker(name: "vault").run(body)
  }
}

/// What is asked of secrets beside their encryption.
enum SecretChecks {
  /// What an import does with a secret.
  enum Change: String, Sendable {
    case added, replaced
    case same = "unchanged"
  }

  /// Refuses a URL of a database that nothing could be opened with, before it is out of sight.
  static func check(_ value: SecretBytes, named name: String) throws {
    let schemes = ["sqlite:", "sqlite3:", "postgres", "mysql", "mariadb"]
    guard schemes.contains(where: { scheme in value.withBytes { $0.starts(with: scheme.utf8) } }),
      value.withBytes({ $0.contains(UInt8(ascii: ":")) })
    else { return }
    _ = try StoreURL(SecretURL(value, named: name).text)
  }

  /// The tags, and `store`, of a configuration that refer to each secret.
  static func uses(in configuration: Configuration) -> [String: [String]] {
    var uses: [String: [String]] = [:]
    for (tag, text) in configuration.databases.sorted(by: { $0.key < $1.key }) {
      if let name = configuration.secretName(in: text) { uses[name, default: []].append(tag) }
    }
    if let name = configuration.store.flatMap(configuration.secretName) {
      uses[name, default: []].append("store")
    }
    return uses
  }

  /// What keeping `secrets` would do, by name.
  static func changes(
    of secrets: [(name: String, value: SecretBytes)], in vault: Vault, _ key: VaultKey
  ) throws -> [(name: String, change: Change)] {
    try secrets.map { name, value in
      guard vault.entries[name] != nil else { return (name, .added) }
      return (name, try vault.value(of: name, with: key).isSame(as: value) ? .same : .replaced)
    }
  }
}
