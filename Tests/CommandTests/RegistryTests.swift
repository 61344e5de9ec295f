import Foundation
import Model
import TestSupport
import Testing

@Suite("Programs are registered, and runs of them submitted")
struct RegistryTests {
  static let program = """
    program: registered
    parameters: {x: 1}
    steps: {a: {host: far, run: [echo, "${param.x}"]}}
    """

  @Test("the same content is the same version, and no new row", arguments: TestStore.all)
  func register(kind: TestStore.Kind) async throws {
    struct Registered: Decodable {
      let program: String
      let version: String
      let new: Bool
    }
    struct Listed: Decodable {
      let program: String
      let version: String
    }
    try await World.with(kind, program: Self.program) { world in
      let first = try await world.run("program", "register", world.program, "--json")
        .decoded(as: Registered.self)
      #expect(first.new)
      // Comments and the order of keys are not content.
      let same = try world.write("same.yaml", "# A comment.\n" + Self.program + "\n")
      let second = try await world.run("program", "register", same, "--json").decoded(as: Registered.self)
      #expect(!second.new)
      #expect(second.version == first.version)
      let other = try world.write("other.yaml", Self.program.replacing("x: 1", with: "x: 2"))
      let third = try await world.run("program", "register", other)
      #expect(third.code == 0, "\(third)")
      #expect(!third.stdout.contains(first.version))

      let listed = try await world.run("program", "list", "--json").decoded(as: [Listed].self)
      #expect(listed.count == 2)
      #expect(listed.last?.version == first.version)
      let prefix = String(first.version.prefix(14))
      let shown = try await world.run("program", "show", "registered@\(prefix)")
      #expect(shown.stdout.contains(first.version), "\(shown)")
      let bare = try await world.run("program", "show", "registered@" + prefix.dropFirst(7))
      #expect(bare.stdout == shown.stdout)
      #expect(try await world.run("program", "show", "registered").stdout.contains(first.version) == false)
      #expect(try await world.run("program", "show", "registered@sha256:").code == 2)
      #expect(try await world.run("program", "show", "registered@nix").code == 3)
      let near = try await world.run("program", "show", "registred")
      #expect(near.code == 3, "\(near)")
      #expect(near.stderr.contains("did you mean 'registered'?"), "\(near)")

      let content = try await world.run("program", "show", "registered@\(prefix)", "--json")
        .decoded(as: [String: JSONValue].self)
      #expect(content["name"] == .string("registered"))
    }
  }

  @Test("remove asks, keeps runs, and refuses while one goes on", arguments: TestStore.all)
  func remove(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.program) { world in
      let submitted = try await world.run("submit", world.program, "--run-id", "r")
      #expect(submitted.stdout == "r\n", "\(submitted)")
      let busy = try await world.run("program", "remove", "registered", "--yes")
      #expect(busy.code == 1, "\(busy)")
      #expect(busy.stderr.contains("r"))
      try await world.run("cancel", "r")
      let dry = try await world.run("program", "remove", "registered", "--dry-run")
      #expect(dry.stdout == "would remove 1 version of program registered\n", "\(dry)")
      let unasked = try await world.run("program", "remove", "registered")
      #expect(unasked.code == 2, "\(unasked)")
      #expect(unasked.stderr.contains("--yes"))
      let removed = try await world.run("program", "remove", "registered", "--yes")
      #expect(removed.stdout == "removed 1 version of program registered\n", "\(removed)")
      #expect(try await world.run("program", "remove", "registered", "--yes").code == 3)
      #expect(try await world.run("program", "show", "registered").code == 3)
      #expect(try await world.report("status", "r").run.program == "registered")
      #expect(try await world.run("graph", "r").code == 0)
    }
  }

  @Test("submit prints the id, and why says which agent the run waits for", arguments: TestStore.all)
  func submit(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.program) { world in
      let submitted = try await world.run("submit", world.program, "--param", "x=-9", "--sequence", "daily.1")
      #expect(submitted.code == 0, "\(submitted)")
      #expect(submitted.stderr.isEmpty)
      let id = try #require(submitted.lines.first)
      let report = try await world.report("status", id)
      #expect(report.run.status == "running")
      #expect(report.statuses == ["a/daily.1": "ready"])
      #expect(report.run.waitingFor == ["waiting for an agent on far"])
      let why = try await world.run("why", id, "--json").decoded(as: Reasons.self)
      #expect(why.codes == ["a": "no_agent"])
      #expect(try await world.run("why", id).stdout.contains("waiting for an agent on far"))
      let named = try await world.report("submit", "registered", "--run-id", "named", exit: 0)
      #expect(named.run.id == "named")
      let waited = try await world.run("wait", "named", "--timeout", "0.1")
      #expect(waited.code == 7, "\(waited)")
      #expect(try await world.run("submit", "registred").code == 3)
      #expect(try await world.run("submit", "registered", "--run-id", "named").code == 1)
      #expect(try await world.run("submit", "registered", "--run-id", "a b").code == 2)
      #expect(try await world.run("submit", "registered", "--sequence", "1/2").code == 2)
    }
  }

  @Test("a submitted run with a secret is refused before anything is written")
  func secrets() async throws {
    let program = """
      program: secret
      parameters: {token: {type: string, secret: true}}
      steps: {a: {run: ["true"]}}
      """
    try await World.with(program: program) { world in
      let answer = try await world.run("submit", world.program, env: ["EVENTOR_PARAM_TOKEN": "t"])
      #expect(answer.code == 2, "\(answer)")
      #expect(answer.errorLines.count == 1)
      #expect(try await world.run("runs", "--output", "csv", "--no-header").stdout.isEmpty)
    }
  }
}

@Suite("The store is looked after")
struct StoreCareTests {
  static let program = "program: kept\nsteps: {a: {run: [echo, hello]}}\n"

  @Test(
    "migrate makes a store, again changes nothing, and status shows what is in it", arguments: TestStore.all)
  func migrate(kind: TestStore.Kind) async throws {
    struct Status: Decodable {
      struct Table: Decodable {
        let table: String
        let rows: Int
      }
      let store: String
      let schema: Int
      let tables: [Table]
    }
    try await World.with(kind, program: Self.program) { world in
      let first = try await world.run("db", "migrate")
      #expect(first.code == 0, "\(first)")
      #expect(first.stdout.hasPrefix("the schema is at version "))
      let second = try await world.run("db", "migrate")
      #expect(second.stdout == first.stdout)
      _ = try await world.finish()
      let status = try await world.run("db", "status", "--json")
      let decoded = try status.decoded(as: Status.self)
      #expect(decoded.tables.first { $0.table == "ev_run" }?.rows == 1)
      #expect(decoded.schema >= 1)
      let text = try await world.run("db", "status")
      #expect(text.stdout.contains("ev_task"))
      if let password = world.url.password {
        #expect(!status.stdout.contains(password))
        #expect(!text.stdout.contains(password))
      }
      let doctor = try await world.run("doctor")
      #expect(doctor.code == 0, "\(doctor)")
    }
  }

  @Test("purge removes what ended long ago, after asking", arguments: TestStore.all)
  func purge(kind: TestStore.Kind) async throws {
    try await World.with(kind, program: Self.program) { world in
      _ = try await world.finish()
      try await world.run("run", world.program, "--run-id", "s", "--quiet")
      #expect(
        try await world.run("db", "purge", "--older-than", "1d").stdout
          == "removed nothing: no run ended more than 1d ago\n")
      let dry = try await world.run("db", "purge", "--older-than", "0", "--dry-run")
      #expect(dry.stdout.hasPrefix("would remove 2 runs"), "\(dry)")
      let unasked = try await world.run("db", "purge", "--older-than", "0")
      #expect(unasked.code == 2, "\(unasked)")
      let removed = try await world.run("db", "purge", "--older-than", "0", "--yes")
      #expect(removed.stdout == "removed 2 runs\n", "\(removed)")
      #expect(try await world.run("status", "r").code == 3)
      #expect(try await world.run("runs", "--output", "csv", "--no-header").stdout.isEmpty)
      try await world.expectConsistency()
      #expect(try await world.run("db", "purge", "--older-than", "old", "--yes").code == 2)
      // The store still works.
      _ = try await world.finish()
    }
  }

  @Test("sql prints the schema without a store, and grants what a role needs", arguments: TestStore.all)
  func sql(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let sql = try await world.run("db", "sql")
      #expect(sql.code == 0, "\(sql)")
      #expect(sql.stdout.contains("CREATE TABLE"))
      #expect(sql.stdout.contains("ev_task"))
      let none = try await world.run("db", "sql", "--from", "9999")
      #expect(none.code == 0)
      #expect(!none.stdout.contains("CREATE TABLE"))
      let grants = try await world.run("db", "grants", "--role", "reporting", "--read-only")
      if kind == .sqlite {
        #expect(grants.code == 2, "\(grants)")
      } else {
        #expect(grants.code == 0, "\(grants)")
        #expect(grants.stdout.contains("reporting"))
        #expect(!grants.stdout.contains("INSERT"))
        let bad = try await world.run("db", "grants", "--role", "x; DROP")
        #expect(bad.code == 2, "\(bad)")
      }
    }
  }
}
