import Database
import Drivers
import Foundation
import Glibc
import TestSupport
import Testing

@Suite("Stores whose password is in the vault")
struct VaultStoreTests {
  private static let program = """
    program: quiet
    steps:
      look: {shell: "env; tr '\\\\0' '\\\\n' < /proc/$PPID/environ; cat /proc/$PPID/cmdline; env -0 > environment"}
      wait: {after: [look], shell: "touch running; while [ ! -e go ]; do sleep 0.05; done"}
      fail: {after: [wait], run: ["false"]}
    """

  @Test(
    "commands, an agent and its steps use it, and it is seen nowhere",
    arguments: zip(TestStore.servers, ["whole", "password"]))
  func nowhere(kind: TestStore.Kind, what: String) async throws {
    try await World.with(kind, program: Self.program) { world in
      let password = try #require(world.url.password)
      if what == "whole" {
        try await world.makeVault()
        try await world.setSecret("prod", world.store + "\n")
      } else {
        let entry = world.store.replacing(":\(password)@", with: ":secret:word@")
        try #require(entry != world.store)
        try await world.makeVault(entry)
        try await world.setSecret("word", password)
      }
      #expect(try await world.run("db", "migrate", env: world.tagged).code == 0)
      // A variable of the one who starts it reaches the agent, as it must, but no step.
      let call = try world.start(
        [
          "--host", "s1", "--work-dir", world.path("work"), "--log-dir", world.path("logs"), "--log-level",
          "debug",
        ],
        env: world.tagged, executable: Executable.agent)
      try await until("the agent serves") { call.isOver || call.stderr.contains("serving") }
      #expect(!call.isOver, "\(call.stderr)")
      let program = try world.text("program.yaml").replacing(
        "steps:", with: "config: {default_host: s1}\nsteps:")
      try world.write("program.yaml", program)
      let submitted = try await world.run("submit", "program.yaml", "--run-id", "r", env: world.tagged)
      #expect(submitted.code == 0, "\(submitted)")
      try await world.file("running")
      let seen = world.processes(showing: password)
      #expect(seen.count >= 4, "an agent, a keeper, a minder and a step")
      #expect(seen.places.isEmpty, "\(seen)")
      try world.write("go", "")
      let waited = try await world.run("wait", "r", "--json", env: world.tagged)
      #expect(waited.code == 1, "\(waited)")
      for command in [
        ["status", "r"], ["status", "r", "--json"], ["logs", "r"], ["why", "r"], ["agent", "list"],
        ["doctor"],
        ["db", "status", "--json"], ["secret", "list"], ["db", "grants", "--role", "x"],
      ] {
        let answer = try await world.start(command, env: world.tagged).answer()
        #expect(!answer.description.contains(password), "\(answer)")
      }
      await call.stop()
      let files = try world.files(holding: password)
      #expect(files.names.isEmpty, "\(files)")
      #expect(files.count > 10)
      let rows = try await Self.dump(world.url)
      #expect(rows.count > 5)
      #expect(!rows.contains { $0.contains(password) })
    }
  }

  /// Every row of every table of the store, as text.
  static func dump(_ url: StoreURL) async throws -> [String] {
    let pool = Pool(url: url, driver: Drivers.driver(for: url), size: 1)
    let rows = try await pool.run { session in
      let place =
        url.kind == .mysql
        ? SQL("table_schema = \(url.database ?? "")") : SQL("table_schema = \(url.options["schema"] ?? "")")
      let tables = try session.query(
        SQL("SELECT table_name FROM information_schema.tables WHERE ") + place)
      return try tables.flatMap { table in
        let name = try table.text(0)
        guard SQL.isIdentifier(name) else { return [String]() }
        return try session.query(SQL("SELECT * FROM `\(raw: name)`")).map { row in
          (0..<row.count).map { index in
            if case .blob(let bytes) = row[index] { return String(decoding: bytes, as: UTF8.self) }
            return "\(row[index])"
          }.joined(separator: " ")
        }
      }
    }
    await pool.close()
    return rows
  }

  @Test("run works with it here, in the background and after a rotation; what it says can be typed again")
  func standalone() async throws {
    let kind = try #require(TestStore.servers.first)
    let program = "program: p\nsteps: {a: {shell: \"env > seen; exit 1\"}}"
    try await World.with(kind, program: program) { world in
      let password = try #require(world.url.password)
      try await world.makeVault()
      try await world.setSecret("prod", world.store)
      let env = world.tagged.merging(["HIDDEN": "before \(password) after"]) { $1 }
      let run = try await world.run("run", "program.yaml", "--run-id", "r", env: env)
      #expect(run.code == 1, "\(run)")
      #expect(run.description.contains("--store prod"), "\(run)")
      #expect(!run.description.contains(password))
      #expect(try !world.text("seen").contains(password))
      #expect(try await world.run("secret", "rotate", env: world.tagged).code == 0)
      let detached = try await world.run(
        "run", "program.yaml", "--run-id", "d", "--detach", env: world.tagged)
      #expect(detached.code == 0, "\(detached)")
      let waited = try await world.run("wait", "d", env: world.tagged)
      #expect(waited.code == 1, "\(waited)")
      // A key that only this process was given can't be handed on.
      let given = try await world.shell("$c run program.yaml --run-id e --detach --key-fd 3 3<key")
      #expect(given.code == 2 && given.stderr.contains("--detach"), "\(given)")
    }
  }

  @Test("a wrong password is refused without being shown", arguments: TestStore.servers)
  func wrongPassword(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let password = try #require(world.url.password)
      try await world.makeVault()
      try await world.setSecret("prod", world.store.replacing(":\(password)@", with: ":hunter2@"))
      let answer = try await world.run("runs", env: world.tagged)
      #expect(answer.code == 4, "\(answer)")
      #expect(answer.stderr.contains("refused"), "\(answer)")
      #expect(!answer.description.contains("hunter2"))
    }
  }

  @Test("an agent whose key came by a descriptor reloads; it leaves no core dump, and its steps do as before")
  func reloadAndDump() async throws {
    let program = """
      program: p
      config: {default_host: s1}
      steps: {a: {shell: "mkdir -p inner && cd inner && { ulimit -c unlimited; sh -c 'kill -ABRT $$'; true; }"}}
      """
    try await World.with(program: program) { world in
      try await world.makeVault()
      try await world.setSecret("prod", world.store)
      #expect(try await world.run("db", "migrate", env: world.tagged).code == 0)
      let words = "exec \(Executable.agent) --host s1 --work-dir work --log-dir logs --key-fd 7 7<hidden"
      try FileManager.default.moveItem(atPath: world.path("key"), toPath: world.path("hidden"))
      let call = try world.start(
        ["-c", "ulimit -c unlimited; \(words)"], env: world.tagged, executable: "/bin/sh")
      func served(_ times: Int) async throws {
        try await until("the agent serves") {
          call.isOver || call.stderr.components(separatedBy: "serving").count > times
        }
        #expect(!call.isOver, "\(call.stderr)")
      }
      try await served(1)
      for round in 2...3 {
        call.signal(SIGHUP)
        try await served(round)
      }
      let env = world.tagged.merging(["EVENTOR_KEY_FILE": world.path("hidden")]) { $1 }
      #expect(try await world.run("submit", "program.yaml", "--run-id", "r", env: env).code == 0)
      #expect(try await world.run("wait", "r", "--timeout", "60s", env: env).code == 0)
      // What the same command leaves without us: the system may send dumps elsewhere.
      let control = try await world.shell(
        "mkdir control && cd control && { ulimit -c unlimited; sh -c 'kill -ABRT $$'; true; }")
      #expect(control.code == 0)
      func dumps(_ directory: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: world.path(directory)).count {
          $0.hasPrefix("core")
        }
      }
      #expect(try dumps("inner") == dumps("control"))
      call.signal(SIGABRT)
      #expect(await call.answer().code == 128 + SIGABRT)
      #expect(try dumps(".") == 0)
      // Nor a report of the crash, which would show memory.
      #expect(!call.stderr.contains("Registers"), "\(call.stderr)")
    }
  }
}
