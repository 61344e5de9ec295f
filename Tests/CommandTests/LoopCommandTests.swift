import Database
import Drivers
import Foundation
import TestSupport
import Testing

/// What `loop check --json` prints for one id.
private struct Checked: Decodable, Equatable {
  let id: Int
  let sinceUpdated: Int?
  let lockedFor: Int?
}

/// What `loop stats --json` prints.
private struct Statistics: Decodable {
  struct Delayed: Decodable, Equatable {
    let olderThan: String
    let seconds: Int
    let ids: Int
  }
  let loop: String
  let bumped: Int
  let locked: Int
  let minId: Int?
  let maxId: Int?
  let minBumpTime: Int
  let maxBumpTime: Int
  let minLockTime: Int
  let maxLockTime: Int
  let minUpdateTime: Int
  let maxUpdateTime: Int
  let all: Int?
  let neverUpdated: Int?
  let delayed: [Delayed]?
}

@Suite("coordinator loop: the verbs")
struct LoopCommandTests {
  @Test("from the first id to the last", arguments: TestStore.all)
  func verbs(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let created = try await world.run("loop", "create", "l")
      #expect(created.stdout == "created loop l with ids of type int\n", "\(created)")
      #expect(try await world.run("loop", "add", "l", "1", "2", "3", "2").stdout == "added 3 ids\n")
      #expect(try await world.run("loop", "add", "l", "3", "4").stdout == "added 1 id\n")
      #expect(try await world.run("loop", "add", "l", "--", "-5").stdout == "added 1 id\n")
      let first = try await world.run("loop", "get", "l", "2")
      #expect(first.lines.count == 2, "\(first)")
      let did = try await world.run("loop", "did", "l", "--", first.lines[0], first.lines[1])
      #expect(did.stdout == "marked 2 ids\n", "\(did)")
      #expect(try await world.run("loop", "bump", "l", first.lines[0].replacing("-", with: "")).code == 0)
      let rest = try await world.run("loop", "get", "l", "10", "--format", "jsonl")
      #expect(rest.lines.count >= 3, "\(rest)")
      #expect(try await world.run("loop", "get", "l", "10").stdout.isEmpty)
      #expect(try await world.run("loop", "unlock", "l", "9", "--no-auto-add").stdout == "unlocked 0 ids\n")
      #expect(
        try await world.run("loop", "remove", "l", "4", "9", "--json").stdout.contains("\"removed\": 1"))
      let listed = try await world.run("loop", "list", "--output", "csv", "--no-header")
      #expect(listed.lines.count == 1 && listed.stdout.hasPrefix("l,"), "\(listed)")
      let asked = try await world.run("loop", "drop", "l")
      #expect(asked.code == 2 && asked.stderr.contains("--yes"), "\(asked)")
      #expect(
        try await world.run("loop", "drop", "l", "--dry-run").stdout.hasPrefix("would remove loop l with "))
      #expect(try await world.run("loop", "drop", "l", "--yes").code == 0)
      #expect(try await world.run("loop", "list", "--json").stdout == "[]\n")
    }
  }

  @Test("check and stats tell seconds, to people and to programs", arguments: TestStore.all)
  func looking(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.run("loop", "create", "l")
      try await world.run("loop", "add", "l", "1", "2", "3", "4")
      try await world.run("loop", "did", "l", "1")
      try await world.run("loop", "bump", "l", "2", "--lock-for", "-10m")
      try await world.run("loop", "bump", "l", "3", "--lock-for", "2h")
      let answer = try await world.run("loop", "check", "l", "1", "2", "3", "4", "77", "--json")
      #expect(answer.code == 3, "\(answer)")
      #expect(answer.stderr == "not in loop l: 77\n")
      let checks = try answer.decoded(as: [Checked].self)
      #expect(checks.map(\.id) == [1, 2, 3, 4])
      #expect((checks[0].sinceUpdated ?? -1) >= 0 && checks[0].lockedFor == nil)
      #expect((checks[1].lockedFor ?? 0) <= -600 && checks[1].sinceUpdated == nil)
      #expect((7000...7200).contains(checks[2].lockedFor ?? 0))
      #expect(checks[3] == Checked(id: 4, sinceUpdated: nil, lockedFor: nil))
      let stats = try await world.run(
        "loop", "stats", "l", "--full", "--delay-thresholds", "0,1d,7d", "--json"
      ).decoded(as: Statistics.self)
      #expect(stats.loop == "l" && stats.bumped == 1 && stats.locked == 1)
      #expect(stats.minId == 1 && stats.maxId == 4 && stats.all == 4 && stats.neverUpdated == 3)
      #expect(stats.minBumpTime >= 600 && stats.maxLockTime <= 7200 && stats.minLockTime > 7000)
      #expect(stats.maxBumpTime == stats.minBumpTime && stats.minUpdateTime == stats.maxUpdateTime)
      #expect(
        stats.delayed == [
          .init(olderThan: "0", seconds: 0, ids: 1), .init(olderThan: "1d", seconds: 86_400, ids: 0),
          .init(olderThan: "7d", seconds: 604_800, ids: 0),
        ])
      let text = try await world.run("loop", "stats", "l", "--full", "--delay-thresholds", "1d")
      for line in [
        "ids      1 to 4", "bumped   1, ", "locked   1, ", "all      4", "never    3", ">= 1d    0",
        "turn     ",
      ] {
        #expect(text.stdout.contains("\(line)"), "\(line): \(text)")
      }
    }
  }

  @Test("standard input in every format; ids of any text", arguments: TestStore.all)
  func input(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.run("loop", "create", "l", "--id-type", "text(100)")
      let lines = try await world.run("loop", "add", "l", "-", stdin: "it's\n'; DROP TABLE l; --\n\n😀\nlast")
      #expect(lines.stdout == "added 4 ids\n", "\(lines)")
      let jsonl = try await world.run(
        "loop", "add", "l", "-", "--format", "jsonl", stdin: #""a\nb""# + "\n\"\"\n\"it's\"\n")
      #expect(jsonl.stdout == "added 2 ids\n", "\(jsonl)")
      #expect(try await world.run("loop", "add", "l", "").stdout == "added 0 ids\n")
      // What no line can hold is not locked for a reader of lines.
      let refused = try await world.run("loop", "get", "l", "100")
      #expect(
        refused.code == 2 && refused.stdout.isEmpty && refused.stderr.contains("--format jsonl"), "\(refused)"
      )
      let taken = try await world.run("loop", "get", "l", "100", "--format", "nul")
      #expect(
        Set(taken.stdout.split(separator: "\0", omittingEmptySubsequences: false).dropLast()).count == 6,
        "\(taken)")
      let did = try await world.run(
        "loop", "did", "l", "-", "--format", "nul", "--no-auto-add", stdin: taken.stdout)
      #expect(did.stdout == "marked 6 ids\n", "\(did)")
      let bad = try await world.run("loop", "add", "l", "-", "--format", "jsonl", stdin: "\"x\"\n{}\n")
      #expect(bad.code == 2 && bad.stderr.hasPrefix("error: line 2: '{}': "), "\(bad)")
      let checked = try await world.run(
        "loop", "check", "l", "it's", "a\nb", "--output", "jsonl", "--columns", "id")
      #expect(checked.stdout == "{\"id\": \"a\\nb\"}\n{\"id\": \"it's\"}\n", "\(checked)")
      let many = try await world.run(
        "loop", "add", "l", "-", stdin: (1...2500).map { "n\($0)\n" }.joined())
      #expect(many.stdout == "added 2500 ids\n", "\(many)")
    }
  }

  @Test("a dry run of every command says what it would do and writes nothing", arguments: TestStore.all)
  func dryRun(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.run("loop", "create", "l")
      try await world.run("loop", "add", "l", "1", "2")
      let before = try await world.loopRows()
      let calls: [([String], String)] = [
        (["add", "l", "2", "3"], "would add 1 id\n"), (["remove", "l", "1", "9"], "would remove 1 id\n"),
        (["did", "l", "1", "9"], "would mark 2 ids\n"), (["unlock", "l", "1"], "would unlock 1 id\n"),
        (["bump", "l", "1", "2"], "would bump 2 ids\n"), (["get", "l", "1"], "1\n"),
        (["drop", "l"], "would remove loop l with 2 ids\n"),
        (["create", "m"], "would create loop m with ids of type int\n"),
        (["run", "l", "--batch", "5", "--", "false"], "1\n2\n"),
      ]
      for (words, text) in calls {
        var words = words
        words.insert("--dry-run", at: 1)
        let answer = try await world.start(["loop"] + words).answer()
        #expect(answer.code == 0 && answer.stdout == text, "\(answer)")
      }
      #expect(try await world.loopRows() == before)
      #expect(try await world.run("loop", "list", "--output", "tsv", "--no-header").lines.count == 1)
    }
  }

  @Test("of several loops none is made where one can't be", arguments: TestStore.all)
  func allOrNone(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.run("loop", "create", "b")
      for words in [["a", "b"], ["c", "c"], ["d", "ev_x"], ["d", "wl_document"]] {
        for more in [[], ["--dry-run"]] {
          let answer = try await world.start(["loop", "create"] + words + more).answer()
          #expect(answer.code == (words == ["a", "b"] ? 1 : 2) && answer.stdout.isEmpty, "\(answer)")
        }
      }
      #expect(try await world.run("loop", "list", "--output", "tsv", "--no-header").lines.count == 1)
    }
  }

  @Test("a dry run needs no store yet, and counts each id of standard input once")
  func dryRunOfNothing() async throws {
    try await World.with { world in
      let there = "sqlite:" + world.path("none.db")
      let made = try await world.run("loop", "create", "l", "--dry-run", store: there)
      #expect(made.code == 0 && made.stdout == "would create loop l with ids of type int\n", "\(made)")
      #expect(!FileManager.default.fileExists(atPath: world.path("none.db")))
      try await world.run("loop", "create", "l")
      let twice = (0..<3).flatMap { _ in (1...900).map { "\($0)\n" } }.joined()
      let added = try await world.run("loop", "add", "l", "-", "--dry-run", stdin: twice)
      #expect(added.stdout == "would add 900 ids\n", "\(added)")
    }
  }

  @Test("--print shows the SQL, which makes the same loop", arguments: TestStore.all)
  func printing(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let printed = try await world.run("loop", "create", "l", "m", "--id-type", "text(64)", "--print")
      #expect(printed.code == 0 && printed.stdout.contains("CREATE TABLE"), "\(printed)")
      #expect(try await world.run("loop", "create", "x", "--print", store: world.store).code == 0)
      try await world.execute(printed.stdout)
      #expect(try await world.run("loop", "list", "--output", "csv", "--no-header").lines.count == 2)
      #expect(try await world.run("loop", "add", "m", "x").stdout == "added 1 id\n")
    }
  }

  @Test("bad input gets one clear line and its exit code")
  func refusals() async throws {
    try await World.with { world in
      let none = try await world.run("loop", "list")
      #expect(none.code == 4 && none.stderr.contains("coordinator loop create NAME"), "\(none)")
      #expect(!world.exists("store.db"))
      try await world.run("loop", "create", "l")
      let calls: [(Int32, [String])] = [
        (2, ["create", "a b"]), (2, ["create", "a;b"]), (2, ["create", "ev_run"]),
        (2, ["create", "m", "--id-type", "float"]),
        (2, ["create"]), (1, ["create", "l"]), (3, ["add", "nix", "1"]), (2, ["add", "l"]),
        (2, ["add", "l", "x"]),
        (2, ["add", "l", "1", "-"]), (2, ["add", "l", "1", "--format", "nul"]), (2, ["get", "l"]),
        (2, ["get", "l", "x"]),
        (2, ["get", "l", "--", "-1"]), (2, ["get", "l", "1", "--lock-for", "0"]),
        (2, ["get", "l", "1", "--lock-for", "-1"]),
        (2, ["get", "l", "1", "--lock-for", "soon"]), (2, ["get", "l", "1", "--min-loop-time", "-1"]),
        (2, ["get", "l", "1", "--format", "xml"]), (2, ["bump", "l", "1", "--lock-for", "x"]),
        (3, ["stats", "nix"]),
        (2, ["stats", "l", "--delay-thresholds", "1d"]),
        (2, ["stats", "l", "--full", "--delay-thresholds", "x"]),
        (3, ["check", "nix", "1"]), (3, ["drop", "nix", "--yes"]),
        (2, ["run", "l", "--batch", "0", "--", "true"]),
        (2, ["run", "l", "--batch", "1"]), (2, ["run", "l", "--", "true"]),
        (2, ["run", "l", "--batch", "1", "--poll", "1s", "--", "true"]),
        (3, ["run", "nix", "--batch", "1", "--", "true"]), (2, ["nix"]),
      ]
      for (code, words) in calls {
        let answer = try await world.start(["loop"] + words).answer()
        #expect(answer.code == code, "\(answer)")
        #expect(answer.stdout.isEmpty, "\(answer)")
        #expect(answer.errorLines.first?.hasPrefix("error: ") == true, "\(answer)")
      }
    }
  }

  @Test("a loop beside the engine's tables, which are none", arguments: TestStore.all)
  func besideTheEngine(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try await world.run("loop", "create", "l")
      #expect(try await world.run("db", "migrate").code == 0)
      #expect(try await world.run("loop", "list", "--output", "csv", "--no-header").lines.count == 1)
      for name in ["ev_run", "ev_task"] {
        let answer = try await world.run("loop", "drop", name, "--yes")
        #expect(answer.code == 1 && answer.stderr.contains("is no loop"), "\(answer)")
      }
      #expect(try await world.run("db", "check").code == 0)
    }
  }
}

extension World {
  /// The table of loop `l`, by id.
  func loopRows() async throws -> [[Value]] {
    try await withPool { pool in
      try await pool.transaction(.read) { session in
        try session.query("SELECT id, last_updated, lock_until FROM l ORDER BY id").map {
          [$0[0], $0[1], $0[2]]
        }
      }
    }
  }

  /// Runs SQL as it is.
  func execute(_ script: String) async throws {
    try await withPool { try await $0.run { try $0.executeScript(script) } }
  }

  private func withPool<T: Sendable>(_ body: (Pool) async throws -> T) async throws -> T {
    let pool = Pool(url: url, driver: Drivers.driver(for: url), size: 1)
    let value = try await body(pool)
    await pool.close()
    return value
  }
}
