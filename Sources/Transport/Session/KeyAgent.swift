import CSSH2

/// The keys that ssh-agent holds, and logging in with them: the agent signs, the keys stay there.
final class KeyAgent {
  /// A key of the agent.
  struct Entry {
    let key: HostKey
    let comment: String
    fileprivate let pointer: UnsafeMutablePointer<libssh2_agent_publickey>
  }

  private let wire: Wire
  private let agent: OpaquePointer
  /// The keys, in the agent's order.
  private(set) var keys: [Entry] = []

  /// Asks the agent at `socket` for its keys; nil if it doesn't answer.
  init?(wire: Wire, socket: String) {
    guard let agent = libssh2_agent_init(wire.session) else { return nil }
    self.wire = wire
    self.agent = agent
    libssh2_agent_set_identity_path(agent, socket)
    wire.link.sideDeadline = .now + wire.patience
    guard libssh2_agent_connect(agent) == 0, libssh2_agent_list_identities(agent) == 0 else { return nil }
    var last: UnsafeMutablePointer<libssh2_agent_publickey>?
    while true {
      var next: UnsafeMutablePointer<libssh2_agent_publickey>?
      guard libssh2_agent_get_identity(agent, &next, last) == 0, let next else { break }
      last = next
      let blob = Array(UnsafeBufferPointer(start: next.pointee.blob, count: next.pointee.blob_len))
      guard let key = HostKey(blob: blob) else { continue }
      let comment = next.pointee.comment.map { String(cString: $0) } ?? ""
      keys.append(Entry(key: key, comment: comment, pointer: next))
    }
  }

  deinit {
    libssh2_agent_disconnect(agent)
    libssh2_agent_free(agent)
  }

  /// Keys in hardware and certificates are beyond libssh2.
  static func canUse(_ type: String) -> Bool {
    type == "ssh-ed25519" || type == "ssh-rsa"
      || type.hasPrefix("ecdsa-sha2-nistp") && !type.contains("-cert-")
  }

  /// Tries one key; returns libssh2's code. Somebody may have to confirm the use of the key.
  func logIn(as user: String, with entry: Entry) throws -> Int32 {
    wire.link.sideDeadline = .now + .seconds(60)
    return try wire.perform(Wire.Limit(wire.patience + .seconds(60), "log-in")) {
      libssh2_agent_userauth(agent, user, entry.pointer)
    }
  }
}
