import Foundation
import Glibc
import TestSupport
import Testing

@testable import Transport

@Suite("coordinator ssh check")
struct SSHCheckTests {
  private struct Report: Decodable {
    struct Host: Decodable {
      struct Key: Decodable {
        let type: String
        let fingerprint: String
        let new: Bool
      }
      struct Program: Decodable {
        let path: String
        let version: String?
      }
      struct Failure: Decodable {
        let kind: String
        let mend: String
      }
      let host: String
      let ok: Bool
      let user: String?
      let port: Int?
      let authentication: String?
      let hostKey: Key?
      let system: String?
      let answerMs: Int?
      let clockOffsetMs: Int?
      let coordinator: Program?
      let eventorAgent: Program?
      let error: Failure?
    }
    let hosts: [Host]
  }

  /// Calls `coordinator ssh check`, with its home in `home`; returns exit code, output and errors.
  private func check(_ words: [String], home: Home) async throws -> (code: Int32, out: String, err: String) {
    let line =
      "unset SSH_AUTH_SOCK; cd \(home.path); HOME=\(home.path) setsid "
      + ([Executable.coordinator, "ssh", "check"] + words).map { ShellWord.quoted($0) }.joined(separator: " ")
      + " </dev/null >out 2>err; echo $? >code"
    try await Tool.run(line)
    let code = Int32(home.text("code").trimmingCharacters(in: .whitespacesAndNewlines))
    return (try #require(code), home.text("out"), home.text("err"))
  }

  @Test("each host has its line, in the order they were named, and one that fails makes the exit code 5")
  func lines() async throws {
    try await Home.with { home in
      try await home.makeKey()
      try await Server.with(authorized: [home.publicKey()]) { server in
        try home.write(
          ".ssh/config",
          "Host s1 s2\n  HostName 127.0.0.1\n  HostKeyAlias farm\nHost s1\n  Port \(server.port)\nHost s2\n  Port 1\n"
        )
        let refused = try await check(["s1"], home: home)
        #expect(refused.code == 5)
        #expect(refused.out.hasPrefix("FAIL  s1: can't reach s1"), "\(refused)")
        #expect(refused.out.contains("--accept-new"))
        let fingerprint = try await server.fingerprint()
        let both = try await check(["s1", "s2", "--accept-new"], home: home)
        #expect(both.code == 5)
        let lines = both.out.split(separator: "\n")
        #expect(
          lines.first?.hasPrefix("ok    s1: ssh-ed25519 \(home.path)/.ssh/id_ed25519, ") == true, "\(both)")
        #expect(lines.first?.contains("host key ssh-ed25519 \(fingerprint) (new, stored)") == true)
        #expect(lines.first?.contains("Linux") == true)
        #expect(lines.dropFirst().first?.hasPrefix("FAIL  s2: can't reach s2 (127.0.0.1): port 1: ") == true)
        let known = try await check(["s1"], home: home)
        #expect(known.code == 0)
        #expect(known.err.isEmpty)
      }
    }
  }

  @Test("as JSON, with the programs that are found there")
  func json() async throws {
    try await Home.with { home in
      try await home.makeKey()
      let folder = home.path + "/.local/bin"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try home.write(".local/bin/eventor-agent", "#!/bin/sh\necho 9.8.7\n", mode: 0o755)
      let setting = "SetEnv PATH=/usr/bin:/bin HOME=\(home.path)"
      try await Server.with(authorized: [home.publicKey()], setting) { server in
        let answer = try await check(
          [server.destination, "127.0.0.1:1", "--accept-new", "--json"], home: home)
        #expect(answer.code == 5)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let report = try decoder.decode(Report.self, from: Data(answer.out.utf8))
        let host = try #require(report.hosts.first)
        #expect(host.ok)
        #expect(host.host == server.destination)
        #expect(host.port == server.port)
        #expect(host.user == home.userName)
        #expect(host.authentication?.hasSuffix("id_ed25519") == true)
        #expect(host.hostKey?.new == true)
        #expect(host.hostKey?.type == "ssh-ed25519")
        #expect(host.system?.hasPrefix("Linux") == true)
        #expect(host.answerMs != nil)
        #expect(abs(host.clockOffsetMs ?? .max) < 60_000)
        #expect(host.eventorAgent?.version == "9.8.7")
        #expect(report.hosts.last?.ok == false)
        #expect(report.hosts.last?.error?.kind == "unreachable")
      }
    }
  }

  @Test("the passphrase of a key is asked for on the terminal, without being shown, and again if it is wrong")
  func passphrase() async throws {
    try await Home.with { home in
      try await home.makeKey(passphrase: "open sesame")
      try await Server.with(authorized: [home.publicKey()]) { server in
        // `script` gives the command a terminal; what is typed comes when it has asked.
        let answer = try await Tool.run(
          """
          unset SSH_AUTH_SOCK; cd \(home.path); export HOME=\(home.path)
          asked() { until [ "$(grep -ao 'passphrase for' seen 2>/dev/null | wc -l)" -ge "$1" ]; do sleep 0.05; done; }
          { asked 1; echo wrong; asked 2; echo open sesame; sleep 30 & } |
            timeout 60 script -qfec "\(Executable.coordinator) ssh check \(server.destination) --accept-new" seen
          """)
        #expect(answer.contains("ok    \(server.destination): ssh-ed25519"), "\(answer)")
        #expect(answer.contains("passphrase for \(home.path)/.ssh/id_ed25519: "), "\(answer)")
        #expect(!answer.contains("sesame") && !answer.contains("wrong"), "\(answer)")
      }
    }
  }

  @Test(
    "Ctrl-C at the question for a passphrase is the end at once, and the terminal shows again what is typed")
  func interruptedPassphrase() async throws {
    try await Home.with { home in
      try await home.makeKey(passphrase: "open sesame")
      try await Server.with(authorized: [home.publicKey()]) { server in
        let words = TerminalDialogue.words(
          [Executable.coordinator, "ssh", "check", server.destination, "--accept-new"],
          [("passphrase for", "half of it\u{3}")])
        let call = words.map { ShellWord.quoted($0) }.joined(separator: " ")
        let outcome = try TerminalDialogue.outcome(
          await Tool.run("unset SSH_AUTH_SOCK; cd \(home.path); HOME=\(home.path) \(call)"))
        #expect(outcome.code == 128 + SIGINT, "\(outcome)")
        #expect(outcome.echo && !outcome.seen.contains("half"), "\(outcome)")
      }
    }
  }

  @Test("the store of the host's configuration is asked, and one that does not answer makes the exit code 4")
  func store() async throws {
    try await Home.with { home in
      try await home.makeKey()
      let setting = "SetEnv PATH=\(Executable.folder):/usr/bin:/bin HOME=\(home.path)"
      try await Server.with(authorized: [home.publicKey()], setting) { server in
        try FileManager.default.createDirectory(
          atPath: home.path + "/.config/eventor", withIntermediateDirectories: true)
        let words = [server.destination, "--accept-new"]
        let none = try await check(words, home: home)
        #expect(none.code == 0 && none.out.contains("no store configured"), "\(none)")
        let file = home.path + "/there.db"
        try home.write(".config/eventor/eventor.yaml", "store: sqlite:\(file)\n")
        let missing = try await check(words, home: home)
        #expect(missing.code == 4 && missing.out.hasPrefix("FAIL  "), "\(missing)")
        #expect(missing.out.contains("no store: there is no store at \(file)"), "\(missing)")
        try await Tool.run("HOME=\(home.path) \(Executable.coordinator) db migrate --store sqlite:\(file)")
        let there = try await check(words, home: home)
        #expect(there.code == 0 && there.out.contains("sqlite:\(file) answers in "), "\(there)")
        try home.write(
          ".config/eventor/eventor.yaml", "store: postgresql://nobody:hunter2@127.0.0.1:1/none\n")
        let dead = try await check(words + ["--json"], home: home)
        #expect(dead.code == 4 && !dead.out.contains("hunter2"), "\(dead)")
      }
    }
  }

  @Test("wrong usage and a wrong configuration end with 2, before any host is called")
  func usage() async throws {
    try await Home.with { home in
      for words in [[], ["-x@y"], ["a b"], ["s1", "--parallel", "0"], ["s1", "--ssh-timeout", "soon"]] {
        let answer = try await check(words, home: home)
        #expect(answer.code == 2, "\(answer)")
        #expect(answer.out.isEmpty)
      }
      try home.write(".ssh/config", "Port many\n")
      let answer = try await check(["s1"], home: home)
      #expect(answer.code == 2)
      #expect(answer.err.hasPrefix("error: \(home.path)/.ssh/config:1: port is"), "\(answer)")
      let missing = try await check(["s1", "--ssh-config", "none"], home: home)
      #expect(missing.code == 2)
    }
  }
}
