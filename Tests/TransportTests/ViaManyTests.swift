import Foundation
import Glibc
import Testing

@testable import Transport

@Suite("--via HOST --via HOST")
struct ViaManyTests {
  /// What one host answered, as JSON.
  private struct Line: Decodable {
    let host: String
    let exitCode: Int
    let error: String?
  }

  /// Hosts `one` and `two` with homes and stores of their own, and `gone`, which is not there.
  private func withNodes(_ body: (Home) async throws -> Void) async throws {
    try await Home.with { home in
      try await home.makeKey()
      for name in ["one", "two"] {
        try home.makeFolder(name + "/.config/eventor")
        try home.write(name + "/.config/eventor/eventor.yaml", "store: sqlite:\(home.path)/\(name)/runs.db\n")
      }
      func setting(_ name: String) -> String {
        "SetEnv PATH=\(Executable.folder):/usr/bin:/bin HOME=\(home.path)/\(name)"
      }
      try await Server.with(authorized: [home.publicKey()], setting("one")) { one in
        try await Server.with(authorized: [home.publicKey()], setting("two")) { two in
          try home.write(
            ".ssh/config",
            "Host one\n  Port \(one.port)\nHost two\n  Port \(two.port)\nHost gone\n  Port 1\n"
              + "Host *\n  HostName 127.0.0.1\n  StrictHostKeyChecking accept-new\n")
          try await body(home)
        }
      }
    }
  }

  @Test("each host answers in a block of its own, in the order they were named")
  func blocks() async throws {
    try await withNodes { home in
      for name in ["one", "two"] {
        try home.write("p.yaml", "program: on-\(name)\nsteps: {a: {}}\n")
        let run = try await home.coordinator([
          "run", "p.yaml", "--quiet", "--via", name, "--store",
          "sqlite:\(home.path)/\(name)/runs.db",
        ])
        #expect(run.code == 0, "\(run)")
      }
      let runs = try await home.coordinator(
        [
          "runs", "--via", "two", "--via=one", "--output", "tsv", "--columns", "program,status",
          "--no-header",
        ])
      #expect(runs.code == 0, "\(runs)")
      #expect(
        runs.out == "==> two <==\non-two\tsuccess\n\n==> one <==\non-one\tsuccess\n", "\(runs)")
      let version = try await home.coordinator(["--via", "one", "--via", "two", "--version"])
      #expect(version.code == 0 && version.lines.filter { $0.hasPrefix("==>") }.count == 2, "\(version)")
      // A file goes along to each, and is taken away again.
      let valid = try await home.coordinator(["--via", "one", "--via", "two", "validate", "p.yaml"])
      #expect(valid.code == 0, "\(valid)")
    }
  }

  @Test("with --json each host answers in a line; who can't be reached makes it 5, else the first that fails")
  func lines() async throws {
    try await withNodes { home in
      for name in ["one", "two"] {
        let made = try await home.coordinator(["db", "migrate", "--via", name])
        #expect(made.code == 0, "\(made)")
      }
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .convertFromSnakeCase
      func call(_ words: String...) async throws -> (code: Int32, hosts: [Line], text: String) {
        let answer = try await home.coordinator(words)
        return (
          answer.code, try answer.lines.map { try decoder.decode(Line.self, from: Data($0.utf8)) }, answer.out
        )
      }
      let well = try await call("--via", "one", "--via", "two", "db", "status", "--json")
      #expect(well.code == 0 && well.hosts.map(\.host) == ["one", "two"], "\(well)")
      #expect(well.hosts.allSatisfy { $0.error == nil && $0.exitCode == 0 })
      #expect(well.text.split(separator: "\n").allSatisfy { $0.contains(#""output": {""#) }, "\(well)")
      let absent = try await call("--via", "one", "--via", "two", "status", "no-such-run", "--json")
      #expect(absent.code == 3 && absent.hosts.map(\.exitCode) == [3, 3], "\(absent)")
      #expect(absent.hosts.allSatisfy { $0.error?.hasPrefix("error: ") == true }, "\(absent)")
      #expect(absent.text.contains(#""output": null"#), "\(absent)")
      let gone = try await call("--via", "one", "--via", "gone", "--via", "two", "runs", "--json")
      #expect(gone.code == 5 && gone.hosts.map(\.exitCode) == [0, 5, 0], "\(gone)")
      #expect(gone.hosts[1].error?.contains("can't reach gone") == true, "\(gone)")
    }
  }

  @Test("commands that change something, or go on, are for one host")
  func refused() async throws {
    try await withNodes { home in
      try home.write("p.yaml", "program: p\nsteps: {a: {}}\n")
      for words in [
        ["submit", "p.yaml"], ["run", "p.yaml"], ["status", "latest", "--watch"],
        ["logs", "latest", "--follow"],
        ["cancel", "latest"], ["db", "migrate"], ["secret", "set", "x"], ["nonsense"],
      ] {
        let answer = try await home.coordinator(["--via", "one", "--via", "two"] + words)
        #expect(answer.code == 2 && answer.out.isEmpty, "\(answer)")
        #expect(answer.err.contains("several hosts are for commands that only report"), "\(answer)")
      }
      let twice = try await home.coordinator(["--via", "one", "--via", "one", "runs"])
      #expect(twice.code == 2 && twice.err.contains("named twice"), "\(twice)")
      #expect(access(home.path + "/one/runs.db", F_OK) != 0)
    }
  }

  @Test("Ctrl-C ends it on all of them")
  func interrupt() async throws {
    try await Home.with { home in
      try await home.makeKey()
      try home.makeFolder("bin")
      try home.write(
        "bin/coordinator", "#!/bin/sh\necho $$ >>\"$HOME/pids\"; exec sleep 600\n", mode: 0o755)
      let setting = "SetEnv PATH=\(home.path)/bin:/usr/bin:/bin HOME=\(home.path)"
      try await Server.with(authorized: [home.publicKey()], setting) { server in
        try home.write(
          ".ssh/config",
          "Host *\n  HostName 127.0.0.1\n  Port \(server.port)\n  StrictHostKeyChecking accept-new\n")
        let tool = try Tool(
          [Executable.coordinator, "--via", "one", "--via", "two", "runs"], log: home.path + "/log",
          environment: ["HOME": home.path, "SSH_AUTH_SOCK": "", "EVENTOR_VIA": ""])
        func pids() -> [pid_t] { home.text("pids").split(separator: "\n").compactMap { pid_t($0) } }
        try await until("both run") { pids().count == 2 }
        tool.stop(SIGINT)
        let status = await tool.status()
        #expect((status >> 8) & 0xff == 6, "\(home.text("log"))")
        try await until("both are gone") { pids().allSatisfy { kill($0, 0) != 0 } }
      }
    }
  }
}
