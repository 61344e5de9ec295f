import ArgumentParser
import CommandSupport
import Coordinator
import Documents
import Foundation
import Glibc
import Model
import Secrets

extension SecretCommand {
  /// `coordinator secret export`.
  struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints secrets sealed for another host: only its vault can open them.",
      discussion: """
        PUBLICKEY is what `coordinator secret init` or `secret list --public-key` printed there.

        EXAMPLE
          coordinator secret export prod --for evpk1.… > for-s1
          coordinator secret export --for evpk1.… | ssh s1 coordinator secret import
        """)

    @Argument(help: "The secrets; without any, all.")
    var names: [String] = []

    @Option(name: .customLong("for"), help: "The public key of the vault they are for.")
    var recipient: String

    @OptionGroup var vault: VaultOptions

    func run() async throws {
      let recipient = try PublicKey(recipient)
      let content = try vault.file().read()
      let export = try await VaultOptions.blocking { [names, offer = vault.key.offer] in
        let names = Swift.Set(names.isEmpty ? Array(content.entries.keys) : names).sorted()
        guard !names.isEmpty else {
          throw SecretError(.noSuchSecret, "the vault", "it has no secrets", "coordinator secret set NAME")
        }
        let key = try offer.key(of: content).key
        return try SealedExport(
          names.map { ($0, try content.value(of: $0, with: key)) }, for: recipient)
      }
      Say.line("\(export)")
    }
  }

  /// `coordinator secret import`.
  struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Keeps the secrets that standard input has sealed for this vault.",
      discussion: """
        A sealed export does not tell who made it: import what comes from a host you trust. What would change a secret \
        that is there needs --yes.

        EXAMPLE
          coordinator secret import < for-s1
        """)

    @Flag(help: "Say what would be done; change nothing.")
    var dryRun = false

    @Flag(help: "Replace secrets that are there and differ.")
    var yes = false

    @OptionGroup var vault: VaultOptions

    func validate() throws { try vault.checkInputIsFree() }

    func run() async throws {
      let file = try vault.file()
      let lines = try await VaultOptions.blocking { [dryRun, yes, offer = vault.key.offer] in
        let key = try offer.key(of: file.read()).key
        let text = try SecretInput.read(STDIN_FILENO, limit: SealedExport.limit, from: "standard input")
        let export = try SealedExport(text.withBytes { String(decoding: $0, as: UTF8.self) })
        let secrets = try export.open(with: key)
        for (name, value) in secrets {
          try VaultOptions.check(name)
          try SecretChecks.check(value, named: name)
        }
        return try file.change { vault in
          let changes = try SecretChecks.changes(of: secrets, in: vault, key)
          let replaced = changes.filter { $0.change == .replaced }.map(\.name)
          guard yes || dryRun || replaced.isEmpty else {
            throw CommandFailure(
              status: .usage, what: "the import would replace \(replaced.joined(separator: ", "))",
              why: "the vault has other values", mend: "add --yes")
          }
          if !dryRun {
            for (name, value) in secrets
            where changes.contains(where: { $0.name == name && $0.change != .same }) {
              try vault.set(name, to: value, with: key)
            }
          }
          return changes.map { "\(dryRun ? "would be " : "")\($0.change.rawValue): \($0.name)\n" }
        }
      }
      for line in lines { Say.aside(line) }
    }
  }
}
