import Database
import Engine
import Model
import Storage
import TestSupport
import Testing

@Suite("History, consistency and retention")
struct UpkeepTests {
  @Test(
    "the history tells every transition of a task, by whom and with which token", arguments: TestStore.all)
  func history(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start("events: {e: {}}\nsteps: {a: {on: e, retry: {attempts: 2}}}")
      let worker = try await world.worker()
      try await worker.drain(run) { Outcome($0.task.attempt == 1 ? .failure : .success) }
      let history = try await world.store.history(of: run)
      let task = history.map(\.entry).filter { $0.subject == .task }
      #expect(task.map(\.to) == ["ready", "running", "waiting", "ready", "running", "success"])
      #expect(task.map(\.from) == ["", "ready", "running", "waiting", "ready", "running"])
      #expect(task.map(\.token) == [0, 1, 1, 1, 2, 2])
      #expect(history.map(\.entry).filter { $0.subject == .run }.map(\.to) == ["running", "success"])
      #expect(history.map(\.entry).filter { $0.subject == .event }.map(\.actor) == ["tester@here"])
      #expect(history.map(\.at) == history.map(\.at).sorted())
    }
  }

  struct Damage: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let statements: [SQL]
    let finding: String
  }

  static let damages = [
    Damage(
      testDescription: "a wrong count of what is left",
      statements: ["UPDATE ev_run SET active = active + 1 WHERE id = 'on'"],
      finding: "counts"),
    Damage(
      testDescription: "a task that ended without a transition",
      statements: [
        "UPDATE ev_task SET status = 'success', open = NULL, holder = NULL WHERE step = 'held' AND holder IS NOT NULL"
      ],
      finding: "its history ends with running"),
    Damage(
      testDescription: "an open task gone",
      statements: ["DELETE FROM ev_task WHERE step = 'held' AND open = 1"],
      finding: "missing"),
    Damage(
      testDescription: "an ended task gone",
      statements: ["DELETE FROM ev_task WHERE step = 'first' AND open IS NULL"],
      finding: "task first/1 is in the history, and missing"),
    Damage(
      testDescription: "an event gone", statements: ["DELETE FROM ev_event WHERE event = 'e'"],
      finding: "event e/1"),
    Damage(testDescription: "a loop gone", statements: ["DELETE FROM ev_loop"], finding: "loop l/1"),
    Damage(
      testDescription: "history gone",
      statements: ["DELETE FROM ev_history WHERE subject = 'task' AND name = 'first'"],
      finding: "its history ends with nothing"),
    Damage(
      testDescription: "the end of a run without a transition",
      statements: ["UPDATE ev_run SET status = 'failure' WHERE id = 'done'"], finding: "run done is failure"),
    Damage(
      testDescription: "a run over with a task open",
      statements: [
        "UPDATE ev_task SET open = 1 WHERE run_key = (SELECT run_key FROM ev_run WHERE id = 'done') AND step = 'first'"
      ],
      finding: "run done is over"),
    Damage(
      testDescription: "a run that goes on with nothing left",
      statements: ["UPDATE ev_run SET status = 'running' WHERE id = 'done'"],
      finding: "has nothing left to do"),
    Damage(
      testDescription: "a running task that nobody holds",
      statements: ["UPDATE ev_task SET holder = NULL WHERE step = 'held'"],
      finding: "the lock of task held/1"),
    Damage(
      testDescription: "an ended task that somebody holds",
      statements: ["UPDATE ev_task SET holder = 1 WHERE step = 'first'"], finding: "the lock of task first/1"),
    Damage(
      testDescription: "more of a resource in use than held",
      statements: ["UPDATE ev_resource SET used = used + 1 WHERE name = 'r'"],
      finding: "resource r: 2 in use, and 1 held"),
    Damage(
      testDescription: "a hold gone", statements: ["DELETE FROM ev_hold"],
      finding: "resource r: 1 in use, and 0 held"),
    Damage(
      testDescription: "a ticket gone", statements: ["DELETE FROM ev_ticket"],
      finding: "task queued/1 waits, and queues for nothing"),
    Damage(
      testDescription: "a result gone", statements: ["DELETE FROM ev_result"],
      finding: "the result of task first/1"),
  ]

  @Test("db check finds each kind of damage", arguments: TestStore.all)
  func damage(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let version = try await world.register(
        """
        events: {e: {}, go: {}, more: {external: true}}
        resources: {r: {capacity: 1, scope: cluster}}
        steps: {first: {on: e}, held: {on: more, acquires: {r: 1}}, queued: {on: more, acquires: {r: 1}}, s: {on: go}}
        loops: {l: {over: [1], start: go}}
        """)
      let worker = try await world.worker()
      for id in ["done", "on"] {
        _ = try await world.submit(version, id: id)
        try await worker.drain(id) {
          var outcome = Outcome(.success)
          outcome.result = $0.task.step == "first" ? .string("x") : nil
          return outcome
        }
      }
      #expect(try await world.store.trigger("more", in: nil, of: "on", by: "u"))
      #expect(try await worker.claim("on").map(\.name) == ["held/1"])
      try await world.expectSound()
      for damage in Self.damages {
        let faults = try await world.checkAfter(damage.statements)
        #expect(
          faults.contains { $0.contains(damage.finding) }, "\(damage.testDescription): found \(faults)")
      }
      try await world.expectSound()
    }
  }

  @Test("purging removes runs that ended long ago, whole, and nothing else", arguments: TestStore.all)
  func purge(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let version = try await world.register(
        """
        config: {max_concurrent: 1}
        resources: {r: {capacity: 1, scope: program}}
        events: {go: {}}
        steps: {a: {acquires: {r: 1}, retry: {attempts: 2}}, s: {on: go}}
        loops: {l: {over: [1], start: go}}
        """)
      let worker = try await world.worker()
      for id in ["old", "recent", "on"] { _ = try await world.submit(version, id: id) }
      for id in ["old", "recent"] {
        try await worker.drain(id) {
          var outcome = Outcome($0.task.attempt == 1 && $0.task.step == "a" ? .failure : .success)
          outcome.tail = .init(text: "x", totalBytes: 1)
          outcome.result = .integer(1)
          return outcome
        }
      }
      try await world.execute("UPDATE ev_run SET ended_at = ended_at - 10 * 86400000000 WHERE id = 'old'")
      let key = try #require(
        try await world.rows("SELECT run_key FROM ev_run WHERE id = 'old'").first?.integer(0))
      let age = try #require(TimeSpan("7d"))
      #expect(try await world.store.countPurgeable(olderThan: age) == 1)
      #expect(try await world.store.purge(olderThan: age) == 1)
      #expect(try await world.store.purge(olderThan: age) == 0)
      for table in [
        "ev_task", "ev_attempt", "ev_output", "ev_result", "ev_event", "ev_delay", "ev_loop", "ev_iteration",
        "ev_hold",
        "ev_ticket", "ev_history", "ev_recovery", "ev_run",
      ] {
        #expect(try await world.count(table, where: "run_key = \(key)") == 0, "\(table)")
      }
      #expect(try await world.store.runs(RunFilter()).map(\.id) == ["on", "recent"])
      #expect(try await world.report("recent", allAttempts: true).tasks.count == 3)
      #expect(try await world.store.programs(named: "t").count == 1)
      try await worker.drain("on")
      try await world.expectSound()
    }
  }

  @Test("the schema is brought up once, however many start at the same time", arguments: TestStore.all)
  func migration(kind: TestStore.Kind) async throws {
    try await withWorld(kind, stores: 3) { world in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for store in world.stores { group.addTask { try await store.migrate() } }
        try await group.waitForAll()
      }
      #expect(try await world.store.schemaVersions().map(\.number) == Array(1...10))
      #expect(
        try await world.store.rowCounts().allSatisfy {
          $0.table == "ev_migration" ? $0.rows == 10 : $0.rows == 0
        })
    }
  }
}

extension World {
  /// What the check finds after `statements`, which are undone.
  func checkAfter(_ statements: [SQL]) async throws -> [String] {
    let tables = [
      "ev_run", "ev_task", "ev_event", "ev_loop", "ev_history", "ev_resource", "ev_hold", "ev_ticket",
      "ev_result",
    ]
    for table in tables {
      try await execute("CREATE TABLE \(identifier: "copy_" + table) AS SELECT * FROM \(identifier: table)")
    }
    for statement in statements { #expect(try await execute(statement) > 0, "\(statement.text)") }
    let faults = try await store.check()
    for table in tables {
      try await execute("DELETE FROM \(identifier: table)")
      try await execute("INSERT INTO \(identifier: table) SELECT * FROM \(identifier: "copy_" + table)")
      try await execute("DROP TABLE \(identifier: "copy_" + table)")
    }
    return faults
  }
}
