import Database
import Drivers
import TestSupport
import Testing

@Suite("Migrations go forward, once, one after the other")
struct MigratorTests {
  private static let first = Migration(number: 1, name: "people") { dialect in
    [
      "CREATE TABLE IF NOT EXISTS people (id \(dialect.bigIdentity), name \(dialect.keyText()))\(dialect.tableOptions)",
      "INSERT INTO people (name) VALUES ('first')",
    ]
  }
  private static let second = Migration(number: 2, name: "that's more") { dialect in
    [
      "CREATE TABLE IF NOT EXISTS more (note \(dialect.longText), size \(dialect.bigint))\(dialect.tableOptions)"
    ]
  }

  @Test(
    "a fresh store gets all, a second run nothing, and an older program is refused", arguments: TestStore.all)
  func forward(_ kind: TestStore.Kind) async throws {
    try await withFreshStore(kind) { pool in
      let old = Migrator(migrations: [Self.first])
      let new = Migrator(migrations: [Self.first, Self.second])
      #expect(try await pool.run { try new.status($0) }.isEmpty)
      #expect(try await pool.run { try old.migrate($0) } == [1])
      #expect(try await pool.run { try new.migrate($0) } == [2])
      #expect(try await pool.run { try new.migrate($0) } == [])
      let status = try await pool.run { try new.status($0) }
      #expect(status.map(\.number) == [1, 2])
      #expect(status[1].name == "that's more")
      #expect(status.allSatisfy { ($0.appliedAt ?? 0) > 1_500_000_000_000_000 })
      #expect(status[0].digest == Self.first.digest(Dialect(pool.url.kind)))
      let error = try await databaseError { try await pool.run { _ = try old.migrate($0) } }
      #expect(error.kind == .tooNew)
      #expect(error.hint.contains("upgrade"))
      #expect(try await pool.run { try $0.query("SELECT id, name FROM people")[0].int(0) } == 1)
    }
  }

  @Test("a migration that was changed after it was applied is told", arguments: TestStore.all)
  func changed(_ kind: TestStore.Kind) async throws {
    try await withFreshStore(kind) { pool in
      try await pool.run { _ = try Migrator(migrations: [Self.first]).migrate($0) }
      let other = Migration(number: 1, name: "people") { _ in ["CREATE TABLE elsewhere (a INTEGER)"] }
      let error = try await databaseError {
        try await pool.run { _ = try Migrator(migrations: [other, Self.second]).migrate($0) }
      }
      #expect(error.kind == .corrupt)
      #expect(error.message.contains("migration 1"))
    }
  }

  @Test("one that waits for somebody's long report keeps nobody else waiting")
  func besideReport() async throws {
    try await withFreshStore(.postgresql) { pool in
      try await pool.run { _ = try Migrator(migrations: [Self.first]).migrate($0) }
      let exclusive = Migration(number: 2, name: "exclusive") { _ in
        ["ALTER TABLE people ADD COLUMN age INTEGER"]
      }
      let others = Pool(url: pool.url, driver: Drivers.driver(for: pool.url), size: 2)
      try await others.run { report in
        try report.executeScript("BEGIN; SELECT * FROM people")
      }
      async let applied = pool.run { try Migrator(migrations: [Self.first, exclusive]).migrate($0) }
      let waits: SQL =
        "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'people'::regclass AND mode LIKE 'AccessEx%'"
      for _ in 0..<2 {
        var isWaiting = false
        for _ in 0..<500 where !isWaiting {
          isWaiting = try await !pool.run { try $0.query(waits) }.isEmpty
          try await Task.sleep(for: .milliseconds(20))
        }
        #expect(isWaiting)
        // Behind it in the line, and let through before the report ends.
        try await pool.run { session in
          try session.executeScript("SET lock_timeout = '9s'")
          try session.execute("INSERT INTO people (name) VALUES ('next')")
          try session.executeScript("RESET lock_timeout")
        }
      }
      try await others.run { try $0.executeScript("COMMIT") }
      #expect(try await applied == [2])
      await others.close()
    }
  }

  @Test("eight programs that start at once migrate once", arguments: TestStore.all)
  func concurrent(_ kind: TestStore.Kind) async throws {
    try await withFreshStore(kind) { pool in
      let applied = try await withThrowingTaskGroup(of: [Int].self) { group in
        for _ in 0..<8 {
          group.addTask {
            let own = Pool(url: pool.url, driver: Drivers.driver(for: pool.url), size: 1)
            let numbers = try await own.run {
              try Migrator(migrations: [Self.first, Self.second]).migrate($0)
            }
            await own.close()
            return numbers
          }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      #expect(applied.sorted() == [1, 2])
      #expect(try await pool.run { try $0.query("SELECT name FROM people").count } == 1)
    }
  }

  @Test("one that fails leaves no trace, or goes on where it stopped", arguments: TestStore.all)
  func failing(_ kind: TestStore.Kind) async throws {
    try await withFreshStore(kind) { pool in
      // The second statement needs a table that is not there yet, as a crash would leave it undone.
      let migration = Migration(number: 1, name: "halves") { dialect in
        ["CREATE TABLE half (a BIGINT)\(dialect.tableOptions)", "INSERT INTO half (a) SELECT b FROM other"]
      }
      let migrator = Migrator(migrations: [migration])
      let error = try await databaseError { try await pool.run { _ = try migrator.migrate($0) } }
      #expect(error.kind == .syntax)
      let isHalf = try await pool.run { try migrator.status($0).first?.statementsDone }
      #expect(isHalf == (kind == .mysql ? 1 : nil))
      try await pool.run {
        try $0.executeScript("CREATE TABLE other (b BIGINT); INSERT INTO other VALUES (5)")
      }
      #expect(try await pool.run { try migrator.migrate($0) } == [1])
      #expect(try await pool.run { try $0.query("SELECT a FROM half").map { try $0.int(0) } } == [5])
    }
  }

  @Test("the script for people does the same", arguments: TestStore.all)
  func script(_ kind: TestStore.Kind) async throws {
    try await withFreshStore(kind) { pool in
      let migrator = Migrator(migrations: [Self.first, Self.second])
      try await pool.run { try $0.executeScript(migrator.script($0.dialect)) }
      #expect(try await pool.run { try migrator.migrate($0) } == [])
      let status = try await pool.run { try migrator.status($0) }
      #expect(status.map(\.number) == [1, 2])
      #expect(status.allSatisfy { ($0.appliedAt ?? 0) > 1_500_000_000_000_000 })
      #expect(!migrator.script(Dialect(pool.url.kind), from: 1).contains("people"))
    }
  }

  @Test("a schema that is missing is made")
  func schema() async throws {
    guard TestStore.all.contains(.postgresql) else { return }
    try await withStore(.postgresql) { url in
      let pool = Pool(url: url, driver: Drivers.driver(for: url), size: 1)
      let schema = try #require(url.options["schema"])
      try await pool.run { session in
        try session.executeScript("DROP SCHEMA \(schema)")
        #expect(try Migrator(migrations: [Self.first]).migrate(session) == [1])
        #expect(try session.query("SELECT current_schema()")[0].text(0) == schema)
      }
      await pool.close()
    }
  }

  private func withFreshStore(_ kind: TestStore.Kind, _ body: (Pool) async throws -> Void) async throws {
    try await withStore(kind) { url in
      let pool = Pool(url: url, driver: Drivers.driver(for: url), size: 2)
      do {
        try await body(pool)
        await pool.close()
      } catch {
        await pool.close()
        throw error
      }
    }
  }
}
