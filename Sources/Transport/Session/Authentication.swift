import CSSH2
import Glibc

/// Logs in with keys: first those of ssh-agent, then those in files.
struct Authentication {
  let wire: Wire
  let settings: HostSettings
  let passphrase: PassphraseSource?
  private var tried: [String] = []
  private var notes: [String] = []
  private var refused: Set<HostKey> = []

  init(wire: Wire, settings: HostSettings, passphrase: PassphraseSource?) {
    self.wire = wire
    self.settings = settings
    self.passphrase = passphrase
  }

  /// Logs in; returns how, as people are told it.
  mutating func logIn() throws -> String {
    guard let methods = try offeredMethods() else { return "no authentication asked for" }
    guard methods.contains("publickey") else {
      throw wire.failure(
        .authenticationRefused,
        "it takes no keys from \(settings.user), only \(methods.joined(separator: ", "))",
        "allow PubkeyAuthentication there")
    }
    if let how = try tryAgent() { return how }
    var files: [PrivateKeyFile] = []
    for path in settings.identityFiles {
      switch PrivateKeyFile.read(path) {
      case .missing: break
      case .unusable(let why): notes.append("\(path) was not used: \(why)")
      case .key(let file): files.append(file)
      }
    }
    for file in files.filter({ !$0.isRSA }) + files.filter(\.isRSA) {
      if let how = try tryFile(file) { return how }
    }
    throw refusal()
  }

  private func limit() -> Wire.Limit { Wire.Limit(wire.patience, "log-in") }

  /// The methods the host takes; nil if it wants none.
  private func offeredMethods() throws -> [String]? {
    let user = settings.user
    while true {
      wire.link.allowReading()
      let list = libssh2_userauth_list(wire.session, user, UInt32(user.utf8.count))
      wire.link.flush()
      // The text belongs to the session.
      if let list { return String(cString: list).split(separator: ",").map(String.init) }
      if libssh2_userauth_authenticated(wire.session) != 0 { return nil }
      let code = wire.lastError.code
      guard code == LIBSSH2_ERROR_EAGAIN else { throw wire.anyFailure(code, "log-in") }
      try wire.wait(until: limit())
    }
  }

  // MARK: The agent

  private mutating func tryAgent() throws -> String? {
    guard let socket = settings.identityAgent else { return nil }
    guard let agent = KeyAgent(wire: wire, socket: socket) else {
      notes.append("ssh-agent does not answer at \(socket)")
      return nil
    }
    let named = settings.identityFiles.compactMap { PrivateKeyFile.publicKey(of: $0) }
    let keys = agent.keys
    var order = named.compactMap { key in keys.first { $0.key == key } }
    if !settings.identitiesOnly { order += keys.filter { !named.contains($0.key) } }
    for entry in order.filter({ $0.key.type != "ssh-rsa" }) + order.filter({ $0.key.type == "ssh-rsa" }) {
      guard KeyAgent.canUse(entry.key.type) else {
        notes.append("\(entry.key.type) keys of the agent can't be used here")
        continue
      }
      tried.append("\(entry.comment) (agent, \(entry.key.type))")
      let code = try agent.logIn(as: settings.user, with: entry)
      if code == 0 { return "agent \(entry.key.type) \(entry.comment)" }
      refused.insert(entry.key)
      try goOn(after: code)
    }
    return nil
  }

  // MARK: Files

  private mutating func tryFile(_ file: PrivateKeyFile) throws -> String? {
    if let key = file.publicKey, refused.contains(key) { return nil }
    let type = file.publicKey?.type ?? "key"
    let label = "\(file.path) (\(type))"
    guard file.isEncrypted else {
      tried.append(label)
      let code = try present(file, passphrase: [])
      if code == 0 { return "\(type) \(file.path)" }
      try goOn(after: code, file: file)
      return nil
    }
    guard let passphrase, !settings.batchMode else {
      notes.append(
        "\(file.path) needs a passphrase, and nobody can be asked (ssh-add it, or call from a terminal)")
      return nil
    }
    // Nobody is asked for the passphrase of a key that the host wouldn't take.
    tried.append(label)
    if let key = file.publicKey, try !isWelcome(key) { return nil }
    for failures in 0..<3 {
      guard var words = passphrase(PassphraseRequest(path: file.path, failures: failures)) else {
        notes.append("no passphrase was given for \(file.path)")
        return nil
      }
      defer { words.withUnsafeMutableBytes { Passphrases.wipe($0) } }
      let code = try present(file, passphrase: words)
      if code == 0 { return "\(type) \(file.path)" }
      if code == LIBSSH2_ERROR_AUTHENTICATION_FAILED || code == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED {
        try goOn(after: code, file: file)
        return nil
      }
      if let failure = wire.connectionFailure(code, "log-in") { throw failure }
    }
    notes.append("the passphrases given for \(file.path) were wrong")
    return nil
  }

  private func present(_ file: PrivateKeyFile, passphrase: [UInt8]) throws -> Int32 {
    var words = passphrase.map { CChar(bitPattern: $0) } + [0]
    defer { words.withUnsafeMutableBytes { Passphrases.wipe($0) } }
    // Never without a passphrase, be it empty: OpenSSL would ask for one itself, on the terminal.
    return try wire.perform(limit()) {
      libssh2_userauth_publickey_fromfile_ex(
        wire.session, settings.user, UInt32(settings.user.utf8.count), nil, file.path, words)
    }
  }

  /// Asks whether the host would take `key`: the answer is yes if it then wants a signature, which it doesn't get.
  private func isWelcome(_ key: HostKey) throws -> Bool {
    var isAsked = false
    let code = try withUnsafeMutablePointer(to: &isAsked) { pointer in
      var abstract: UnsafeMutableRawPointer? = UnsafeMutableRawPointer(pointer)
      return try wire.perform(limit()) {
        libssh2_userauth_publickey(
          wire.session, settings.user, key.blob, key.blob.count,
          { _, _, _, _, _, abstract in
            abstract?.pointee?.assumingMemoryBound(to: Bool.self).pointee = true
            return -1
          }, &abstract)
      }
    }
    if !isAsked, let failure = wire.connectionFailure(code, "log-in") { throw failure }
    return isAsked
  }

  // MARK: Refusals

  /// Throws if the connection is gone; otherwise the next key is tried.
  private mutating func goOn(after code: Int32, file: PrivateKeyFile? = nil) throws {
    if var failure = wire.connectionFailure(code, "log-in") {
      guard !tried.isEmpty, failure.kind == .lost else { throw failure }
      failure = refusal()
      failure.why += "; it has closed the connection after \(tried.count) keys"
      failure.mend = "name the right key with IdentityFile and set IdentitiesOnly yes in ~/.ssh/config"
      throw failure
    }
    switch code {
    case LIBSSH2_ERROR_AUTHENTICATION_FAILED, LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED: break
    default: if let file { notes.append("\(file.path) was not used: \(wire.lastError.text)") }
    }
  }

  private func refusal() -> TransportError {
    var why =
      tried.isEmpty
      ? "there is no key to log in with as \(settings.user)"
      : "it took none of the keys of \(settings.user): " + tried.joined(separator: ", ")
    if !notes.isEmpty { why += "; " + notes.joined(separator: "; ") }
    if tried.contains(where: { $0.contains("ssh-rsa") }), !Library.signsRSAWithSHA2 {
      why += "; RSA keys: libssh2 \(Library.version) signs with SHA-1 alone, which OpenSSH refuses since 8.8"
    }
    return wire.failure(
      .authenticationRefused, why,
      tried.isEmpty
        ? "make one (ssh-keygen -t ed25519) and add its public part to ~/.ssh/authorized_keys there"
        : "add the public part of one to ~/.ssh/authorized_keys there, or name the right one with IdentityFile"
    )
  }
}
