import Database
import Engine
import Model
import TestSupport
import Testing

@Suite("A long run beside many short ones")
struct LongRunTests {
  /// Statements that look rows of a run up by their numbers, or by their names and sequences, go by all of that: by the
  /// average run, reading all of it would look cheaper.
  @Test("is not read whole for each batch of its tasks", arguments: [TestStore.Kind.sqlite, .postgresql])
  func lookUps(kind: TestStore.Kind) async throws {
    let log = RecordingDriver.Log()
    try await withWorld(kind, driver: { RecordingDriver($0, log: log) }) { world in
      let version = try await world.register(
        """
        steps:
          items: {run: [x]}
          each: {after: [items], run: [x, "${steps.items.result}"], foreach: {from: 1, to: 200}, at_once: 0}
          one: {run: [x], on: body}
          two: {run: [x], after: [one]}
          last: {after: [each, l], run: [x]}
        events: {body: {}}
        loops: {l: {after: [items], over: {from: 1, to: 200}, max_concurrent: 0, start: [body]}}
        """)
      try await Self.fill(world, program: version.key)
      let run = try await world.submit(version)
      try await world.worker().drain(run, slots: 64)
      let statements = log.all.filter { sql in
        ["ev_task", "ev_event"].contains { sql.text.contains($0) } && !sql.text.hasPrefix("INSERT")
      }
      var lookUps = 0
      for sql in statements where sql.text.contains("no IN (") || sql.text.contains("s.column1") {
        lookUps += 1
        let lines = try await world.pool.run { try Explanation.plan(of: sql, $0) }
        let bad = lines.filter { line in
          kind == .postgresql
            ? line.contains("Filter:") && (line.contains("no = ANY") || line.contains("sequence = "))
            : line.contains("(run_key=?)") || line.contains("(run_key=? AND step=?)")
              || line.contains("(run_key=? AND event=?)")
        }
        #expect(bad.isEmpty, "\(sql.text)\n\(lines.joined(separator: "\n"))")
      }
      #expect(lookUps > 10, "\(lookUps) of \(statements.count)")
    }
  }

  /// Many runs of five tasks, known to the planner, and one of many.
  private static func fill(_ world: World, program: Int64) async throws {
    try await world.pool.run { session in
      try session.executeScript("CREATE TABLE numbers (n BIGINT NOT NULL PRIMARY KEY)")
      try session.begin(.write)
      try session.insert(into: "numbers", columns: ["n"], rows: (0..<3000).map { [.integer(Int64($0))] })
      let name = "CAST(t.n AS TEXT)"
      for (from, sequence) in [
        ("1000000 + r.n", "numbers r CROSS JOIN numbers t WHERE t.n < 5"),
        ("2000000", "numbers r CROSS JOIN numbers t WHERE r.n = 0"),
      ] {
        let place = from == "2000000" ? "'1/' || \(name)" : "'1'"
        let step = from == "2000000" ? "'each'" : "'s' || \(name)"
        try session.execute(
          SQL(
            text: """
              INSERT INTO ev_task (run_key, no, recovery, step, sequence, scope, status, attempt, losses, ordering, host,
                demands, ready_at, started_at, ended_at, agent, fence, skipped)
              SELECT \(from), t.n, 0, \(step), \(place), 0, 'success', 1, 0, 0, 'here', 0, 1, 1, 2, 1, 1, 0 FROM \(sequence)
              """))
        try session.execute(
          SQL(
            text: """
              INSERT INTO ev_event (run_key, event, sequence, recovery, no, scope, hosts, triggered_at, first_at, outside)
              SELECT \(from), \(step), \(place), 0, t.n, 0, 'here', 1, 1, 0 FROM \(sequence)
              """))
      }
      try session.commit()
      try session.executeScript("ANALYZE")
    }
  }
}
