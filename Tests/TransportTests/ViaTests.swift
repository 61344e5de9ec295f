import Foundation
import Glibc
import Testing

@testable import Transport

@Suite("--via HOST")
struct ViaTests {
  /// A host that has a coordinator, reached as `node` by the configuration of `home`.
  private func withNode(_ body: (Home) async throws -> Void) async throws {
    try await Home.with { home in
      try await home.makeKey()
      let path = "SetEnv PATH=\(Executable.folder):/usr/bin:/bin HOME=\(home.path)"
      try await Server.with(authorized: [home.publicKey()], path) { server in
        try home.write(
          ".ssh/config",
          "Host node\n  HostName 127.0.0.1\n  Port \(server.port)\n  StrictHostKeyChecking accept-new\n")
        try await body(home)
      }
    }
  }

  private func call(_ words: [String], in home: Home, stdin: String = "/dev/null") async throws -> (
    Int32, String, String
  ) {
    let line =
      "unset SSH_AUTH_SOCK EVENTOR_VIA; cd \(home.path); HOME=\(home.path) "
      + ([Executable.coordinator] + words).map { ShellWord.quoted($0) }.joined(separator: " ")
      + " <\(stdin) >\(home.path)/out 2>\(home.path)/err; echo $? >\(home.path)/code"
    try await Tool.run(line)
    let code = Int32(home.text("code").trimmingCharacters(in: .whitespacesAndNewlines))
    return (try #require(code), home.text("out"), home.text("err"))
  }

  @Test("output, errors and exit codes are those of the coordinator there")
  func passedThrough() async throws {
    try await withNode { home in
      let version = try await call(["--via", "node", "--version"], in: home)
      let local = try await call(["--version"], in: home)
      #expect(version == local)
      #expect(version.0 == 0)
      let bad = try home.write("b ad'.yaml", "program: x\nnonsense: 1\n")
      let there = try await call(["validate", bad, "--via=node"], in: home)
      let here = try await call(["validate", bad], in: home)
      // The file was sent along, so it is named by its place there.
      #expect(there.0 == 2 && here.0 == 2)
      let message = here.2.replacing(bad, with: "")
      #expect(there.2.hasSuffix(message) && there.2.hasPrefix("/tmp/eventor-"), "\(there)")
      #expect(there.2.dropLast(message.count).hasSuffix("/b ad'.yaml"), "\(there)")
      let store = "sqlite:\(home.path)/there.db"
      let good = try home.write(
        "good.yaml", "program: good\nsteps:\n  a: {shell: \"echo made $HOSTNAME; exit 3\"}\n")
      let run = try await call(
        ["run", good, "--store", store, "--quiet", "--json", "--via", "node"], in: home)
      #expect(run.0 == 1, "\(run)")
      #expect(run.1.contains("\"exit_code\": 3"), "\(run)")
    }
  }

  @Test(
    "programs that are named are sent along, and taken away again; what else they are called stays as it is")
  func files() async throws {
    try await withNode { home in
      let program =
        "program: sent\nparameters: {word: {type: string, secret: true}}\nsteps:\n"
        + "  a: {env: {WORD: \"${param.word}\"}, shell: 'test \"$WORD\" = hidden'}\n"
      try home.write("sent.yaml", program)
      try home.write("word", "hidden\n")
      let store = "sqlite:\(home.path)/sent.db"
      // An id that is called as the file is no file.
      let words = [
        "run", "sent.yaml", "--param", "word=@word", "--run-id", "sent.yaml", "--quiet", "--store", store,
      ]
      let run = try await call(words + ["--via", "node"], in: home)
      #expect(run.0 == 0, "\(run)")
      let status = try await call(["status", "sent.yaml", "--store", store, "--via", "node"], in: home)
      #expect(status.0 == 0 && status.1.contains("success"), "\(status)")
      let submitted = try await call(["submit", "sent.yaml", "--store", store, "--via", "node"], in: home)
      #expect(submitted.0 == 2 && submitted.2.contains("parameter 'word' is secret"), "\(submitted)")
      let registered = try await call(
        ["program", "register", "sent.yaml", "--store", store, "--via", "node"], in: home)
      #expect(registered.0 == 0 && registered.1.hasPrefix("sent@sha256:"), "\(registered)")
      #expect(
        try await Tool.run("ls /tmp/eventor-*/sent.yaml 2>/dev/null || true") == "\(home.path)/sent.yaml\n")
      // What `run` keeps is the program, never the value of a secret parameter.
      let kept = try await Tool.run("find \(home.path)/.local -type f -path '*/sent/*' -printf '%f\\n'")
      #expect(kept.contains("sent.yaml\n") && !kept.contains("word"), "\(kept)")
    }
  }

  @Test("secrets go into the vault of another host through one pipe")
  func secrets() async throws {
    try await Home.with { home in
      try await home.makeKey()
      for name in ["there", ".config/eventor"] { try home.makeFolder(name) }
      try home.write(".config/eventor/eventor.yaml", "")
      let setting = "SetEnv PATH=\(Executable.folder):/usr/bin:/bin HOME=\(home.path)/there"
      try await Server.with(authorized: [home.publicKey()], setting) { server in
        try home.write(
          ".ssh/config",
          "Host node\n  HostName 127.0.0.1\n  Port \(server.port)\n  StrictHostKeyChecking accept-new\n")
        let out = try await Tool.run(
          """
          unset SSH_AUTH_SOCK EVENTOR_VIA; cd \(home.path); export HOME=\(home.path); c=\(Executable.coordinator)
          $c secret init >ours && printf hunter2 | $c secret set prod || exit
          $c --via node secret init >theirs || exit
          $c secret export --for "$(cat theirs)" | $c --via node secret import || exit
          $c --via node secret list --output tsv --no-header --columns name || exit
          # What the other host has, opened here again.
          $c --via node secret export --for "$(cat ours)" | $c secret import
          """)
        #expect(out.contains("added: prod\nprod\nunchanged: prod\n"), "\(out)")
        #expect(!out.contains("hunter2"))
        #expect(access(home.path + "/there/.config/eventor/secrets.yaml", F_OK) == 0)
      }
    }
  }

  @Test("what the login shell there prints is no output of the command, and in nobody's way")
  func talkativeShell() async throws {
    try await Home.with { home in
      try await home.makeKey()
      try home.write(".bashrc", "echo welcome\n")
      let setting = "SetEnv PATH=\(Executable.folder):/usr/bin:/bin HOME=\(home.path)"
      try await Server.with(authorized: [home.publicKey()], setting) { server in
        try home.write("good.yaml", "program: good\nsteps: {a: {}}\n")
        let words = ["graph", "good.yaml", "--format", "dot"]
        let there = try await home.coordinator(words + ["--via", server.destination, "--accept-new"])
        let here = try await home.coordinator(words)
        #expect(there.code == 0 && there.out == here.out, "\(there)")
      }
    }
  }

  @Test("files that could be sent in part only are taken away again")
  func sentInPart() async throws {
    try await Home.with { home in
      try await home.makeKey()
      try home.makeFolder("there")
      // No file of more than 100 blocks can be written there.
      let setting =
        "Subsystem sftp ulimit -f 100; exec /usr/lib/openssh/sftp-server\n"
        + "SetEnv PATH=\(Executable.folder):/usr/bin:/bin TMPDIR=\(home.path)/there"
      try await Server.with(authorized: [home.publicKey()], setting) { server in
        try home.write("a.yaml", "program: a\nsteps: {a: {}}\n")
        truncate(try home.write("b.yaml", ""), 64 << 20)
        let answer = try await home.coordinator(
          ["validate", "a.yaml", "b.yaml", "--via", server.destination, "--accept-new"])
        #expect(answer.code != 0 && answer.err.hasPrefix("error: "), "\(answer)")
        let left = try FileManager.default.contentsOfDirectory(atPath: home.path + "/there")
        #expect(left.isEmpty, "\(left)")
      }
    }
  }

  @Test("a host that can't be reached is 5, one without a coordinator 3, no host 2")
  func failures() async throws {
    try await withNode { home in
      let absent = try await call(["--via", "127.0.0.1:1", "runs"], in: home)
      #expect(absent.0 == 5)
      #expect(absent.2.hasPrefix("error: can't reach 127.0.0.1: "), "\(absent)")
      let nothing = try await call(["runs", "--via"], in: home)
      #expect(nothing.0 == 2)
      try await Server.with(authorized: [home.publicKey()], "SetEnv PATH=/usr/bin:/bin HOME=/nonexistent") {
        server in
        let without = try await call(["--via", server.destination, "--accept-new", "runs"], in: home)
        if access("/usr/local/bin/coordinator", X_OK) != 0, access("/opt/eventor/bin/coordinator", X_OK) != 0
        {
          #expect(without.0 == 3, "\(without)")
          #expect(without.2.contains("there is no coordinator on"))
        }
      }
    }
  }

  @Test("Ctrl-C reaches the coordinator there, and its steps")
  func interrupt() async throws {
    try await withNode { home in
      let program = try home.write(
        "long.yaml", "program: long\nsteps:\n  a: {shell: \"echo $$ >\(home.path)/pid; sleep 300\"}\n")
      let words = ["run", program, "--store", "sqlite:\(home.path)/long.db", "--quiet", "--via", "node"]
      let tool = try Tool(
        [Executable.coordinator] + words, log: home.path + "/log",
        environment: ["HOME": home.path, "SSH_AUTH_SOCK": "", "EVENTOR_VIA": ""])
      try await until("the step runs") { home.text("pid").hasSuffix("\n") }
      let pid = try #require(pid_t(home.text("pid").trimmingCharacters(in: .whitespacesAndNewlines)))
      // One that came while it is ending already would end it by itself.
      try await until("it is being cancelled") {
        tool.stop(SIGINT)
        try await Task.sleep(for: .milliseconds(500))
        return home.text("log").contains("cancelling")
      }
      try await until("it has ended") { !tool.isRunning }
      let status = await tool.status()
      #expect((status >> 8) & 0xff == 6, "\(home.text("log"))")
      try await until("the step is gone") { kill(pid, 0) != 0 }
    }
  }
}
