import Foundation
import Glibc
import Synchronization
import Testing

@testable import Transport

@Suite("Login")
struct LoginTests {
  @Test(
    "keys of every kind in files",
    arguments: [
      ("ed25519", nil, []), ("ecdsa", 256, []), ("ecdsa", 384, []), ("ecdsa", 521, []),
      ("ecdsa", 256, ["-m", "PEM"]),
    ] as [(String, Int?, [String])])
  func files(type: String, bits: Int?, format: [String]) async throws {
    try await Home.with { home in
      try await home.makeKey("key", type: type, bits: bits, format: format)
      try await Server.with(authorized: [home.publicKey("key")]) { server in
        let client = try home.client("IdentityFile ~/.ssh/key")
        try await withSession(client, "\(home.userName)@\(server.destination)") { session in
          #expect(session.peer.authentication.hasSuffix("\(home.path)/.ssh/key"))
          #expect(session.peer.greeting.hasPrefix("SSH-2.0-OpenSSH"))
        }
      }
    }
  }

  @Test("a passphrase is asked for, only for a key that the host takes, and wiped of all messages")
  func passphrases() async throws {
    try await Home.with { home in
      try await home.makeKey("locked", passphrase: "open sesame")
      try await home.makeKey("locked-too", type: "ecdsa", passphrase: "another")
      let settings = "IdentityFile ~/.ssh/locked-too\nIdentityFile ~/.ssh/locked"
      try await Server.with(authorized: [home.publicKey("locked")]) { server in
        let asked = Mutex<[PassphraseRequest]>([])
        let answers: PassphraseSource = { request in
          asked.withLock { $0.append(request) }
          return Array((request.failures == 0 ? "wrong" : "open sesame").utf8)
        }
        try await withSession(try home.client(settings, passphrase: answers), server.destination) { session in
          #expect(session.peer.authentication == "ssh-ed25519 \(home.path)/.ssh/locked")
        }
        let path = home.path + "/.ssh/locked"
        #expect(
          asked.withLock { $0 } == [
            PassphraseRequest(path: path, failures: 0), PassphraseRequest(path: path, failures: 1),
          ])
        let wrong = try await refusal(
          home.client(settings, passphrase: { _ in Array("no".utf8) }), server.destination)
        #expect(wrong.kind == .authenticationRefused)
        #expect(wrong.why.contains("the passphrases given for \(path) were wrong"))
        let nobody = try await refusal(home.client(settings), server.destination)
        #expect(nobody.kind == .authenticationRefused)
        #expect(nobody.why.contains("\(path) needs a passphrase"))
        let batch = try await refusal(
          home.client("BatchMode yes\n" + settings, passphrase: answers), server.destination)
        #expect(batch.why.contains("\(path) needs a passphrase"))
      }
    }
  }

  @Test("PEM files with a passphrase never make OpenSSL ask on the terminal")
  func encryptedPEM() async throws {
    try await Home.with { home in
      try await home.makeKey("pem", type: "ecdsa", passphrase: "sesame", format: ["-m", "PEM"])
      try await Server.with(authorized: [home.publicKey("pem")]) { server in
        let error = try await refusal(home.client("IdentityFile ~/.ssh/pem"), server.destination)
        #expect(error.kind == .authenticationRefused)
        let client = try home.client("IdentityFile ~/.ssh/pem", passphrase: { _ in Array("sesame".utf8) })
        try await withSession(client, server.destination) { session in
          #expect(session.peer.authentication.hasSuffix(".ssh/pem"))
        }
      }
    }
  }

  @Test("the agent's keys are used, unless others are asked for")
  func agent() async throws {
    try await Home.with { home in
      let socket = home.path + "/agent"
      let agent = try Tool(["/usr/bin/ssh-agent", "-D", "-a", socket], log: home.path + "/agent.log")
      defer { agent.stop() }
      // It has a socket before it listens. Without keys it answers with 1.
      try await until("the agent listens") {
        let state = "ssh-add -l >/dev/null 2>&1; [ $? -le 1 ] && echo up || echo down"
        return try await Tool.run(state, environment: ["SSH_AUTH_SOCK": socket]) == "up\n"
      }
      for (name, type) in [("first", "ed25519"), ("second", "ecdsa"), ("third", "rsa")] {
        try await home.makeKey(name, type: type)
        try await Tool.run("ssh-add -q \(home.path)/.ssh/\(name)", environment: ["SSH_AUTH_SOCK": socket])
        if name != "second" { unlink("\(home.path)/.ssh/\(name)") }
      }
      let environment = ["SSH_AUTH_SOCK": socket]
      try await Server.with(authorized: [home.publicKey("second")]) { server in
        try await withSession(try home.client(environment: environment), server.destination) { session in
          #expect(session.peer.authentication == "agent ecdsa-sha2-nistp256 second")
        }
        try await withSession(try home.client("IdentityAgent ~/agent"), server.destination) { session in
          #expect(session.peer.authentication == "agent ecdsa-sha2-nistp256 second")
        }
        let only = "IdentitiesOnly yes\nIdentityFile ~/.ssh/first"
        let error = try await refusal(home.client(only, environment: environment), server.destination)
        #expect(error.kind == .authenticationRefused)
        #expect(error.why.contains("first (agent, ssh-ed25519)"))
        #expect(!error.why.contains("second"))
        let none = try await refusal(
          home.client("IdentityAgent none", environment: environment), server.destination)
        #expect(none.why.contains("there is no key to log in with"))
      }
    }
  }

  @Test("an agent that hangs or hangs up does not hold up the login", arguments: [true, false])
  func deadAgent(hangs: Bool) async throws {
    try await Home.with { home in
      try await home.makeKey()
      let socket = home.path + "/agent"
      let script =
        "import socket,sys,time\ns=socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen(5)\nprint('up',flush=True)\n"
        + "while True:\n  c,_=s.accept()\n  c.recv(5)\n  " + (hangs ? "time.sleep(600)" : "c.close()") + "\n"
      let agent = try Tool(["/usr/bin/python3", "-c", script, socket], log: home.path + "/log")
      defer { agent.stop() }
      try await until("the agent is there") { home.text("log") == "up\n" }
      try await Server.with(authorized: [home.publicKey()]) { server in
        let client = try home.client(timeout: .seconds(3), environment: ["SSH_AUTH_SOCK": socket])
        try await withSession(client, server.destination) { session in
          #expect(session.peer.authentication.hasSuffix("id_ed25519"))
        }
      }
    }
  }

  @Test("a refusal names what was tried and what was not")
  func refused() async throws {
    try await Home.with { home in
      try await home.makeKey()
      try await home.makeKey("open")
      chmod(home.path + "/.ssh/open", 0o644)
      try home.write(".ssh/junk", "no key")
      try await home.makeKey("rsa", type: "rsa")
      try await Server.with(authorized: [home.publicKey("rsa")]) { server in
        let settings = ["id_ed25519", "open", "junk", "missing"].map { "IdentityFile ~/.ssh/\($0)\n" }
          .joined()
        let error = try await refusal(home.client(settings), server.destination)
        #expect(error.kind == .authenticationRefused)
        #expect(error.why.contains("\(home.path)/.ssh/id_ed25519 (ssh-ed25519)"))
        #expect(error.why.contains(".ssh/open was not used: others can read it"))
        #expect(error.why.contains(".ssh/junk was not used: it is no private key"))
        #expect(!error.why.contains("missing"))
        if !Library.signsRSAWithSHA2 {
          let rsa = try await refusal(home.client("IdentityFile ~/.ssh/rsa"), server.destination)
          #expect(rsa.kind == .authenticationRefused)
          #expect(rsa.why.contains("SHA-1"))
        }
      }
    }
  }

  @Test("a host that closes the connection after too many keys is told from a lost one")
  func tooManyKeys() async throws {
    try await Home.with { home in
      var settings = ""
      for index in 0..<4 {
        try await home.makeKey("key\(index)")
        settings += "IdentityFile ~/.ssh/key\(index)\n"
      }
      try await Server.with(authorized: [], "MaxAuthTries 3") { server in
        let error = try await refusal(home.client(settings), server.destination)
        #expect(error.kind == .authenticationRefused)
        #expect(error.mend.contains("IdentitiesOnly"))
      }
    }
  }

  @Test("a host that takes no keys says what it takes")
  func noKeys() async throws {
    try await Home.with { home in
      try await home.makeKey()
      let settings = "PubkeyAuthentication no\nPasswordAuthentication yes"
      try await Server.with(authorized: [home.publicKey()], settings) { server in
        let error = try await refusal(home.client(), server.destination)
        #expect(error.kind == .authenticationRefused)
        #expect(error.why.contains("only password"))
      }
    }
  }
}
