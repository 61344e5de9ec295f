/// Decides whether a host's key is taken.
struct HostKeyCheck {
  let settings: HostSettings
  /// Whether an unknown key is stored, whatever the settings say.
  let acceptsNew: Bool

  /// What the host is called in `known_hosts`: first as keys are stored, then as they are looked up besides.
  var names: [String] {
    if let alias = settings.hostKeyAlias { return [alias] }
    let host = settings.hostName.lowercased()
    return settings.port == 22 ? [host] : ["[\(host)]:\(settings.port)", host]
  }

  /// What is known, from all files.
  func knownHosts() throws -> KnownHosts {
    try KnownHosts(files: settings.userKnownHostsFiles + settings.globalKnownHostsFiles)
  }

  /// Throws unless `key` is known, or is unknown and may be stored; returns whether it has been stored.
  func admit(_ key: HostKey, known: KnownHosts, activity: String) throws -> Bool {
    let shown = "\(key.type) \(key.fingerprint)"
    let name = names[0]
    switch known.verdict(on: key, of: names) {
    case .trusted: return false
    case .revoked(let line):
      throw TransportError(
        .hostKeyRevoked, what: activity, why: "its key \(shown) is marked as revoked in \(line.place)",
        mend: "give the host a new key")
    case .authority(let line):
      throw TransportError(
        .hostKeyAuthority, what: activity,
        why:
          "\(line.place) knows it through a certificate authority, and certificates can't be checked here; "
          + "its key is \(shown)",
        mend: "store the key itself: ssh-keyscan\(portOption) \(settings.hostName) >> \(file)")
    case .changed(let lines):
      throw changed(shown, key, lines, activity)
    case .unknown:
      let policy = settings.strictHostKeyChecking
      guard acceptsNew || policy == .acceptNew else {
        throw TransportError(
          .hostKeyUnknown, what: activity, why: "its key \(shown) is not known as \(name)",
          mend: "compare it with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub there), "
            + "then store it with --accept-new")
      }
      guard let file = settings.userKnownHostsFiles.first else { return false }
      try KnownHosts.store(key, as: name, hashed: settings.hashKnownHosts, in: file)
      return true
    }
  }

  private func changed(
    _ shown: String, _ key: HostKey, _ lines: [KnownHostLine], _ activity: String
  ) -> TransportError {
    let known = lines.first { $0.key.type == key.type } ?? lines[0]
    let place = known.place
    if known.key.type == key.type {
      return TransportError(
        .hostKeyChanged, what: activity,
        why:
          "its key has changed: it shows \(shown), and \(place) has \(known.key.type) \(known.key.fingerprint); "
          + "somebody may be in between",
        mend: "if the host really has a new key, remove the old one: ssh-keygen -R '\(names[0])'")
    }
    return TransportError(
      .hostKeyChanged, what: activity,
      why: "it shows \(shown), and is known only by other keys, such as \(known.key.type) "
        + "\(known.key.fingerprint) in \(place)",
      mend: "if that key is the host's too, add it: ssh-keyscan\(portOption) -t \(typeOption(key)) "
        + "\(settings.hostName) >> \(file)")
  }

  private var file: String { settings.userKnownHostsFiles.first ?? "~/.ssh/known_hosts" }
  private var portOption: String { settings.port == 22 ? "" : " -p \(settings.port)" }

  private func typeOption(_ key: HostKey) -> String {
    if key.type.hasPrefix("ecdsa") { return "ecdsa" }
    return key.type == "ssh-ed25519" ? "ed25519" : "rsa"
  }
}
