import Database
import Drivers
import TestSupport
import Testing
import UpdateLoops

@Suite("ids of every type")
struct IDTests {
  static let texts = [
    "", "a", "A", "a ", " a", "it's", "\"double\"", "back`tick", "line\nbreak", "tab\there", "\r", "%", "_",
    "\\", "a;b",
    "'; DROP TABLE a_loop; --", "?", "$1", ":x", "😀", "e\u{301}", "\u{e9}", "ß", "ss", "\u{202e}",
    "\u{1f468}\u{200d}\u{1f469}",
    String(repeating: "x", count: 64), String(repeating: "😀", count: 64), "0", "00", "NULL", "null",
  ]

  @Test("texts come back as they were, and no two become one", arguments: TestStore.all)
  func texts(kind: TestStore.Kind) async throws {
    try await World.with(kind, type: "text(64)") { world in
      let all = ids(Self.texts)
      try #require(Set(all).count == all.count)
      #expect(try await world.loop.add(all) == all.count)
      #expect(try await world.loop.add(all) == 0)
      for id in all { #expect(try await world.loop.check([id]).map(\.id) == [id]) }
      let taken = try await world.loop.get(1000)
      #expect(Set(taken) == Set(all) && taken.count == all.count)
      #expect(try await world.loop.bump(ids(["a"])) == 1)
      #expect(try await world.loop.get(1000) == ids(["a"]))
      #expect(try await world.loop.did(all, autoAdd: false) == all.count)
      let stats = try await world.loop.stats()
      #expect(stats.minID == .text("") && stats.locked == 0)
      for id in all { #expect(try await world.loop.remove([id]) == 1, "\(id)") }
      #expect(try await world.rows().isEmpty)
    }
  }

  @Test("numbers to the limits of their type", arguments: TestStore.all, ["int", "bigint"])
  func numbers(kind: TestStore.Kind, type: String) async throws {
    try await World.with(kind, type: type) { world in
      let isWide = type == "bigint" || kind == .sqlite
      let limits: [Int64] =
        isWide ? [.min, .min + 1, -1, 0, 1, .max - 1, .max] : [-0x8000_0000, -1, 0, 1, 0x7fff_ffff]
      let all = limits.map(LoopID.integer)
      let added = try await world.loop.add(all)
      #expect(added == all.count)
      #expect(try await Set(world.loop.get(100)) == Set(all))
      #expect(try await world.loop.did(all, autoAdd: false) == all.count)
      #expect(try await world.loop.stats().minID == all.first)
      #expect(try await world.loop.stats().maxID == all.last)
      #expect(try await world.loop.check(all).map(\.id) == all)
      #expect(try await world.loop.remove(all) == all.count)
      guard !isWide else { return }
      await #expect(throws: LoopError.self) { try await world.loop.add([.integer(0x8000_0000)]) }
    }
  }

  @Test("bytes", arguments: TestStore.all)
  func bytes(kind: TestStore.Kind) async throws {
    try await World.with(kind, type: "bytes(16)") { world in
      let all: [LoopID] = [
        .bytes([]), .bytes([0]), .bytes([0, 0]), .bytes([0x20]), .bytes(Array(240...255)),
      ]
      let added = try await world.loop.add(all)
      #expect(added == 5)
      #expect(try await Set(world.loop.get(100)) == Set(all))
      #expect(try await world.loop.did(all, autoAdd: false) == 5)
      #expect(try world.loop.table.idType.id("f0F1") == .bytes([0xf0, 0xf1]))
    }
  }

  @Test("char(64), and char(64) in ASCII", arguments: TestStore.all, ["char(64)", "char(64) charset ascii"])
  func char(kind: TestStore.Kind, type: String) async throws {
    guard kind == .mysql || !type.hasSuffix("ascii") else {
      try await withStore(kind) { url in
        let pool = Pool(url: url, driver: Drivers.driver(for: url), size: 1)
        await #expect(throws: LoopError.self) {
          try await UpdateLoop.create(LoopTable(name: "l", idType: LoopIDType(type)), in: pool)
        }
        await pool.close()
      }
      return
    }
    try await World.with(kind, type: type) { world in
      let all = ids(["Key", "key", "", String(repeating: "k", count: 64)])
      let added = try await world.loop.add(all)
      #expect(added == 4)
      #expect(try await Set(world.loop.get(100)) == Set(all))
      #expect(try await world.loop.did(all, autoAdd: false) == 4)
      let long = await #expect(throws: LoopError.self) {
        try await world.loop.add(ids([String(repeating: "k", count: 65)]))
      }
      #expect(long?.description.contains("it is too long") == true)
      if type.hasSuffix("ascii") {
        await #expect(throws: LoopError.self) { try await world.loop.add(ids(["é"])) }
      }
    }
  }

  @Test("an id of another type is refused before anything is sent", arguments: TestStore.all)
  func refused(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let loop = world.loop
      for id in [LoopID.text("5"), .text("x"), .bytes([5])] {
        await #expect(throws: LoopError.self) { try await loop.add([.integer(1), id]) }
        await #expect(throws: LoopError.self) { try await loop.did([id]) }
        await #expect(throws: LoopError.self) { try await loop.check([id]) }
        await #expect(throws: LoopError.self) { try await loop.remove([id]) }
        await #expect(throws: LoopError.self) { try await loop.turn(did: [id], get: 1) }
      }
      for text in ["", "x", "5x", " 5", "0x5", "5.0", "1e3", "99999999999999999999", "٥"] {
        #expect(throws: LoopError.self) { try loop.table.idType.id(text) }
      }
      let rows = try await world.rows()
      #expect(rows.isEmpty)
    }
    try await World.with(kind, type: "text(3)") { world in
      try await world.loop.add(ids(["😀😀😀"]))
      await #expect(throws: LoopError.self) { try await world.loop.add(ids(["abcd"])) }
      await #expect(throws: LoopError.self) { try await world.loop.add(ids(["a\0b"])) }
      #expect(try await world.loop.get(5) == ids(["😀😀😀"]))
    }
  }

  @Test(
    "id types are read, and nothing else is",
    arguments: [
      ("int", "int"), ("INTEGER", "int"), ("bigint", "bigint"), ("text", "text(255)"),
      ("varchar( 12 )", "text(12)"),
      ("char(64) CHARSET ascii", "char(64) ascii"), ("CHAR(64) CHARACTER SET ascii", "char(64) ascii"),
      ("binary(16)", "bytes(16)"), ("text(768)", "text(768)"),
      ("", nil), ("float", nil), ("text(0)", nil), ("text(769)", nil), ("char(256)", nil),
      ("bytes(4000)", nil),
      ("int)", nil), ("int; DROP TABLE x", nil), ("text(64) NOT NULL, evil INT", nil), ("int ascii", nil),
    ] as [(String, String?)])
  func types(text: String, name: String?) {
    #expect((try? LoopIDType(text))?.description == name)
  }
}
