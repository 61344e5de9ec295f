import Foundation
import Testing

@testable import Transport

@Suite("Host keys")
struct HostKeyTests {
  /// A server with these host keys, and a home whose key it takes.
  private func withServer(
    _ hostKeys: [String] = ["ed25519"], _ body: (Server, Home) async throws -> Void
  ) async throws {
    try await Home.with { home in
      try await home.makeKey()
      try await Server.with(hostKeys: hostKeys, authorized: [home.publicKey()]) { try await body($0, home) }
    }
  }

  @Test("an unknown key is refused with its fingerprint; accepted once, it is known")
  func unknownKey() async throws {
    try await withServer { server, home in
      let error = try await refusal(home.client(acceptsNew: false), server.destination)
      #expect(error.kind == .hostKeyUnknown)
      let shown = try await server.fingerprint()
      #expect(error.why.contains(shown))
      #expect(error.mend.contains("--accept-new"))
      #expect(home.text(".ssh/known_hosts").isEmpty)
      try await withSession(try home.client(), server.destination) { session in
        #expect(session.peer.isNewKey)
        #expect(session.peer.hostKey.type == "ssh-ed25519")
        #expect(session.peer.hostKey.fingerprint == shown)
      }
      let key = try server.hostKey()
      #expect(home.text(".ssh/known_hosts") == "[127.0.0.1]:\(server.port) \(key)\n")
      try await withSession(try home.client(acceptsNew: false), server.destination) { session in
        #expect(!session.peer.isNewKey)
      }
      // By the configuration, too, and hashed, as ssh-keygen can find it.
      try home.write(".ssh/known_hosts", "# no newline at the end")
      let hashing = try home.client("StrictHostKeyChecking accept-new\nHashKnownHosts yes", acceptsNew: false)
      try await withSession(hashing, server.destination) { #expect($0.peer.isNewKey) }
      #expect(home.text(".ssh/known_hosts").hasPrefix("# no newline at the end\n|1|"))
      let found = try await Tool.run("ssh-keygen -F '[127.0.0.1]:\(server.port)' -f \(home.knownHosts)")
      #expect(found.contains(key))
      try await withSession(try home.client(acceptsNew: false), server.destination) {
        #expect(!$0.peer.isNewKey)
      }
    }
  }

  @Test(
    "a changed key is refused with both fingerprints, whoever accepts new ones", arguments: [true, false])
  func changedKey(acceptsNew: Bool) async throws {
    try await withServer { server, home in
      try await home.makeKey("other")
      try home.write(".ssh/known_hosts", "[127.0.0.1]:\(server.port) \(home.publicKey("other"))")
      let before = home.text(".ssh/known_hosts")
      let client = try home.client("StrictHostKeyChecking no", acceptsNew: acceptsNew)
      let error = try await refusal(client, server.destination)
      #expect(error.kind == .hostKeyChanged)
      let shown = try await server.fingerprint()
      #expect(error.why.contains(shown))
      let known = try await Tool.run("ssh-keygen -lf \(home.path)/.ssh/other.pub").split(separator: " ")[1]
      #expect(error.why.contains(known))
      #expect(error.why.contains(home.knownHosts + ":1"))
      #expect(home.text(".ssh/known_hosts") == before)
    }
  }

  @Test("the host is asked for the type of key that is known", arguments: ["ed25519", "ecdsa"])
  func knownType(type: String) async throws {
    try await withServer(["ed25519", "ecdsa", "rsa"]) { server, home in
      try home.write(".ssh/known_hosts", "[127.0.0.1]:\(server.port) \(try server.hostKey(type))\n")
      try await withSession(try home.client(acceptsNew: false), server.destination) { session in
        let wanted = try await server.fingerprint(type)
        #expect(session.peer.hostKey.fingerprint == wanted)
      }
    }
  }

  @Test("a host that is known only by a key of another type is refused, new keys accepted or not")
  func otherType() async throws {
    try await withServer { server, home in
      try await home.makeKey("other", type: "ecdsa")
      try home.write(".ssh/known_hosts", "[127.0.0.1]:\(server.port) \(home.publicKey("other"))")
      let error = try await refusal(home.client(), server.destination)
      #expect(error.kind == .hostKeyChanged)
      #expect(error.why.contains("ecdsa-sha2-nistp256"))
      #expect(error.mend.contains("ssh-keyscan -p \(server.port) -t ed25519"))
    }
  }

  @Test("revoked keys and hosts known by an authority are refused")
  func markers() async throws {
    try await withServer { server, home in
      let key = try server.hostKey()
      try home.write(".ssh/known_hosts", "[127.0.0.1]:\(server.port) \(key)\n@revoked * \(key)\n")
      let revoked = try await refusal(home.client(), server.destination)
      #expect(revoked.kind == .hostKeyRevoked)
      #expect(revoked.why.contains(home.knownHosts + ":2"))
      try await home.makeKey("ca")
      try home.write(".ssh/known_hosts", "@cert-authority *.0.0.1,[127.*]:* \(home.publicKey("ca"))")
      let authority = try await refusal(home.client(), server.destination)
      #expect(authority.kind == .hostKeyAuthority)
      // A key of its own beside the authority's is enough.
      try home.write(
        ".ssh/known_hosts", "@cert-authority * \(home.publicKey("ca"))[127.0.0.1]:\(server.port) \(key)\n")
      try await withSession(try home.client(acceptsNew: false), server.destination) {
        #expect(!$0.peer.isNewKey)
      }
    }
  }

  @Test("names are found plain, hashed by ssh-keygen, with patterns, by an alias, and without the port")
  func names() async throws {
    try await withServer { server, home in
      let key = try server.hostKey()
      let port = server.port
      func isKnown(_ settings: String = "") async throws -> Bool {
        do {
          try await withSession(try home.client(settings, acceptsNew: false), server.destination) { _ in }
          return true
        } catch let error as TransportError where error.kind == .hostKeyUnknown {
          return false
        }
      }
      for line in [
        "other,[127.0.0.1]:\(port) \(key)", "[127.0.0.?]:\(port) \(key) comment", "127.0.0.1 \(key)",
        "* \(key)",
      ] {
        try home.write(".ssh/known_hosts", "# comment\n\nbroken line\n" + line + "\n")
        #expect(try await isKnown(), "\(line)")
      }
      for line in [
        "[127.0.0.1]:\(port + 1) \(key)", "*,![127.0.0.1]:\(port),!127.0.0.1 \(key)", "somewhere \(key)",
      ] {
        try home.write(".ssh/known_hosts", line + "\n")
        #expect(try await !isKnown(), "\(line)")
      }
      try home.write(".ssh/known_hosts", "[127.0.0.1]:\(port) \(key)\n")
      try await Tool.run("ssh-keygen -q -H -f \(home.knownHosts)")
      #expect(home.text(".ssh/known_hosts").hasPrefix("|1|"))
      #expect(try await isKnown())
      try home.write(".ssh/known_hosts", "farm \(key)\n")
      #expect(try await isKnown("HostKeyAlias farm"))
      #expect(try await !isKnown())
      try home.write(".ssh/elsewhere", "[127.0.0.1]:\(port) \(key)\n")
      #expect(try await isKnown("UserKnownHostsFile ~/.ssh/none ~/.ssh/elsewhere"))
    }
  }

  @Test("SHA-1 and its keyed form give the values of the standards")
  func hashes() {
    func hex(_ bytes: [UInt8]) -> String { bytes.map { String(format: "%02x", $0) }.joined() }
    // FIPS 180-4's examples, and RFC 2202's second and sixth.
    #expect(hex(HostNameHash.sha1(Array("abc".utf8))) == "a9993e364706816aba3e25717850c26c9cd0d89d")
    #expect(
      hex(HostNameHash.sha1(Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)))
        == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
    #expect(
      hex(HostNameHash.code(Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8)))
        == "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79")
    #expect(
      hex(
        HostNameHash.code(
          Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
          key: [UInt8](repeating: 0xaa, count: 80))) == "aa4ae5e15272d00e95705637ce8a3b55ed402112")
  }
}
