import Database
import Drivers
import TestSupport
import Testing
import Workload

@Suite("Verifying")
struct VerifyTests {
  @Test("what is wrong with a restored database is found", arguments: TestStore.all)
  func faults(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      _ = try await world.workload.setUp(WorkloadParameters(total: 2500, size: 50, updatesPerRun: 2400))
      for _ in 0..<2 { _ = try await world.workload.execute() }
      let heard = Heard()
      let sound = try await world.workload.verify(listener: heard.note)
      #expect(sound.documents == 2500 && sound.faultCount == 0)
      #expect(heard.happenings == [0, 2000, 2500].map { .verifying(done: $0, total: 2500) })

      try await world.execute("DELETE FROM wl_document WHERE id = 3")
      try await world.execute(
        "UPDATE wl_document SET data = \([UInt8](repeating: 1, count: 50)) WHERE id = 2310")
      // One that missed its second turn, one whose number is right and its hash not, one that is nobody's.
      let first = try await world.rows("SELECT rev, data FROM wl_document WHERE id = 2398")[0]
      #expect(Revision(try first.text(0))?.number == 1)
      let revision = Revision(after: nil, content: [1])
      try await world.execute("UPDATE wl_document SET rev = \(revision.description) WHERE id = 7")
      try await world.execute("UPDATE wl_document SET rev = \(revision.description) WHERE id = 2399")
      try await world.execute("UPDATE wl_document SET id = 2500 WHERE id = 2499")
      let found = try await world.workload.verify()
      #expect(
        found.faults == [
          "document 3 is missing", "document 7 is not at revision 2",
          "document 2310 has other content than was written",
          "document 2399 is not at revision 1: its hash is another", "document 2499 is missing",
          "rows beyond the documents that were written: 1",
        ])
      #expect(found.faultCount == 6)
    }
  }

  @Test("of very many faults only some are described, and all counted", arguments: TestStore.all)
  func many(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      _ = try await world.workload.setUp(WorkloadParameters(total: 100, size: 1), fills: true)
      try await world.execute("DELETE FROM wl_document")
      let found = try await world.workload.verify()
      #expect(found.faultCount == 100 && found.faults.count == WorkloadDatabase.describedFaults)
    }
  }

  @Test("documents that change while they are read are no faults", arguments: TestStore.all)
  func replica(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let workload = world.workload
      _ = try await workload.setUp(WorkloadParameters(total: 10, size: 1, updatesPerRun: 3), fills: true)
      // On a replica nothing keeps the changes out that come from its primary: here, what a statement beside makes.
      let error = try await workloadError {
        _ = try await workload.verify { happening in
          guard case .verifying(done: 0, _) = happening else {
            Issue.record("it went on")
            return
          }
          do {
            let session = try Drivers.driver(for: workload.url).open(workload.url)
            try session.execute("UPDATE wl_workload SET runs = runs + 1")
          } catch {
            Issue.record(error)
          }
        }
      }
      #expect(error.kind == .busy)
    }
  }
}
