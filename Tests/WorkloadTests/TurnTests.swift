import Database
import Glibc
import TestSupport
import Testing

@testable import Workload

@Suite("One at a time")
struct TurnTests {
  @Test("a second execution says who is running, and updates nothing", arguments: TestStore.all)
  func busy(kind: TestStore.Kind) async throws {
    try await World.with(kind, workloads: 2) { world in
      let parameters = try WorkloadParameters(total: 5000, size: 10, updatesPerRun: 5000)
      _ = try await world.workload.setUp(parameters)
      try await whileBusy(world) {
        let second = world.workloads[1]
        let errors = [
          try await workloadError { _ = try await second.execute() },
          try await workloadError { _ = try await second.setUp(parameters, force: true) },
          try await workloadError { _ = try await second.verify() },
        ]
        for error in errors {
          #expect(error.kind == .busy)
          #expect(error.description.hasSuffix("is being worked on by tester 0; wait for it with --wait"))
        }
        let late = try await workloadError {
          _ = try await second.execute(patience: .upTo(.milliseconds(1)))
        }
        #expect(late.kind == .timedOut)
        // Looking is always possible.
        #expect(try await second.find()?.holder?.name == "tester 0")
        #expect(try await second.history() == [])
      }
      #expect(try await world.revisions(5000) == Array(repeating: 0, count: 5000))
      let run = try await world.workloads[1].execute()
      #expect(run.number == 1 && run.updated == 5000)
      try await world.expectSound()
    }
  }

  @Test("one that waits gets the next documents", arguments: TestStore.all)
  func waits(kind: TestStore.Kind) async throws {
    try await World.with(kind, workloads: 2) { world in
      _ = try await world.workload.setUp(WorkloadParameters(total: 10, size: 10, updatesPerRun: 4))
      _ = try await world.workload.execute()
      let isWaiting = Signal()
      let second = world.workloads[1]
      let run = try await withThrowingTaskGroup(of: WorkloadRun.self) { group in
        try await whileBusy(world) {
          group.addTask {
            try await second.execute(patience: .forever) { happening in
              if case .waiting(let holder) = happening, holder?.name == "tester 0" { isWaiting.give() }
            }
          }
          await isWaiting.wait()
          let revisions = try await world.revisions(10)
          #expect(revisions.reduce(0, +) == 4)
        }
        return try await group.next()
      }
      #expect(run?.documents.description == "4–7")
      try await world.expectSound()
    }
  }

  @Test("many at once take turns: no range twice, none left out", arguments: TestStore.all)
  func many(kind: TestStore.Kind) async throws {
    try await World.with(kind, workloads: 4) { world in
      _ = try await world.workload.setUp(WorkloadParameters(total: 50, size: 10, updatesPerRun: 7))
      let runs = try await withThrowingTaskGroup(of: [WorkloadRun].self) { group in
        for workload in world.workloads {
          group.addTask {
            var runs: [WorkloadRun] = []
            for _ in 0..<3 { runs.append(try await workload.execute(patience: .forever)) }
            return runs
          }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      #expect(runs.map(\.number).sorted() == Array(1...12))
      for run in runs { #expect(run.documents.start == (run.number - 1) * 7 % 50 && run.updated == 7) }
      #expect(try await world.revisions(50).reduce(0, +) == 84)
      try await world.expectSound()
    }
  }

  @Test("whoever lost its turn to another writes nothing more", arguments: TestStore.all)
  func takenOver(kind: TestStore.Kind) async throws {
    try await World.with(kind, workloads: 2) { world in
      let workload = world.workload
      _ = try await workload.setUp(WorkloadParameters(total: 6000, size: 10, updatesPerRun: 6000))
      let pool = world.pool
      let isAtIt = Signal()
      let mayGoOn = Signal()
      let task = Task {
        try await workload.withTurn(.none, { _ in }) {
          try await workload.step { try $0.claim(1, holder: "first", opensRun: true) }
          isAtIt.give()
          await mayGoOn.wait()
          return try await workload.step { try $0.recorded(claimedBy: 1).state }
        }
      }
      await isAtIt.wait()
      // As another would that had been given the lock because this one's connection was gone.
      try await pool.transaction(.write) { session in
        _ = try session.claim(2, holder: "second", opensRun: true)
      }
      mayGoOn.give()
      let error = try await workloadError { _ = try await task.value }
      #expect(error.kind == .takenOver)
      let state = try await world.workload.find()
      #expect(state?.open?.done == 0 && state?.holder?.name == "second")
      #expect(try await world.workload.execute().updated == 6000)
      try await world.expectSound()
    }
  }

  @Test("a connection that is gone takes its lock along", arguments: TestStore.servers)
  func severed(kind: TestStore.Kind) async throws {
    try await World.with(kind, workloads: 2) { world in
      let (first, second) = (world.workloads[0], world.workloads[1])
      _ = try await first.setUp(WorkloadParameters(total: 10, size: 10, updatesPerRun: 4))
      try await first.withTurn(.none, { _ in }) {
        try await first.pool.run { $0.sever() }
        // The server notices by itself.
        let run = try await second.execute(patience: .upTo(.seconds(60)))
        #expect(run.documents.description == "0–3")
      }
      let run = try await first.execute()
      #expect(run.documents.description == "4–7")
      try await world.expectSound()
    }
  }

  @Test("a lock file is one process's at a time, and goes with it")
  func lockFile() async throws {
    try await withStore(.sqlite) { url in
      let path = try #require(url.path) + "-lock"
      // Left behind by a process that was killed.
      close(open(path, O_CREAT | O_WRONLY, 0o600))
      var first: LockFile? = try LockFile.take(path)
      #expect(first != nil)
      #expect(try LockFile.take(path) == nil)
      first = nil
      #expect(access(path, F_OK) != 0)
      let second = try LockFile.take(path)
      #expect(second != nil)
      // Removed by somebody: who comes next has another file, and the lock of the first does no harm.
      unlink(path)
      #expect(try LockFile.take(path) != nil)
      withExtendedLifetime((first, second)) {}
      let error = #expect(throws: DatabaseError.self) { _ = try LockFile.take(path + "/no/such") }
      #expect(error?.kind == .refused)
    }
  }

  /// Runs `body` while the first workload has its turn and has claimed the documents.
  private func whileBusy(_ world: World, _ body: () async throws -> Void) async throws {
    let workload = world.workload
    try await workload.withTurn(.none, { _ in }) {
      try await workload.step { session in
        _ = try session.claim(1, holder: "tester 0", opensRun: false)
      }
      try await body()
    }
  }
}
