import Foundation
import Testing

@testable import Transport

@Suite("Client configuration")
struct ConfigurationTests {
  private func settings(
    _ text: String, _ destination: String, environment: [String: String] = [:], in home: Home
  ) throws -> HostSettings {
    let file = try home.write(".ssh/config", text)
    let user = LocalUser(
      home: home.path, name: "me", number: 1000, host: "desk.example.com", environment: environment)
    return try ClientConfiguration(local: user, file: file).settings(for: Destination(destination))
  }

  @Test("the first value of a keyword counts, as in the examples of the manual page")
  func firstValueWins() async throws {
    try await Home.with { home in
      let text = """
        # Comment, and an empty line

        Host fascist blog
            HostName fascist.example.org
            User=tester
            Port = 2022
        Host "*.co.uk" !www.co.uk
            User\tbrit
            ConnectTimeout 1m30s
        Host 192.168.0.?
            User local # to the end
        host *
            user "any one"
            Port 22
            ServerAliveInterval 60
            ServerAliveCountMax 2
            IdentityFile ~/.ssh/%h-%r
            IdentityFile ~/.ssh/common
        """
      let first = try settings(text, "blog", in: home)
      #expect(first.hostName == "fascist.example.org")
      #expect(first.user == "tester")
      #expect(first.port == 2022)
      #expect(
        first.identityFiles == [home.path + "/.ssh/fascist.example.org-tester", home.path + "/.ssh/common"])
      #expect(first.serverAliveInterval == .seconds(60))
      #expect(first.serverAliveCountMax == 2)
      #expect(try settings(text, "a.co.uk", in: home).user == "brit")
      #expect(try settings(text, "a.co.uk", in: home).connectTimeout == .seconds(90))
      #expect(try settings(text, "www.co.uk", in: home).user == "any one")
      #expect(try settings(text, "192.168.0.7", in: home).user == "local")
      #expect(try settings(text, "192.168.0.77", in: home).user == "any one")
      let named = try settings(text, "root@blog:2200", in: home)
      #expect(named.user == "root")
      #expect(named.port == 2200)
    }
  }

  /// The examples of ssh_config(5) of OpenSSH 9.2, each in the section where the page has it, and the file that Debian
  /// installs. What is no line of a configuration there, but a value or a pattern, stands behind its keyword.
  private static let manualPage = """
    # PATTERNS
    Host *.co.uk
      User british
    Host 192.168.0.?
      User local
    Host !*.dialup.example.com *.example.com
      User organization
    Host !host1 !host2
      User nobody
    Host !host1 !host2 *
      User somebody
    Host *

    # CanonicalizePermittedCNAMEs, CASignatureAlgorithms, Ciphers, KexAlgorithms, LogVerbose, MACs, PreferredAuthentications
    CanonicalizePermittedCNAMEs *.a.example.com:*.b.example.com,*.c.example.com
    CASignatureAlgorithms ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,sk-ssh-ed25519@openssh.com
    Ciphers chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,aes256-gcm@openssh.com
    KexAlgorithms sntrup761x25519-sha512,curve25519-sha256@libssh.org,diffie-hellman-group-exchange-sha256
    LogVerbose kex.c:*:1000,*:kex_exchange_identification():*,packet.c:*
    MACs umac-64-etm@openssh.com,hmac-sha2-256-etm@openssh.com
    PreferredAuthentications gssapi-with-mic,hostbased,publickey,keyboard-interactive,password

    # ProxyCommand: for an HTTP proxy at 192.0.2.0
    Host proxied
      ProxyCommand /usr/bin/nc -X connect -x 192.0.2.0:8080 %h %p

    # ServerAliveCountMax: "if, for example, ServerAliveInterval is set to 15"
    Host alive
      ServerAliveInterval 15

    # ControlPersist, PermitRemoteOpen, RemoteForward, SetEnv, UserKnownHostsFile, Match, as the text has them
    Host *
      ControlPath ~/.ssh/master-%r@%h:%p
      ControlPersist 1h
      IPQoS af21 cs1
      PermitRemoteOpen any
      RekeyLimit default none
      RemoteForward [::1]:8080 localhost:80
      SetEnv FOO="bar baz" LANG=C
      UserKnownHostsFile ~/.ssh/known_hosts ~/.ssh/known_hosts2
      XAuthLocation /usr/bin/xauth
    Match originalhost "*.example.org" exec "test %p = 42" user root,admin
      IdentityFile ~/.ssh/id_%r

    # /etc/ssh/ssh_config
    Include /etc/ssh/ssh_config.d/*.conf
    Host *
    #   ForwardAgent no
    #   IdentityFile ~/.ssh/id_ed25519
    #   ProxyCommand ssh -q -W %h:%p gateway.example.com
        SendEnv LANG LC_*
        HashKnownHosts yes
        GSSAPIAuthentication yes
    """

  @Test(
    "the examples of OpenSSH's manual page mean here what they mean there",
    arguments: [
      ("www.co.uk", "british"), ("192.168.0.7", "local"), ("192.168.0.17", "somebody"),
      ("pc.example.com", "organization"), ("pc.dialup.example.com", "somebody"), ("host1", "me"),
      ("host3", "somebody"),
    ])
  func manualPage(host: String, user: String) async throws {
    try await Home.with { home in
      let settings = try settings(Self.manualPage, host, in: home)
      // "A negated match will never produce a positive result by itself": !host1 !host2 is nobody.
      #expect(settings.user == user)
      #expect(settings.serverAliveInterval == .seconds(15))
      #expect(
        settings.userKnownHostsFiles == [home.path + "/.ssh/known_hosts", home.path + "/.ssh/known_hosts2"])
      #expect(settings.hashKnownHosts)
      #expect(settings.notes.count == 1 && settings.notes[0].contains("Match is not evaluated"))
      // As ssh itself reads it, which would look up the names of one of the examples.
      let theirs = try await Tool.run(
        "cd \(home.path)/.ssh; sed /^Canonicalize/d config >theirs; ssh -G -F theirs \(host) 2>&1 | grep '^user '"
      )
      #expect(theirs == (user == "me" ? "user \(NSUserName())\n" : "user \(user)\n"))
    }
  }

  @Test("the proxy of the manual page's example is refused for the hosts it is for")
  func manualPageProxy() async throws {
    try await Home.with { home in
      let error = #expect(throws: TransportError.self) {
        try settings(Self.manualPage, "proxied", in: home)
      }
      #expect(error?.why.contains("ProxyCommand is not carried out here") == true)
    }
  }

  @Test("without a word in the configuration, things are as ssh has them")
  func defaults() async throws {
    try await Home.with { home in
      let plain = try settings("", "h", environment: ["SSH_AUTH_SOCK": "/a"], in: home)
      #expect(plain.hostName == "h")
      #expect(plain.port == 22)
      #expect(plain.user == "me")
      #expect(plain.identityAgent == "/a")
      #expect(plain.identityFiles.first == home.path + "/.ssh/id_ed25519")
      #expect(plain.userKnownHostsFiles.first == home.path + "/.ssh/known_hosts")
      #expect(plain.globalKnownHostsFiles.first == "/etc/ssh/ssh_known_hosts")
      #expect(plain.strictHostKeyChecking == .refuse)
      #expect(plain.proxyJump.isEmpty)
      #expect(plain.notes.isEmpty)
    }
  }

  @Test("tokens, variables and tildes are filled in")
  func tokens() async throws {
    try await Home.with { home in
      let text = """
        HostName %h.example.com
        User worker
        Port 2222
        IdentityFile %d/keys/%u@%l-%L-%i-%n-%h-%p-%r-%%
        IdentityFile ${KEYS}/one
        UserKnownHostsFile ~/known "~/with blank" none%n
        IdentityAgent $AGENT
        ProxyJump gate,user@%n.gate:23
        """
      let found = try settings(text, "s1", environment: ["KEYS": "/k", "AGENT": "/agent"], in: home)
      #expect(found.hostName == "s1.example.com")
      #expect(
        found.identityFiles == [
          "\(home.path)/keys/me@desk.example.com-desk-1000-s1-s1.example.com-2222-worker-%", "/k/one",
        ])
      #expect(
        found.userKnownHostsFiles == ["\(home.path)/known", "\(home.path)/with blank", "nones1"])
      #expect(found.identityAgent == "/agent")
      #expect(found.proxyJump.map(\.description) == ["gate", "user@s1.gate:23"])
    }
  }

  @Test("files are included where they are named, within the block they are named in")
  func includes() async throws {
    try await Home.with { home in
      try FileManager.default.createDirectory(
        atPath: home.path + "/.ssh/conf.d", withIntermediateDirectories: true)
      try home.write(".ssh/conf.d/20-b", "Host *\n  User second\n  Port 20\n")
      try home.write(".ssh/conf.d/10-a", "Host s1\n  User first\n")
      try home.write(".ssh/only", "Host *\n  Port 7\n")
      let text = "Include conf.d/*\nHost s2\n  Include ~/.ssh/only missing\nHost *\n  Port 30\n"
      #expect(try settings(text, "s1", in: home).user == "first")
      #expect(try settings(text, "s1", in: home).port == 20)
      let scoped = "Host s2\n  Include \(home.path)/.ssh/only\n  User inside\nHost *\n  Port 30\n"
      #expect(try settings(scoped, "s2", in: home).port == 7)
      #expect(try settings(scoped, "s2", in: home).user == "inside")
      #expect(try settings(scoped, "s1", in: home).port == 30)
      try home.write(".ssh/circle", "Include circle\n")
      let error = #expect(throws: TransportError.self) { try settings("Include circle", "s1", in: home) }
      #expect(error?.kind == .configuration)
    }
  }

  @Test("Match is left out of account with a note, but for Match all")
  func match() async throws {
    try await Home.with { home in
      let text = """
        Host s1
          Port 1
        Match host s1 exec "touch /tmp/never"
          User evil
          Port 2
        Match all
          User good
        """
      let found = try settings(text, "s1", in: home)
      #expect(found.user == "good")
      #expect(found.port == 1)
      #expect(
        found.notes == [
          "\(home.path)/.ssh/config:3: Match is not evaluated; its block is left out of account"
        ])
    }
  }

  @Test(
    "what is wrong is said with its place",
    arguments: [
      ("Port abc", "port is \"abc\""), ("Port 0", "1 to 65535"), ("User \"open", "not closed"),
      ("Port", "no value"),
      ("StrictHostKeyChecking maybe", "accept-new"), ("ConnectTimeout soon", "a time such as"),
      ("IdentitiesOnly 3", "yes or no"), ("ProxyCommand nc %h %p", "use ProxyJump"), ("HostName %x", "token"),
      ("IdentityFile ${NOT_SET}/k", "variable"), ("ProxyJump a:b", "port"), ("AddressFamily ipx", "inet6"),
    ])
  func mistakes(text: String, hint: String) async throws {
    try await Home.with { home in
      let error = #expect(throws: TransportError.self) { try settings("\n" + text, "s1", in: home) }
      #expect(error?.kind == .configuration)
      #expect(error?.description.contains(hint) == true, "\(String(describing: error))")
      if !text.hasPrefix("ProxyJump") {
        #expect(error?.what == "\(home.path)/.ssh/config:2")
      }
      // In a block for others it does no harm.
      if hint != "not closed", hint != "no value" {
        let harmless = try settings("Host other\n" + text, "s1", in: home)
        #expect(harmless.port == 22)
      }
    }
  }

  @Test("whichever of ProxyJump and ProxyCommand comes first excludes the other")
  func proxies() async throws {
    try await Home.with { home in
      let jump = try settings("ProxyJump gate\nProxyCommand nc", "s1", in: home)
      #expect(jump.proxyJump.map(\.host) == ["gate"])
      #expect(try settings("ProxyCommand none\nProxyJump gate", "s1", in: home).proxyJump.isEmpty)
      #expect(try settings("ProxyJump none\nProxyCommand nc", "s1", in: home).proxyJump.isEmpty)
    }
  }

  @Test("a file that is included may be written to by nobody else either")
  func includedOwner() async throws {
    try await Home.with { home in
      try home.makeFolder(".ssh/more")
      let included = try home.write(".ssh/more/10.conf", "Port 3\n")
      #expect(try settings("Include more/*.conf", "h", in: home).port == 3)
      chmod(included, 0o666)
      let error = #expect(throws: TransportError.self) {
        try settings("Include more/*.conf", "h", in: home)
      }
      #expect(error?.what == included && error?.mend.contains("chmod 600") == true)
    }
  }

  @Test("a configuration that others may write to is refused")
  func owner() async throws {
    try await Home.with { home in
      let file = try home.write(".ssh/config", "Port 3", mode: 0o666)
      let configuration = try ClientConfiguration(local: home.user(), file: file)
      let error = #expect(throws: TransportError.self) { try configuration.settings(for: Destination("h")) }
      #expect(error?.mend.contains("chmod 600") == true)
      let missing = #expect(throws: TransportError.self) {
        try ClientConfiguration(local: home.user(), file: home.path + "/none")
      }
      #expect(missing?.kind == .configuration)
    }
  }

  @Test(
    "hosts are read as people write them",
    arguments: [
      ("s1", nil, "s1", nil), ("me@s1", "me", "s1", nil), ("s1:23", nil, "s1", 23),
      ("a@b@s1:23", "a@b", "s1", 23),
      ("ssh://me@s1:23/", "me", "s1", 23), ("::1", nil, "::1", nil), ("[::1]:23", nil, "::1", 23),
      ("me@[fe80::1%eth0]", "me", "fe80::1%eth0", nil),
    ] as [(String, String?, String, Int?)])
  func destinations(text: String, user: String?, host: String, port: Int?) throws {
    let destination = try Destination(text)
    #expect(destination.user == user)
    #expect(destination.host == host)
    #expect(destination.port == port)
    #expect(try Destination(destination.description) == destination)
  }

  @Test(
    "what can't be a host is refused",
    arguments: [
      "", "@s1", "s1:", "s1:0", "s1:65536", "s1:x", "-oProxyCommand=x", "a b", "s1/x", "-a@s1", "[::1]x",
      "me@",
    ])
  func noDestinations(text: String) {
    let error = #expect(throws: TransportError.self) { try Destination(text) }
    #expect(error?.kind == .configuration)
  }

  @Test("whatever stands in a configuration, reading it ends, with settings or an error")
  func anything() async throws {
    try await Home.with { home in
      var generator = SystemRandomNumberGenerator()
      let words = [
        "Host", "Match", "all", "Include", "Port", "User", "IdentityFile", "*", "?", "!", "\"", "'", "\\",
        "=", " ", "\n",
        "\t", "#", "%h", "%", "${X}", "~/", "s1", "22", "none", "ConnectTimeout", "1w", "99999999999", "\r\n",
        "é", "\0",
      ]
      for _ in 0..<300 {
        let text = (0..<Int.random(in: 0...40, using: &generator))
          .map { _ in words.randomElement(using: &generator) ?? "" }.joined()
        do { _ = try settings(text, "s1", in: home) } catch is TransportError {}
      }
    }
  }

  @Test("a pattern of many stars takes no longer for it")
  func patterns() {
    let long = String(repeating: "a", count: 2000)
    #expect(!HostPattern.matches("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"[...], long))
    #expect(HostPattern.matches("*A?a*"[...], long))
  }
}
