import Foundation
import Glibc
import TestSupport
import Testing

/// Secret parameters of submitted runs: the store has the name of a secret, and each agent its value in its own vault.
@Suite("Secret parameters and agents")
struct AgentSecretTests {
  private static let secret = "s3cr3t-Wert-17"
  private static let program = """
    program: secretive
    config: {default_host: s1}
    parameters: {token: {type: string, secret: true, required: true}}
    steps:
      s:
        env: {TOKEN: "${param.token}"}
        shell: |
          echo "it is $TOKEN, again $TOKEN"
          printf %s "$TOKEN" | sha256sum > used
          echo "{\\"token\\": \\"$TOKEN\\"}" > $EVENTOR_RESULT_FILE
          touch running; while [ ! -e go ]; do sleep 0.05; done
      free: {shell: "echo without"}
    """

  /// A vault with the secret `token`, and the store in the configuration as it is.
  private func makeVault(_ world: World) async throws {
    try await world.makeVault("secret:prod")
    try await world.setSecret("prod", world.store)
    try await world.setSecret("token", Self.secret)
    #expect(try await world.run("db", "migrate", env: world.tagged).code == 0)
  }

  private func submit(_ world: World, _ arguments: String...) async throws -> Answer {
    try await world.start(["submit", "program.yaml", "--run-id", "r"] + arguments, env: world.tagged).answer()
  }

  private func agent(_ world: World) async throws -> Call {
    try await world.agent("s1", ["--poll", "200ms"], env: world.tagged.merging(["EVENTOR_STORE": ""]) { $1 })
  }

  @Test(
    "its value reaches the step, and neither the store nor any log, report or file", arguments: TestStore.all)
  func reaches(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.program) { world in
      try await makeVault(world)
      let agent = try await agent(world)
      let submitted = try await submit(world, "--param", "token=@secret:token")
      #expect(submitted.code == 0, "\(submitted)")
      try await world.file("running")
      // Whoever follows is not shown what can't be masked yet.
      let follower = try world.start(["logs", "r", "--follow", "--json"], env: world.tagged)
      try world.write("go", "")
      let report = try await world.wait()
      #expect(report["s"]?.result == .string("***"))
      #expect(report.run.parameters["token"] == .string("@secret:token"))
      let followed = await follower.answer()
      #expect(followed.stdout.contains("without") && !followed.stdout.contains(Self.secret), "\(followed)")
      let expected = try await world.shell("printf %s \(Self.secret) | sha256sum")
      #expect(try world.text("used") == expected.stdout)
      let log = try await world.run("logs", "r", "s", env: world.tagged)
      #expect(log.stdout.hasPrefix("it is **"), "\(log)")
      for command in [
        ["status", "r"], ["status", "r", "--json"], ["tasks", "r"], ["why", "r"], ["doctor"],
      ] {
        let answer = try await world.start(command, env: world.tagged).answer()
        #expect(!answer.description.contains(Self.secret), "\(answer)")
      }
      await agent.stop()
      let files = try world.files(holding: Self.secret)
      #expect(files.names.isEmpty && files.count > 5, "\(files)")
      if kind != .sqlite {
        let rows = try await VaultStoreTests.dump(world.url)
        #expect(rows.contains { $0.contains("@secret:token") } && !rows.contains { $0.contains(Self.secret) })
      } else if let path = world.url.path {
        let bytes = try #require(FileManager.default.contents(atPath: path))
        #expect(bytes.range(of: Data(Self.secret.utf8)) == nil)
      }
    }
  }

  @Test("a host without the secret fails that step alone, and says how to mend it; a recovery then goes on")
  func missing() async throws {
    try await World.with(program: Self.program) { world in
      try await makeVault(world)
      try world.write("go", "")
      let agent = try await agent(world)
      #expect(try await submit(world, "--param", "token=@secret:other").code == 0)
      let report = try await world.wait(exit: 1)
      #expect(report["free"]?.status == "success")
      #expect(report["s"]?.status == "failure")
      let message = report["s"]?.message ?? ""
      #expect(
        message.contains("secret parameter 'token': secret 'other': the vault has none of that name"),
        "\(message)")
      #expect(message.contains("coordinator secret set other"), "\(message)")
      try await world.setSecret("other", Self.secret)
      let recovered = try await world.run("recover", "r", "--wait", "--json", env: world.tagged)
      #expect(recovered.code == 0, "\(recovered)")
      #expect(world.exists("used"))
      await agent.stop()
    }
  }

  @Test("what opens a store is handed to no step, however it is named")
  func credentials() async throws {
    try await World.with(program: Self.program) { world in
      try await makeVault(world)
      try world.write("go", "")
      let agent = try await agent(world)
      #expect(try await submit(world, "--param", "token=@secret:prod").code == 0)
      let report = try await world.wait(exit: 1)
      #expect(report["s"]?.message?.contains("it opens a store, and is for no step") == true)
      let here = try await world.run(
        "run", "program.yaml", "--param", "token=@secret:prod", env: world.tagged)
      #expect(here.code == 2 && here.stderr.contains("is for no step"), "\(here)")
      #expect(!world.exists("used"))
      await agent.stop()
    }
  }

  @Test("a value itself is not left to agents, nor is a name that can't be one")
  func refused() async throws {
    try await World.with(program: Self.program) { world in
      try await makeVault(world)
      try world.write("token", Self.secret, mode: 0o600)
      for (words, expected) in [
        (["--param", "token=@token"], "agents are not handed its value"),
        (["--param", "token=@secret:a b"], "that is no name of a secret"),
        (["--param", "token=plain"], "shows in the list of processes"), ([], "has no value"),
      ] {
        let answer = try await world.start(["submit", "program.yaml"] + words, env: world.tagged).answer()
        #expect(answer.code == 2 && answer.stderr.contains(expected), "\(answer)")
      }
      let variable = try await world.run(
        "submit", "program.yaml", env: world.tagged.merging(["EVENTOR_PARAM_TOKEN": Self.secret]) { $1 })
      #expect(variable.code == 2 && variable.stderr.contains("@secret:NAME"), "\(variable)")
      #expect(!variable.description.contains(Self.secret))
    }
  }

  @Test("run takes it from the vault here, and a recovery and a rerun know it by its name")
  func standalone() async throws {
    try await World.with(program: Self.program) { world in
      try await makeVault(world)
      try world.write("go", "")
      let run = try await world.run(
        "run", "program.yaml", "--run-id", "r", "--quiet", "--param", "token=@secret:token", env: world.tagged
      )
      #expect(run.code == 0, "\(run)")
      for command in [["recover", "r"], ["rerun", "r", "--step", "s"], ["rerun", "r"]] {
        try FileManager.default.removeItem(atPath: world.path("used"))
        let answer = try await world.start(command, env: world.tagged).answer()
        #expect(answer.code == 0, "\(answer)")
        if command[0] == "recover" { try world.write("used", "") } else { #expect(world.exists("used")) }
      }
      let absent = try await world.run(
        "run", "program.yaml", "--param", "token=@secret:none", env: world.tagged)
      #expect(absent.code == 3 && absent.stderr.contains("secret set none"), "\(absent)")
      #expect(try world.files(holding: Self.secret).names.isEmpty)
    }
  }

  @Test(
    "an agent that goes on with a step of a former one masks what it wrote, or passes nothing on",
    arguments: [true, false])
  func adopted(hasSecret: Bool) async throws {
    try await World.with(program: Self.program) { world in
      try await makeVault(world)
      let first = try await agent(world)
      #expect(try await submit(world, "--param", "token=@secret:token").code == 0)
      try await world.file("running")
      await first.kill()
      if !hasSecret {
        #expect(try await world.run("secret", "remove", "token", "--yes", env: world.tagged).code == 0)
      }
      let second = try await agent(world)
      try world.write("go", "")
      let report = try await world.wait()
      #expect(report["s"]?.attempt == 1)
      #expect(report["s"]?.result == .string("***"))
      let log = try await world.run("logs", "r", "s", "--stored", env: world.tagged)
      #expect(!log.description.contains(Self.secret) || !hasSecret, "\(log)")
      if !hasSecret {
        #expect(report["s"]?.message?.contains("what it wrote is not shown") == true, "\(report)")
      }
      if let path = world.url.path {
        for suffix in ["", "-wal"] {
          let bytes = FileManager.default.contents(atPath: path + suffix) ?? Data()
          #expect(bytes.range(of: Data(Self.secret.utf8)) == nil)
        }
      }
      await second.stop()
    }
  }
}
