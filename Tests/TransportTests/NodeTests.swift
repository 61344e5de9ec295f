import Foundation
import Glibc
import Testing

@testable import Transport

/// `coordinator agent install` and the rest of an agent's life, with a real sshd, a home of the test's own for both sides,
/// and a store of SQLite. scripts/scenarios plays the same on several hosts, as root and with servers.
@Suite("Agents of nodes over SSH", .serialized)
struct NodeTests {
  private struct Report: Decodable {
    struct Host: Decodable {
      let ok: Bool
      let state: String?
      let changed: [String]?
      let pid: Int?
      let log: String?
      let error: [String: String]?
    }
    let hosts: [Host]
  }

  private struct Answer {
    let code: Int32
    let out: String
    let err: String

    func hosts() throws -> [Report.Host] { try JSONDecoder().decode(Report.self, from: Data(out.utf8)).hosts }
  }

  private struct Node {
    let home: Home
    var store: String { "sqlite:\(home.path)/runs.db" }

    func call(_ words: String..., from folder: String? = nil) async throws -> Answer {
      try await call(words, from: folder)
    }

    func call(_ words: [String], from folder: String? = nil) async throws -> Answer {
      let line =
        "unset SSH_AUTH_SOCK EVENTOR_VIA EVENTOR_STORE; cd \(home.path); HOME=\(home.path) setsid -w "
        + ([Executable.coordinator, "agent"] + words + (folder.map { ["--from", $0] } ?? []))
        .map { ShellWord.quoted($0) }.joined(separator: " ")
        + " </dev/null >out 2>err; echo $? >code"
      try await Tool.run(line)
      let code = Int32(home.text("code").trimmingCharacters(in: .whitespacesAndNewlines))
      return Answer(code: try #require(code), out: home.text("out"), err: home.text("err"))
    }

    /// The programs without what debuggers need: what is sent is smaller. `addition` makes them others.
    func programs(_ name: String, addition: String = "") async throws -> String {
      let folder = home.path + "/" + name
      try await Tool.run(
        """
        mkdir \(folder) && cd \(folder)
        for program in coordinator eventor-agent; do
          strip -o $program \(Executable.folder)/$program || cp \(Executable.folder)/$program .
          printf '%s' '\(addition)' >>$program
        done
        """)
      return folder
    }
  }

  /// A host `node` whose home is that of the client, too.
  private func withNode(_ body: (Node) async throws -> Void) async throws {
    try await Home.with { home in
      try await home.makeKey()
      // Neither the crontab nor the systemd of whoever runs the tests has a part in them.
      try FileManager.default.createDirectory(atPath: home.path + "/fake", withIntermediateDirectories: true)
      try home.write(
        "fake/crontab",
        "#!/bin/sh\ncase $1 in -l) cat \"$HOME/crontab\";; -) cat >\"$HOME/crontab.new\"; mv \"$HOME/crontab.new\" \"$HOME/crontab\";; esac\n",
        mode: 0o755)
      try home.write("fake/systemctl", "#!/bin/sh\nexit 1\n", mode: 0o755)
      let setting = "SetEnv PATH=\(home.path)/fake:/usr/bin:/bin HOME=\(home.path)"
      try await Server.with(authorized: [home.publicKey()], setting) { server in
        try home.write(
          ".ssh/config",
          "Host node\n  HostName 127.0.0.1\n  Port \(server.port)\n  StrictHostKeyChecking accept-new\n"
            + "Host gone\n  HostName 127.0.0.1\n  Port 1\n")
        let node = Node(home: home)
        let result: Result<Void, any Error>
        do { result = .success(try await body(node)) } catch { result = .failure(error) }
        // No agent outlives the test, whatever became of it.
        if let pid = pid_t(home.text(".local/state/eventor/agent.pid").prefix { $0.isNumber }),
          (try? String(contentsOfFile: "/proc/\(pid)/cmdline", encoding: .utf8))?.contains(home.path) == true
        {
          kill(pid, SIGTERM)
          try await until("the agent has ended") { !isAlive(Int(pid)) }
        }
        try result.get()
      }
    }
  }

  @Test("a bare host gets a live agent; a second time changes nothing; it starts, stops and is upgraded")
  func life() async throws {
    try await withNode { node in
      let programs = try await node.programs("programs")
      let install = try await node.call(
        "install", "node", "--user", "--store", node.store, "--json", from: programs)
      #expect(install.code == 0, "\(install)")
      let first = try #require(install.hosts().first)
      #expect(first.state == "live" && first.changed?.first == "installed coordinator and eventor-agent")
      let pid = try #require(first.pid)
      #expect(isAlive(pid))
      #expect(first.log == node.home.path + "/.local/state/eventor/agent.log")
      let log = node.home.text(".local/state/eventor/agent.log")
      #expect(log.contains("serving"), "\(log)")

      let line = "@reboot \(node.home.path)/.local/bin/eventor-agent-start\n"
      #expect(node.home.text("crontab") == line)

      let again = try await node.call("install", "node", "--user", "--store", node.store, from: programs)
      #expect(
        again.code == 0 && again.out.contains("nothing to do") && again.out.contains("pid \(pid)"), "\(again)"
      )
      // Whoever has changed the configuration keeps it.
      try node.home.write(
        ".config/eventor/eventor.yaml", node.home.text(".config/eventor/eventor.yaml") + "max_concurrent: 3\n"
      )
      let kept = try await node.call("install", "node", "--user", "--store", node.store, from: programs)
      #expect(kept.code == 0 && kept.out.contains("keeps its own"), "\(kept)")
      let start = try await node.call("start", "node")
      #expect(start.code == 0 && start.out.contains("it ran already"), "\(start)")

      let newer = try await node.programs("newer", addition: "newer")
      let upgrade = try await node.call("upgrade", "node", "--rolling", "--json", from: newer)
      let second = try #require(upgrade.hosts().first)
      #expect(upgrade.code == 0 && second.state == "live" && second.pid != pid, "\(upgrade)")
      #expect(second.changed == ["replaced coordinator and eventor-agent", "started the agent anew"])

      let stop = try await node.call("stop", "node", "--json")
      #expect(try stop.code == 0 && stop.hosts().first?.state == "stopped", "\(stop)")
      #expect(!isAlive(try #require(second.pid)))
      let idle = try await node.call("stop", "node")
      #expect(idle.code == 0 && idle.out.contains("does not run"), "\(idle)")
      let status = try await node.call("status", "node", "gone", "--json")
      #expect(status.code == 5, "\(status)")
      #expect(try status.hosts().map(\.state) == ["stopped", nil], "\(status)")
      // An upgrade starts no agent that somebody has stopped.
      let quiet = try await node.call("upgrade", "node", from: programs)
      #expect(quiet.code == 0 && quiet.out.contains("was not started"), "\(quiet)")
      #expect(node.home.text("crontab") == line)
      let restart = try await node.call("restart", "node", "--json")
      #expect(try restart.code == 0 && restart.hosts().first?.state == "live", "\(restart)")
    }
  }

  @Test("what can't be done is said with its exit code, and nothing is left behind")
  func refusals() async throws {
    try await withNode { node in
      #expect(try await node.call("start", "node").code == 3)
      #expect(try await node.call("start", "gone").code == 5)
      for words in [
        ["install", "node"], ["install", "node", "--user", "--run-as", "me"], ["start", "node", "node"],
        ["start"], ["start", "node", "--wait", "0s"],
      ] {
        let answer = try await node.call(words)
        #expect(answer.code == 2, "\(words) \(answer)")
      }
      let nowhere = try await node.call(
        "install", "node", "--user", "--store", node.store, from: "/nonexistent")
      #expect(nowhere.code == 2 && nowhere.err.contains("--from"), "\(nowhere)")
      let memory = try await node.call("install", "node", "--user", "--store", "sqlite:relative.db")
      #expect(memory.code == 2 && memory.err.contains("path from the root"), "\(memory)")
      // Programs that don't run there take nothing's place.
      let folder = node.home.path + "/broken"
      try await Tool.run(
        "mkdir \(folder); printf '#!/bin/sh\\necho broken >&2; exit 1\\n' >\(folder)/coordinator; "
          + "cp \(folder)/coordinator \(folder)/eventor-agent; chmod 755 \(folder)/*")
      let broken = try await node.call("install", "node", "--user", "--store", node.store, from: folder)
      #expect(broken.code == 1, "\(broken)")
      #expect(broken.out == "FAIL  node: coordinator does not run on node: broken\n", "\(broken)")
      let left = try FileManager.default.contentsOfDirectory(atPath: node.home.path + "/.local/bin")
      #expect(left.isEmpty, "\(left)")
    }
  }
}

/// Whether a process runs. One that has ended and was not waited for yet has no command line.
private func isAlive(_ pid: some BinaryInteger) -> Bool {
  guard let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else { return false }
  return !line.isEmpty
}
