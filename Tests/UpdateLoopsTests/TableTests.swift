import Database
import Drivers
import TestSupport
import Testing

@testable import UpdateLoops

@Suite("the table: its name, what is there already, what can't serve")
struct TableTests {
  private func withPool(_ kind: TestStore.Kind, _ body: (Pool) async throws -> Void) async throws {
    try await withStore(kind) { url in
      let pool = Pool(url: url, driver: Drivers.driver(for: url), size: 2)
      try await body(pool)
      await pool.close()
    }
  }

  @Test(
    "names are quoted: a word of SQL, capitals and dollars are as good as others", arguments: TestStore.all)
  func names(kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      let names = ["select", "Order", "order_2", "_", "a$b", String(repeating: "n", count: 63)]
      for name in names {
        try await UpdateLoop.create(LoopTable(name: name, idType: .bigint), in: pool)
        let loop = try await UpdateLoop(named: name, in: pool)
        try await loop.add(ids(1, 2, 3))
        let taken = try await loop.get(1)
        #expect(try await loop.did(taken) == 1)
        #expect(try await loop.bump(ids(9)) == 1)
        #expect(try await loop.stats().bumped == 1)
        #expect(try await loop.fullStats().all == 4)
        #expect(try await loop.remove(ids(9)) == 1)
      }
      #expect(try await UpdateLoop.all(in: pool).map(\.name) == names.sorted())
      for name in names { #expect(try await UpdateLoop(named: name, in: pool).drop() == 3) }
      #expect(try await UpdateLoop.all(in: pool).isEmpty)
    }
  }

  @Test("what is no identifier is refused and never sent", arguments: TestStore.all)
  func injections(kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      try await UpdateLoop.create(LoopTable(name: "precious", idType: .int), in: pool)
      let names = [
        "", "a b", "a-b", "a.b", "1a", "a;DROP TABLE precious", "precious` WHERE 1=1; DROP TABLE `precious",
        "precious\"; DROP TABLE \"precious", "a'b", "a?", "a\0", "a\nb", "naïve", "😀", "--", "a/**/b",
        String(repeating: "n", count: 64), "$", "..", "*",
      ]
      for name in names where name != "$" || kind != .sqlite {
        #expect(throws: LoopError.self, "\(name)") { try LoopTable(name: name, idType: .int) }
        let error = await #expect(throws: LoopError.self, "\(name)") {
          try await UpdateLoop(named: name, in: pool)
        }
        #expect(error?.kind == .invalid)
      }
      let loops = try await UpdateLoop.all(in: pool)
      #expect(loops.map(\.name) == ["precious"])
    }
  }

  @Test(
    "a loop is made once; a name that is taken, and the engine's own, are refused", arguments: TestStore.all)
  func create(kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      let table = try LoopTable(name: "l", idType: .int)
      try await UpdateLoop.create(table, in: pool, dryRun: true)
      #expect(try await UpdateLoop.all(in: pool).isEmpty)
      try await UpdateLoop.create(table, in: pool)
      for isDry in [true, false] {
        let error = await #expect(throws: LoopError.self) {
          try await UpdateLoop.create(table, in: pool, dryRun: isDry)
        }
        #expect(error?.kind == .conflict)
      }
      #expect(throws: LoopError.self) { try LoopTable(name: "ev_run", idType: .int) }
      #expect(throws: LoopError.self) { try LoopTable(name: "EV_x", idType: .int) }
      let error = await #expect(throws: LoopError.self) { try await UpdateLoop(named: "other", in: pool) }
      #expect(error?.kind == .notFound)
    }
  }

  @Test("what is no loop is not taken for one, and not dropped", arguments: TestStore.all)
  func strangers(kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      let tables = [
        "CREATE TABLE t1 (id INT NOT NULL PRIMARY KEY, note VARCHAR(20))",
        "CREATE TABLE t2 (id INT NOT NULL PRIMARY KEY, last_updated VARCHAR(20), lock_until INT)",
        "CREATE TABLE t3 (id DECIMAL(20, 5) NOT NULL PRIMARY KEY, last_updated INT, lock_until INT)",
        "CREATE TABLE t4 (id INT NOT NULL PRIMARY KEY, last_updated INT, lock_until INT)",
        "CREATE TABLE t5 (last_updated INT, lock_until INT)",
      ]
      for sql in tables { try await pool.run { _ = try $0.execute(SQL(text: sql)) } }
      for name in ["t1", "t2", "t3", "t4", "t5"] {
        let error = await #expect(throws: LoopError.self, "\(name)") {
          try await UpdateLoop(named: name, in: pool)
        }
        #expect(error?.kind == .conflict, "\(name)")
      }
      let index = await #expect(throws: LoopError.self) { try await UpdateLoop(named: "t4", in: pool) }
      let text = try #require(index?.description)
      #expect(text.contains("it has no index over lock_until, last_updated; CREATE INDEX t4_lock_until ON"))
      // Mended as it says, it is a loop.
      let mend = String(text[try #require(text.firstRange(of: "CREATE INDEX")).lowerBound...])
      try await pool.run { _ = try $0.execute(SQL(text: mend)) }
      let loop = try await UpdateLoop(named: "t4", in: pool)
      #expect(try await loop.add(ids(1)) == 1)
      #expect(try await loop.get(1) == ids(1))
    }
  }

  @Test(
    "doloop's own tables are used as they are, whatever their ids",
    arguments: TestStore.servers.filter { $0 == .mysql })
  func doloopTables(kind: TestStore.Kind) async throws {
    let types: [(String, [LoopID])] = [
      ("int", ids(-5, 0x7fff_ffff)), ("INT UNSIGNED", ids(0, 0xffff_ffff)),
      ("BIGINT UNSIGNED", ids(0, Int.max)),
      ("SMALLINT", ids(-0x8000, 0x7fff)), ("TINYINT UNSIGNED", ids(0, 255)), ("MEDIUMINT", ids(-0x80_0000)),
      ("CHAR(64) CHARSET ascii", ids(["", "key"])), ("VARCHAR(64)", ids(["", "é"])),
      ("BINARY(4)", [.bytes([0, 1, 2, 3])]),
      ("VARBINARY(8)", [.bytes([]), .bytes([255])]), ("CHAR(5) CHARSET latin1", ids(["é"])),
    ]
    try await withPool(kind) { pool in
      for (index, (type, all)) in types.enumerated() {
        let name = "t\(index)"
        // The text of doloop.sql_for_create.
        let sql = """
          CREATE TABLE `\(name)` (
              `id` \(type) NOT NULL,
              `last_updated` INT default NULL,
              `lock_until` INT default NULL,
              PRIMARY KEY (`id`),
              KEY `lock_until` (`lock_until`, `last_updated`)
          ) ENGINE=InnoDB
          """
        try await pool.run { _ = try $0.execute(SQL(text: sql)) }
        let loop = try await UpdateLoop(named: name, in: pool)
        #expect(try await loop.add(all) == all.count, "\(type)")
        #expect(try await Set(loop.get(10)) == Set(all), "\(type)")
        #expect(try await loop.did(all, autoAdd: false) == all.count, "\(type)")
        #expect(try await Set(loop.check(all).map(\.id)) == Set(all), "\(type)")
      }
      // What the column would make another id of is refused.
      let char = try await UpdateLoop(named: "t6", in: pool)
      let spaced = await #expect(throws: LoopError.self) { try await char.did(ids(["key "])) }
      #expect(spaced?.description.contains("ends with a space") == true)
      let binary = try await UpdateLoop(named: "t8", in: pool)
      let short = await #expect(throws: LoopError.self) { try await binary.add([.bytes([1])]) }
      #expect(short?.description.contains("too short") == true)
      // An index that has got another name meanwhile is not named any more.
      let renamed = try await UpdateLoop(named: "t0", in: pool)
      try await pool.run {
        _ = try $0.execute("ALTER TABLE t0 DROP KEY lock_until, ADD KEY turns (lock_until, last_updated)")
      }
      #expect(try await Set(renamed.get(5, minLoopTime: .zero, dryRun: true)) == Set(types[0].1))
      #expect(try await Set(renamed.get(5, minLoopTime: .zero)) == Set(types[0].1))
      let small = try await UpdateLoop(named: "t4", in: pool)
      await #expect(throws: LoopError.self) { try await small.add(ids(256)) }
      await #expect(throws: LoopError.self) { try await small.add(ids(-1)) }
      // What this side can't tell, the database does, and the error is about the id.
      let latin = try await UpdateLoop(named: "t10", in: pool)
      let error = await #expect(throws: LoopError.self) { try await latin.add(ids(["ю"])) }
      #expect(error?.kind == .invalid)
      // Capitals are no difference in a table whose order says so.
      let folding = try await UpdateLoop(named: "t7", in: pool)
      #expect(try await folding.add(ids(["KEY", "key"])) == 1)
      #expect(try await folding.did(ids(["Key"])) == 1)
      #expect(try await folding.fullStats().all == 3)
    }
  }

  @Test(
    "a table by another key, or by none, is used all the same",
    arguments: TestStore.servers.filter { $0 == .mysql })
  func keys(kind: TestStore.Kind) async throws {
    let keys = [
      "UNIQUE KEY other_key (id)",
      "note INT NOT NULL DEFAULT 1, PRIMARY KEY (note, id), UNIQUE KEY by_id (id)",
      "KEY by_id (id)", "UNIQUE KEY `other key` (id)", "UNIQUE KEY u (id, last_updated), PRIMARY KEY (id)",
    ]
    try await withPool(kind) { pool in
      for (index, key) in keys.enumerated() {
        let sql = """
          CREATE TABLE t\(index) (id INT NOT NULL, last_updated INT, lock_until INT, \(key),
            KEY lock_until (lock_until, last_updated)) ENGINE=InnoDB
          """
        try await pool.run { _ = try $0.execute(SQL(text: sql)) }
        let loop = try await UpdateLoop(named: "t\(index)", in: pool)
        #expect(loop.table.keyIndex == ["other_key", "by_id", nil, nil, "PRIMARY"][index])
        #expect(try await loop.add(ids(1...9)) == 9)
        #expect(try await loop.get(4) == ids(1...4), "\(key)")
        #expect(try await loop.turn(did: ids(1...4), get: 9) == ids(5...9), "\(key)")
      }
    }
  }

  @Test(
    "a table that can't lock single rows is refused", arguments: TestStore.servers.filter { $0 == .mysql })
  func engine(kind: TestStore.Kind) async throws {
    try await withPool(kind) { pool in
      let sql = try LoopTable(name: "l", idType: .int).statements(for: Dialect(.mysql))[0]
        .replacing("InnoDB", with: "MyISAM")
      try await pool.run { _ = try $0.execute(SQL(text: sql)) }
      let error = await #expect(throws: LoopError.self) { try await UpdateLoop(named: "l", in: pool) }
      #expect(error?.description.hasSuffix("ALTER TABLE `l` ENGINE=InnoDB") == true)
      try await pool.run { _ = try $0.execute("ALTER TABLE `l` ENGINE=InnoDB") }
      #expect(try await UpdateLoop(named: "l", in: pool).get(1).isEmpty)
    }
  }
}
