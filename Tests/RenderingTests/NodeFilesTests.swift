import Testing

@testable import Coordinator

/// What nodes are given, and what is said of them, as texts; Tests/TransportTests and scripts/scenarios use them.
@Suite("What makes a node")
struct NodeFilesTests {
  private func facts(_ lines: String...) throws -> NodeFacts {
    let usual = [
      "mode\tsystem", "bin\t/usr/local/bin", "etc\t/etc/eventor", "state\t/var/lib/eventor",
      "account\teventor",
      "user\troot", "name\ts1", "log\t/var/lib/eventor/agent.log",
    ]
    return try #require(NodeFacts(NodeAnswers((usual + lines).joined(separator: "\n"))))
  }

  @Test("a unit runs as the agent's account and leaves the steps alone; a user's own has no account")
  func units() throws {
    let system = NodeFiles.unit(try facts())
    #expect(system.contains("\nExecStart=/usr/local/bin/eventor-agent --config /etc/eventor/eventor.yaml\n"))
    #expect(system.contains("\nUser=eventor\n") && system.contains("\nKillMode=process\n"))
    #expect(system.hasSuffix("WantedBy=multi-user.target\n"))
    let user = NodeFiles.unit(try facts("mode\tuser"))
    #expect(!user.contains("User=") && user.hasSuffix("WantedBy=default.target\n"))
  }

  @Test("a starter becomes the agent's account, but for the login user's own; odd places are quoted")
  func starters() throws {
    let system = NodeFiles.starter(try facts())
    #expect(system.contains("setpriv --reuid=eventor --regid=eventor --init-groups /bin/sh -c"))
    #expect(system.contains("HOME=/var/lib/eventor "))
    let user = NodeFiles.starter(
      try facts("mode\tuser", "account\tann", "user\tann", "state\t/home/a n'n/state"))
    #expect(!user.contains("setpriv"))
    #expect(user.contains(#"state='/home/a n'\''n/state'"#) && user.contains("HOME=\"$HOME\" "))
  }

  @Test("a configuration names the store and holds no password")
  func configuration() throws {
    let store = NodeStore(tag: "prod", entry: "secret:prod", secrets: [])
    let text = NodeFiles.configuration(store, try facts())
    #expect(text.contains("store: prod\ndatabases:\n  prod: \"secret:prod\"\n"))
    #expect(text.contains("log_dir: \"/var/lib/eventor/logs\""))
  }

  @Test("libraries that a host lacks are named with their packages, and Swift's with how to do without")
  func libraries() {
    let lacks = NodeFailure.cannotRun(
      "coordinator", on: "s1", libraries: ["libpq.so.5", "libsodium.so.23"], said: "no")
    #expect(
      lacks.description == "coordinator does not run on s1: it lacks libpq.so.5, libsodium.so.23; "
        + "there, as root: apt-get install -y libpq5 libsodium23")
    let swift = NodeFailure.cannotRun(
      "coordinator", on: "s1", libraries: ["libFoundation.so", "libpq.so.5"], said: "no")
    #expect(swift.mend.contains("--static-swift-stdlib"))
    #expect(NodeFailure.cannotRun("x", on: "s1", libraries: [], said: "exec format").why == "exec format")
  }

  @Test("what a login shell says beside the answers is passed over")
  func answers() {
    let answers = NodeAnswers("Welcome!\nbin\t/usr/local/bin\npid\t\nerror\tfailed\n")
    #expect(answers["bin"] == "/usr/local/bin" && answers["pid"] == nil && answers["error"] == "failed")
    #expect(NodeFacts(answers) == nil)
  }
}
