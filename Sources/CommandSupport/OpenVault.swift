public import Coordinator
public import Database
public import Documents
import Runtime
public import Secrets
import Synchronization

/// The vault of this process's configuration, opened once: a key that was typed or came by a descriptor does not come
/// twice.
public enum OpenVault {
  /// Such a key, and where it came from. Keys of files are forgotten as soon as they were used.
  private static let passing = Mutex<(key: VaultKey, descriptor: Int32?)?>(nil)
  /// Descriptors that were read: their numbers may be some other file's by now.
  private static let read = Mutex<Set<Int32>>([])
  private static let wasWarned = Mutex(false)

  /// The secret `name`. Blocks.
  ///
  /// - Throws: ``SecretError``.
  static func secret(_ name: String, of configuration: Configuration, _ offer: KeyOffer) throws -> SecretBytes
  {
    let vault = try VaultFile(besideConfiguration: configuration.file, home: Places.home).read()
    let secret = try vault.value(of: name, with: key(of: vault, offer))
    let isFirst = wasWarned.withLock { wasWarned in
      defer { wasWarned = wasWarned || !secret.isLocked }
      return !wasWarned
    }
    if !secret.isLocked, isFirst {
      Say.warning("the system keeps no memory for secrets out of swap space here; raise `ulimit -l`")
    }
    return secret
  }

  private static func key(of vault: Vault, _ offer: KeyOffer) throws(SecretError) -> VaultKey {
    if let known = passing.withLock({ $0?.key }), known.id == vault.keyID { return known }
    if let descriptor = offer.descriptor, !read.withLock({ $0.insert(descriptor).inserted }) {
      throw SecretError(
        .wrongKey, "descriptor \(descriptor)", "it was read already, and the vault has another key by now",
        "start the program again with the new one")
    }
    let (key, isLasting) = try offer.key(of: vault)
    if !isLasting { passing.withLock { $0 = (key, offer.descriptor) } }
    return key
  }

  /// Whether only this process can have the key, and another that it starts can't.
  public static var hasPassingKey: Bool { passing.withLock { $0 != nil } }

  /// Readies a key that does not come twice for the program that is about to take this one's place.
  ///
  /// - Returns: What to set in the environment: `EVENTOR_KEY_FD`; nil if there is nothing to hand on.
  /// - Throws: ``SecretError`` with `.system`.
  public static func handOn() throws -> String? {
    guard let (key, descriptor) = passing.withLock({ $0 }) else { return nil }
    return String(try KeyOffer.handOn(key, as: descriptor))
  }
}

extension SecretBytes: PasswordKeeper {}

extension OpenVault {
  /// The secret `name` as the value of a secret parameter, for the environment of steps. Blocks.
  ///
  /// One that opens a store is refused: whoever may submit a program is not to have it handed out by the agents.
  ///
  /// - Parameter stores: Stores as the caller named them, beside those of the configuration.
  /// - Throws: ``SecretError``.
  public static func parameter(
    _ name: String, of configuration: Configuration, stores: [String] = [], _ offer: KeyOffer
  ) throws -> String {
    let texts = stores + configuration.databases.values + [configuration.store].compactMap { $0 }
    guard !texts.contains(where: { configuration.secretName(in: $0) == name }) else {
      throw SecretError(
        .badValue, "secret '\(name)'", "it opens a store, and is for no step",
        "keep what the step needs as another secret: coordinator secret set NAME")
    }
    return try secret(name, of: configuration, offer).withBytes { String(decoding: $0, as: UTF8.self) }
  }
}

extension StoreOptions {
  /// The secret values among `values`, for steps that this process carries out.
  ///
  /// - Throws: ``SecretError``.
  public func secrets(of values: ParameterValues) async throws -> [String: String] {
    guard !values.references.isEmpty else { return values.secret }
    let configuration = try configuration()
    return try await SerialWorker(name: "vault").run {
      [stores = [store].compactMap { $0 }, offer = key.offer] in
      try values.secrets { try OpenVault.parameter($0, of: configuration, stores: stores, offer) }
    }
  }
}

extension Configuration {
  static let secretPrefix = "secret:"

  /// The secret that `text`, an entry under `databases`, refers to.
  public func secretName(in text: String) -> String? {
    if text.hasPrefix(Self.secretPrefix) { return String(text.dropFirst(Self.secretPrefix.count)) }
    guard let password = (try? StoreURL(text))?.password, password.hasPrefix(Self.secretPrefix) else {
      return nil
    }
    return String(password.dropFirst(Self.secretPrefix.count))
  }

  /// The URL that `text` says, where `secret:NAME` may stand for all of it, or for the password.
  ///
  /// - Throws: ``SecretError``, or ``DatabaseError`` with `.badURL`.
  func url(_ text: String, _ offer: KeyOffer) throws -> StoreURL {
    guard let name = secretName(in: text) else { return try StoreURL(Places.expanded(text)) }
    let secret = try OpenVault.secret(name, of: self, offer)
    guard text.hasPrefix(Self.secretPrefix) else { return try StoreURL(text).keeping(secret) }
    let url = try SecretURL(secret, named: name)
    let open = try StoreURL(Places.expanded(url.text))
    return url.password.map { open.keeping($0) } ?? open
  }
}

extension Places {
  /// `text` with the tilde of an SQLite file written out: a configuration is written by hand, where no shell does it.
  static func expanded(_ text: String) -> String {
    guard text.hasPrefix("sqlite:~/"), let home else { return text }
    return "sqlite:" + home + text.dropFirst(8)
  }
}
