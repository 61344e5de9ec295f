import Database
import TestSupport
import Testing

@testable import Workload

@Suite("Setting up")
struct SetUpTests {
  @Test("a set-up records the parameters and makes no document", arguments: TestStore.all)
  func records(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      #expect(try await world.workload.find() == nil)
      let parameters = try WorkloadParameters(total: 20, size: 30, updatesPerRun: 4, compressible: 5)
      let state = try await world.workload.setUp(parameters, seed: -9).state
      #expect(state.parameters == parameters && state.seed == -9 && state.version == 1)
      #expect(state.start == 0 && state.runs == 0 && state.last == nil && state.open == nil)
      #expect(state.filled == nil && state.holder == nil && state.historyCount == 0)
      #expect(try await world.workload.find() == state)
      let now = try await world.rows("SELECT \(raw: Dialect(kind.dialect).now)")[0].integer(0)
      #expect((0...600_000_000).contains(now - state.created))
      #expect(try await world.revisions(20) == Array(repeating: 0, count: 20))
      #expect(try await world.workload.history() == [])
      try await world.expectSound()
    }
  }

  @Test("an existing one is refused without force, and deleted with it", arguments: TestStore.all)
  func exists(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let first = try WorkloadParameters(total: 5, size: 10, updatesPerRun: 3)
      let state = try await world.workload.setUp(first, seed: 1).state
      _ = try await world.workload.execute()
      let other = try WorkloadParameters(total: 6, size: 11, updatesPerRun: 2)
      for fills in [false, true] {
        let error = try await workloadError { _ = try await world.workload.setUp(other, fills: fills) }
        #expect(error.kind == .exists)
        #expect(error.description.hasSuffix("already exists; to force reset it, use -f|--force"))
        #expect(
          try await workloadError {
            _ = try await world.workload.toBeDeleted(by: other, fills: fills, force: false)
          } == error)
      }
      #expect(try await world.workload.find()?.parameters == state.parameters)
      let doomed = try await world.workload.toBeDeleted(by: other, fills: false, force: true)
      #expect(doomed?.documents == 3 && doomed?.runs == 1)
      #expect(try await world.revisions(5) == [1, 1, 1, 0, 0])

      let renewed = try await world.workload.setUp(other, seed: 2, force: true).state
      #expect(renewed.parameters == other && renewed.runs == 0 && renewed.historyCount == 0)
      #expect(try await world.revisions(6) == Array(repeating: 0, count: 6))
      _ = try await world.workload.execute()
      try await world.expectSound()
    }
  }

  @Test("two seeds make two databases, and one seed the same twice", arguments: TestStore.all)
  func reproducible(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let parameters = try WorkloadParameters(total: 7, size: 100, updatesPerRun: 3)
      var copies: [[[UInt8]]] = []
      for seed: Int64? in [42, 42, 43, nil, nil] {
        _ = try await world.workload.setUp(parameters, seed: seed, force: true)
        for _ in 0..<4 { _ = try await world.workload.execute() }
        let rows = try await world.rows("SELECT rev, data FROM wl_document ORDER BY id")
        copies.append(try rows.flatMap { [Array(try $0.text(0).utf8), try $0.blob(1)] })
      }
      #expect(copies[0] == copies[1])
      #expect(Set(copies).count == 4)
    }
  }

  @Test("documents can be made all at once, and are told of", arguments: TestStore.all)
  func fills(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let heard = Heard()
      let parameters = try WorkloadParameters(total: 4100, size: 20, updatesPerRun: 100)
      let state = try await world.workload.setUp(parameters, fills: true, listener: heard.note).state
      #expect(state.filled == 4100 && !state.isFilling && state.documents == 4100 && state.runs == 0)
      #expect(state.holder == nil)
      #expect(
        heard.happenings == [0, 2000, 4000, 4100].map { .filling(done: $0, total: 4100) })
      #expect(try await world.revisions(4100) == Array(repeating: 1, count: 4100))
      try await world.expectSound()
      let run = try await world.workload.execute()
      #expect(run.revisions == 100 && run.updated == 100)
      #expect(try await world.revisions(4100).reduce(0, +) == 4200)
      try await world.expectSound()
    }
  }

  @Test("an interrupted set-up is finished by the next one, or by an execution", arguments: TestStore.all)
  func interrupted(kind: TestStore.Kind) async throws {
    for finishesBySetUp in [true, false] {
      try await World.with(kind) { world in
        let workload = world.workload
        let parameters = try WorkloadParameters(total: 5000, size: 20, updatesPerRun: 10)
        let task = Task {
          try await workload.setUp(parameters, seed: 3, fills: true) { happening in
            if case .filling(done: 2000, _) = happening { withUnsafeCurrentTask { $0?.cancel() } }
          }
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try await workload.find()?.filled == 2000)
        if finishesBySetUp {
          for fills in [true, false] {
            let other = try WorkloadParameters(total: fills ? 5001 : 5000, size: 20, updatesPerRun: 10)
            let error = try await workloadError { _ = try await workload.setUp(other, fills: fills) }
            #expect(error.kind == .exists)
          }
          let again = try await workload.setUp(parameters, fills: true)
          #expect(again.isContinued && again.state.seed == 3 && again.state.filled == 5000)
        }
        let heard = Heard()
        let run = try await workload.execute(listener: heard.note)
        #expect(run.updated == 10 && run.doneBefore == 0 && run.state.filled == 5000)
        #expect(heard.happenings.contains(.filling(done: 2000, total: 5000)) == !finishesBySetUp)
        #expect(
          try await world.revisions(5000)
            == Array(repeating: 2, count: 10) + Array(repeating: 1, count: 4990))
        try await world.expectSound()
      }
    }
  }

  @Test("what a set-up that was killed left behind is deleted by the next", arguments: TestStore.all)
  func leftBehind(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let parameters = try WorkloadParameters(total: 5, size: 10, updatesPerRun: 5)
      _ = try await world.workload.setUp(parameters)
      _ = try await world.workload.execute()
      // Killed between its first two transactions.
      try await world.execute("DELETE FROM wl_workload")
      let error = try await workloadError { _ = try await world.workload.execute() }
      #expect(error.kind == .notSetUp)
      let state = try await world.workload.setUp(parameters).state
      #expect(state.historyCount == 0)
      #expect(try await world.revisions(5) == [0, 0, 0, 0, 0])
      try await world.expectSound()
    }
  }

  @Test("what is not set up is said, and nothing is made", arguments: TestStore.all)
  func notSetUp(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let errors = [
        try await workloadError { _ = try await world.workload.execute() },
        try await workloadError { _ = try await world.workload.history() },
        try await workloadError { _ = try await world.workload.verify() },
      ]
      for error in errors {
        #expect(error.kind == .notSetUp)
        #expect(error.description.hasSuffix("not found: did you run `coordinator workload setup` first?"))
      }
      #expect(
        try await world.workload.toBeDeleted(by: WorkloadParameters(), fills: false, force: true) == nil)
      await #expect(throws: DatabaseError.self) { try await world.rows("SELECT number FROM wl_migration") }
    }
  }

  @Test(
    "documents that the server could never take are refused at once",
    arguments: TestStore.all.filter { $0 == .mysql })
  func packet(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let most = try await world.rows("SELECT @@max_allowed_packet")[0].int(0)
      let parameters = try WorkloadParameters(size: min(most, WorkloadParameters.largestSize))
      let error = try await workloadError { _ = try await world.workload.setUp(parameters) }
      #expect(error.kind == .invalid && error.description.contains("max_allowed_packet"))
      #expect(try await world.workload.find() == nil)
    }
  }
}

extension TestStore.Kind {
  var dialect: Dialect.Kind {
    switch self {
    case .sqlite: .sqlite
    case .postgresql: .postgresql
    case .mysql: .mysql
    }
  }
}
