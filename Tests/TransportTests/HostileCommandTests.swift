import Foundation
import Glibc
import Testing

@testable import Transport

/// What ``HostileServerTests`` shows of sessions, as people and scripts meet it: one line of error, and exit code 5.
@Suite("Hostile servers and the command", .timeLimit(.minutes(3)))
struct HostileCommandTests {
  private static let greeting = "SSH-2.0-OpenSSH_9.2\r\n"

  /// Checks `host` by `ssh check` and by `--via`: both end with 5, and say `expected`.
  private func expectFive(
    _ host: String, _ expected: String, _ options: [String] = [], in home: Home,
    from place: SourceLocation = #_sourceLocation
  ) async throws {
    let options = options + ["--ssh-timeout", "2s"]
    let check = try await home.coordinator(["ssh", "check", host] + options)
    #expect(check.code == 5, "\(check)", sourceLocation: place)
    #expect(check.out.hasPrefix("FAIL  \(host): "), "\(check)", sourceLocation: place)
    #expect(check.out.contains(expected), "\(check)", sourceLocation: place)
    let via = try await home.coordinator(["runs", "--via", host] + options)
    #expect(via.code == 5 && via.out.isEmpty, "\(via)", sourceLocation: place)
    #expect(via.err.hasPrefix("error: ") && via.err.contains(expected), "\(via)", sourceLocation: place)
    #expect(via.err.split(separator: "\n").count == 1, "\(via)", sourceLocation: place)
  }

  /// A server that does `serve` with each connection.
  private func withListener(
    _ expected: String, _ serve: @escaping @Sendable (Int32) -> Void
  ) async throws {
    try await Home.with { home in
      try await home.makeKey()
      try await Listener.with(serve) { listener in
        try await expectFive("127.0.0.1:\(listener.port)", expected, in: home)
      }
    }
  }

  @Test("it hangs after its banner")
  func hangs() async throws {
    try await withListener("falls silent in the key exchange") {
      _ = Listener.say(Self.greeting, to: $0)
      Listener.listen(to: $0)
    }
  }

  @Test("its banner has no end")
  func endlessBanner() async throws {
    try await withListener("no SSH server") { connection in
      let line = String(repeating: "welcome ", count: 1000) + "\r\n"
      while Listener.say(line, to: connection) {}
    }
  }

  @Test("it closes the connection after its banner")
  func closes() async throws {
    try await withListener("closed the connection") { _ = Listener.say(Self.greeting, to: $0) }
  }

  @Test("its key is unknown, then a changed one, and then it takes none of ours")
  func keys() async throws {
    try await Home.with { home in
      try await home.makeKey()
      try await home.makeKey("other")
      try await Server.with(authorized: [home.publicKey("other")]) { server in
        try await expectFive(server.destination, "is not known as", in: home)
        try home.write(".ssh/known_hosts", "[127.0.0.1]:\(server.port) \(home.publicKey("other"))")
        try await expectFive(server.destination, "its key has changed", ["--accept-new"], in: home)
        try home.write(".ssh/known_hosts", "[127.0.0.1]:\(server.port) \(try server.hostKey())\n")
        try await expectFive(server.destination, "it took none of the keys", in: home)
      }
    }
  }

  @Test("it has no algorithm in common")
  func noCommonAlgorithm() async throws {
    try await Home.with { home in
      try await home.makeKey()
      try await Server.with(authorized: [home.publicKey()], "Ciphers aes128-gcm@openssh.com") { server in
        try await expectFive(server.destination, "there is no common cipher", in: home)
      }
    }
  }

  @Test("whatever is called there hangs, or talks without end", arguments: ["sleep 600", "yes"])
  func endlessCommand(command: String) async throws {
    try await Home.with { home in
      try await home.makeKey()
      try await Server.with(authorized: [home.publicKey()], "ForceCommand exec \(command)") { server in
        let check = try await home.coordinator(
          ["ssh", "check", server.destination, "--accept-new", "--ssh-timeout", "2s"])
        #expect(check.code == 5 && check.out.contains("no end within the time allowed"), "\(check)")
      }
    }
  }

  /// A host that is reached through a relay, with a coordinator that is the script `text`.
  private func withRelay(
    _ text: String, _ body: (Home, Relay, Listener) async throws -> Void
  ) async throws {
    try await Home.with { home in
      try await home.makeKey()
      try home.makeFolder("bin")
      try home.write("bin/coordinator", text, mode: 0o755)
      let setting = "SetEnv PATH=\(home.path)/bin:/usr/bin:/bin TMPDIR=\(home.path) HOME=\(home.path)"
      try await Server.with(authorized: [home.publicKey()], setting) { server in
        let relay = Relay(port: server.port)
        try await Listener.with({ relay.serve($0) }) { listener in
          try home.write(
            ".ssh/config",
            "Host node\n  HostName 127.0.0.1\n  Port \(listener.port)\n  StrictHostKeyChecking accept-new\n"
              + "  ServerAliveInterval 1\n  ServerAliveCountMax 3\n")
          try await body(home, relay, listener)
        }
      }
    }
  }

  @Test("it closes the connection in the middle of a transfer, or of a command")
  func closesInTheMiddle() async throws {
    try await withRelay("#!/bin/sh\necho began >\"$HOME/began\"; exec sleep 600\n") { home, relay, listener in
      truncate(try home.write("big.yaml", ""), 400 << 20)
      async let transfer = home.coordinator(["--via", "node", "validate", "big.yaml"])
      try await until("the transfer is under way") { relay.passed > 8 << 20 }
      listener.hangUp()
      let cut = try await transfer
      #expect(cut.code == 5 && cut.err.contains("closed the connection"), "\(cut)")
      #expect(access(home.path + "/began", F_OK) != 0)
      async let command = home.coordinator(["--via", "node", "runs"])
      try await until("the command runs") { home.text("began") == "began\n" }
      listener.hangUp()
      let lost = try await command
      #expect(lost.code == 5 && lost.err.contains("closed the connection"), "\(lost)")
    }
  }

  @Test("it falls silent in the middle of a command")
  func freezes() async throws {
    try await withRelay("#!/bin/sh\necho began >\"$HOME/began\"; exec sleep 600\n") { home, relay, _ in
      async let command = home.coordinator(["--via", "node", "runs"])
      try await until("the command runs") { home.text("began") == "began\n" }
      relay.freeze()
      let lost = try await command
      #expect(lost.code == 5 && lost.err.contains("has been silent"), "\(lost)")
    }
  }

  @Test("the command there ends by a signal: that is no failure of SSH", arguments: [(9, 137), (15, 143)])
  func signalled(signal: Int, code: Int32) async throws {
    try await withRelay("#!/bin/sh\necho out; kill -\(signal) $$\n") { home, _, _ in
      let answer = try await home.coordinator(["--via", "node", "runs"])
      #expect(answer.code == code && answer.out == "out\n" && answer.err.isEmpty, "\(answer)")
    }
  }

  @Test("the closing of the window and TERM reach the command there", arguments: [SIGHUP, SIGTERM])
  func windowClosed(signal: Int32) async throws {
    let script = """
      #!/bin/sh
      trap 'echo hup >"$HOME/got"; exit 6' HUP
      trap 'echo term >"$HOME/got"; exit 6' TERM
      echo $$ >"$HOME/pid"
      while :; do sleep 0.1; done
      """
    try await withRelay(script) { home, _, _ in
      let tool = try Tool(
        [Executable.coordinator, "--via", "node", "runs"], log: home.path + "/log",
        environment: ["HOME": home.path, "SSH_AUTH_SOCK": "", "EVENTOR_VIA": ""])
      try await until("the command runs") { home.text("pid").hasSuffix("\n") }
      tool.stop(signal)
      let status = await tool.status()
      #expect((status >> 8) & 0xff == 6, "\(home.text("log"))")
      #expect(home.text("got") == (signal == SIGHUP ? "hup\n" : "term\n"))
    }
  }

  @Test("Ctrl-C in the middle of a transfer ends it, with exit code 6, and what was sent is taken away again")
  func interruptedTransfer() async throws {
    try await withRelay("#!/bin/sh\necho began >\"$HOME/began\"\n") { home, relay, _ in
      truncate(try home.write("big.yaml", ""), 4 << 30)
      let line =
        "unset SSH_AUTH_SOCK; cd \(home.path); HOME=\(home.path) exec \(Executable.coordinator) --via node validate big.yaml"
      let tool = try Tool(["/bin/sh", "-c", line], log: home.path + "/log")
      try await until("the transfer is under way") { relay.passed > 8 << 20 }
      tool.stop(SIGINT)
      let status = await tool.status()
      #expect((status >> 8) & 0xff == 6, "\(home.text("log"))")
      #expect(access(home.path + "/began", F_OK) != 0)
      let left = try FileManager.default.contentsOfDirectory(atPath: home.path).filter {
        $0.hasPrefix("eventor-")
      }
      #expect(left.isEmpty, "\(left)")
    }
  }

  @Test("an exit code that shells have for a program that is not there comes from the command")
  func notFound() async throws {
    try await withRelay("#!/bin/sh\nexit 127\n") { home, _, _ in
      let answer = try await home.coordinator(["--via", "node", "run", "x", "--exit-code-from", "s"])
      #expect(answer.code == 127 && answer.err.isEmpty, "\(answer)")
    }
  }

  @Test(
    "a megabyte of output each second, for longer than any time that is allowed, arrives whole and is not gathered"
  )
  func steadyOutput() async throws {
    let seconds = 30
    let script =
      "#!/bin/sh\ni=0; while [ $i -lt \(seconds) ]; do head -c 1048576 /dev/zero; sleep 1; i=$((i + 1)); done\n"
    try await withRelay(script) { home, _, _ in
      let line =
        "unset SSH_AUTH_SOCK; cd \(home.path); HOME=\(home.path) exec \(Executable.coordinator) --via node runs --ssh-timeout 2s "
        + "</dev/null >out 2>err"
      let tool = try Tool(["/bin/sh", "-c", line], log: home.path + "/log")
      var peak = 0
      while tool.isRunning {
        let status = (try? String(contentsOfFile: "/proc/\(tool.pid)/status", encoding: .utf8)) ?? ""
        let field = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        if let field, let size = Int(field.filter(\.isNumber)) { peak = max(peak, size) }
        try await Task.sleep(for: .milliseconds(200))
      }
      let code = await tool.status()
      #expect(code == 0, "\(home.text("err"))")
      var status = stat()
      #expect(stat(home.path + "/out", &status) == 0 && status.st_size == seconds << 20)
      // What the process has anyway and a window of 2 MiB: not the 30.
      #expect(peak > 0 && peak < 100 << 10, "\(peak) KiB")
    }
  }
}
