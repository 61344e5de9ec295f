import Database
import Drivers
import Synchronization
import TestSupport
import Testing

/// The database goes away in the middle of a run, and the run goes on by itself.
@Suite("A run outlives its connections and its database", .serialized, .timeLimit(.minutes(5)))
struct LostDatabaseTests {
  @Test("connections that the server ends again and again", arguments: TestStore.servers)
  func terminated(_ kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      try world.write("program.yaml", CrashProgram.hundred)
      let words = ["run", world.path("program.yaml"), "--quiet", "--run-id"]
      try await world.start(words + ["plain"], journalOf: "plain").succeeded()
      let expected = try #require(try await world.report(on: "plain")?.outcome)
      var random = SplitMix64(7)
      var ended = 0
      // As many runs as it takes to have cut many connections.
      for number in 1...40 where ended < 40 {
        let id = "r\(number)"
        let process = try world.start(words + [id], journalOf: id)
        try await until("\(id) begins; \(process.stderr)") { !world.journal(of: id).lines.isEmpty }
        ended += try await withPool(world) { pool in
          var ended = 0
          while process.end == nil, world.journal(of: id).starts["d5 1"] == nil {
            ended += try await endConnections(of: world, pool)
            try await Task.sleep(for: .milliseconds(Int.random(in: 1...150, using: &random)))
          }
          return ended
        }
        try await process.succeeded("\(kind) \(id)")
        try await expectUndisturbed(world, id, expected)
      }
      #expect(ended >= 40)
      RandomKillTests.say("\(kind): \(ended) connections ended by the server")
    }
  }

  /// Ends every connection to the world's store but the one in use, and says how many.
  private func endConnections(of world: World, _ pool: Pool) async throws -> Int {
    if world.kind == .postgresql {
      return try await pool.run {
        try $0.query(
          """
          SELECT COUNT(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()) ended
          """
        ).first?.int(0) ?? 0
      }
    }
    return try await pool.run { session in
      let rows = try session.query(
        "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()")
      var ended = 0
      for row in rows {
        // One that has left by itself meanwhile is no matter.
        if (try? session.executeScript("KILL CONNECTION \(row.integer(0))")) != nil { ended += 1 }
      }
      return ended
    }
  }

  private func expectUndisturbed(_ world: World, _ id: String, _ expected: Report.Outcome) async throws {
    let report = try #require(try await world.report(on: id))
    #expect(report.outcome == expected, "\(id): \(expected.difference(to: report.outcome))")
    let journal = world.journal(of: id)
    #expect(journal.doubled == [], "\(id)")
    for (key, count) in journal.starts where count != (key == "flaky 1" ? 2 : 1) {
      Issue.record("\(id): \(key) was started \(count) times")
    }
    try await world.expectConsistent(id)
  }

  @Test("a server that is stopped and started again while steps run", arguments: TestStore.servers)
  func restarted(_ kind: TestStore.Kind) async throws {
    try await PrivateServer.with(kind) { server in
      try await World.with(kind, server.url) { world in
        try world.write("program.yaml", CrashProgram.small(slow: "4"))
        let words = ["run", world.path("program.yaml"), "--run-id"]
        let process = try world.start(words + ["r"], journalOf: "r")
        // Everything but `slow` is over, or on its way: what ends now ends without a database.
        try await until("slow runs; \(process.stderr)") { world.journal(of: "r").starts["slow 1"] == 1 }
        try await server.stop()
        try await until("the agent says so; \(process.stderr)") {
          process.stderr.contains("the store is away")
        }
        try await until("slow ends without a database") { world.journal(of: "r").successes["slow 1"] == 1 }
        #expect(process.end == nil)
        try await server.start()
        try await process.succeeded()
        #expect(process.stderr.ranges(of: "the store is away").count == 1, "\(process.stderr)")
        #expect(process.stderr.ranges(of: "the store is back").count == 1, "\(process.stderr)")
        let report = try #require(try await world.report(on: "r"))
        let expected = FaultPointTests.outcomeOfSmall
        #expect(report.outcome == expected, "\(expected.difference(to: report.outcome))")
        let journal = world.journal(of: "r")
        #expect(journal.doubled == [])
        for (key, count) in journal.starts where count != (key == "flaky 1" ? 2 : 1) {
          Issue.record("\(key) was started \(count) times")
        }
        try await world.expectConsistent()
      }
    }
  }
}
