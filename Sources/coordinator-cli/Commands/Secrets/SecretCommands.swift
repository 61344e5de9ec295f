import ArgumentParser
import CommandSupport
import Coordinator
import Documents
import Foundation
import Glibc
import Model
import Runtime
import Secrets

/// `coordinator secret`.
struct SecretCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "secret",
    abstract: "The vault: passwords and URLs of databases, encrypted beside the configuration.",
    discussion: """
      In the configuration secret:NAME stands for a secret: databases: {prod: secret:prod} if it is the whole URL, \
      databases: {prod: postgresql://eventor:secret:prod@db1/eventor} if it is the password alone.

      EXAMPLE
        coordinator secret init
        coordinator secret set prod
        coordinator status latest --store prod
      """,
    subcommands: [
      Init.self, Set.self, List.self, Remove.self, Rotate.self, Export.self, Import.self,
    ])

  /// `coordinator secret init`.
  struct Init: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Makes an empty vault, and prints the public key for which others can seal secrets.",
      discussion: """
        The key goes to a file that only this user can read: --key-file, or ~/.config/eventor/secrets.key \
        (/etc/eventor/secrets.key for a configuration there). With --passphrase there is none; agents are then started \
        by hand, or with --key-fd.

        EXAMPLE
          coordinator secret init
          coordinator secret init --config /etc/eventor/eventor.yaml
          coordinator secret init --passphrase
        """)

    @Flag(help: "Take the key from a passphrase: asked for, or read from --key-fd.")
    var passphrase = false

    @Flag(help: "Print one JSON document.")
    var json = false

    @OptionGroup var vault: VaultOptions

    func validate() throws {
      if passphrase, vault.key.keyFile != nil {
        throw ValidationError("--passphrase and --key-file: use one of them")
      }
      if !passphrase, vault.key.keyFd != nil {
        throw ValidationError("--key-fd: add --passphrase, which is what is read from it")
      }
    }

    func run() async throws {
      let file = try vault.file()
      let keyFile = vault.key.offer.file ?? file.standardKeyFile(home: Places.home)
      let key = try await VaultOptions.blocking { [passphrase, descriptor = vault.key.keyFd] in
        guard passphrase else { return try file.make(keyFile: keyFile) }
        return try file.make(passphrase: { () throws(SecretError) in
          if let descriptor { return try KeyOffer.text(of: descriptor) }
          return try VaultOptions.newPassphrase()
        })
      }
      guard !json else {
        return Say.out(
          JSONObject([
            ("vault", file.path), ("key", key.id), ("public_key", "\(key.publicKey)"),
            ("key_file", passphrase ? nil : keyFile),
          ]).document)
      }
      Say.line("\(key.publicKey)")
      Say.aside("made the vault \(file.path)" + (passphrase ? "\n" : " with its key in \(keyFile)\n"))
    }
  }

  /// `coordinator secret set`.
  struct Set: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Keeps a secret, read from standard input or asked for.",
      discussion: """
        A whole URL is better than a password: nobody can then change to which host it is sent. A line end after it is \
        left out.

        EXAMPLE
          coordinator secret set prod
          pass show databases/prod | coordinator secret set prod
        """)

    @Argument(help: "Its name.")
    var name: String

    @OptionGroup var vault: VaultOptions

    func validate() throws {
      try VaultOptions.check(name)
      try vault.checkInputIsFree()
    }

    func run() async throws {
      let file = try vault.file()
      try await VaultOptions.blocking { [name, offer = vault.key.offer] in
        // Complaints about the vault come before the question.
        let key = try offer.key(of: file.read()).key
        let value =
          isatty(STDIN_FILENO) == 1
          ? try SecretInput.ask("\(name): ")
          : try SecretInput.line(STDIN_FILENO, limit: Vault.longestValue, from: "standard input")
        try SecretChecks.check(value, named: name)
        try file.change { try $0.set(name, to: value, with: key) }
      }
      Say.aside("\(name) is set\n")
    }
  }

  /// `coordinator secret list`.
  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lists the names of secrets and what refers to them; needs no key.",
      discussion: """
        EXAMPLE
          coordinator secret list
          coordinator secret list --public-key
        """)

    @Flag(help: "Print the public key for which others seal secrets, instead; this needs the key.")
    var publicKey = false

    @OptionGroup var list: ListOptions
    @OptionGroup var vault: VaultOptions

    func run() async throws {
      let file = try vault.file()
      let content = try file.read()
      if publicKey {
        let key = try await VaultOptions.blocking { [offer = vault.key.offer] in
          try offer.key(of: content).key
        }
        return Say.line("\(key.publicKey)")
      }
      var table = Table([.init("name"), .init("key"), .init("used_by", title: "USED BY")])
      let uses = SecretChecks.uses(in: try Configuration.found(explicit: vault.config))
      for (name, entry) in content.entries.sorted(by: { $0.key < $1.key }) {
        let isOld = entry.keyID != content.keyID
        table.append([
          .init(name),
          .init(
            VaultKey.short(entry.keyID) + (isOld ? " (old)" : ""), style: isOld ? .bad : .plain,
            value: entry.keyID),
          .init(uses[name]?.joined(separator: " ")),
        ])
      }
      try list.show(table)
    }
  }

  /// `coordinator secret remove`.
  struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Forgets a secret; needs no key.",
      discussion: """
        EXAMPLE
          coordinator secret remove prod --yes
        """)

    @Argument(help: "Its name.")
    var name: String

    @Flag(help: "Say what would be removed; remove nothing.")
    var dryRun = false

    @Flag(help: "Do not ask.")
    var yes = false

    @OptionGroup var vault: VaultOptions

    func run() async throws {
      let file = try vault.file()
      var content = try file.read()
      try content.remove(name)
      let uses = SecretChecks.uses(in: try Configuration.found(explicit: vault.config))[name] ?? []
      let users = uses.isEmpty ? "" : ", which \(uses.joined(separator: " and ")) needs"
      if dryRun { return Say.line("would remove 1 secret: \(name)\(users)") }
      try Consent.ask("Remove 1 secret, \(name)\(users)?", isGiven: yes)
      try await VaultOptions.blocking { [name] in try file.change { try $0.remove(name) } }
      Say.aside("\(name) is removed\n")
    }
  }

  /// `coordinator secret rotate`.
  struct Rotate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract:
        "Encrypts all secrets with a new key, or that of a new passphrase, and prints the new public key.",
      discussion: """
        Stopped at any moment, the vault opens as before or as after. Agents that run go on with the passwords they have; \
        the passwords themselves are as they were, so change them too if the former key was seen.

        EXAMPLE
          coordinator secret rotate
        """)

    @Option(help: "A file descriptor from which the new passphrase is read, of a vault that has one.")
    var newKeyFd: Int32?

    @OptionGroup var vault: VaultOptions

    func run() async throws {
      let file = try vault.file()
      let (content, key) = try await VaultOptions.blocking { [newKeyFd, offer = vault.key.offer] in
        try file.rotate(
          offer,
          newPassphrase: { try newKeyFd.map { try KeyOffer.text(of: $0) } ?? VaultOptions.newPassphrase() })
      }
      Say.line("\(key.publicKey)")
      let count = content.entries.count
      Say.aside("encrypted \(count) secret\(count == 1 ? "" : "s") with key \(VaultKey.short(key.id))\n")
    }
  }
}
