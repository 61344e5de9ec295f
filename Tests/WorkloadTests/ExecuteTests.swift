import Database
import Drivers
import TestSupport
import Testing

@testable import Workload

@Suite("Executing")
struct ExecuteTests {
  @Test("five documents, three a run: 0–2, then 3–4 and 0, then 1–3", arguments: TestStore.all)
  func wraps(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      _ = try await world.workload.setUp(WorkloadParameters(total: 5, size: 40, updatesPerRun: 3))
      let expected: [(String, revisions: Int, [Int], start: Int)] = [
        ("0–2", 0, [1, 1, 1, 0, 0], 3), ("3–4 and 0", 1, [2, 1, 1, 1, 1], 1), ("1–3", 3, [2, 2, 2, 2, 1], 4),
        ("4 and 0–1", 3, [3, 3, 2, 2, 2], 2), ("2–4", 3, [3, 3, 3, 3, 3], 0), ("0–2", 3, [4, 4, 4, 3, 3], 3),
      ]
      for (index, step) in expected.enumerated() {
        let run = try await world.workload.execute()
        #expect(run.number == index + 1 && run.updated == 3 && run.doneBefore == 0)
        #expect(run.documents.description == step.0)
        #expect(run.revisions == step.revisions)
        #expect(try await world.revisions(5) == step.2)
        #expect(run.state.start == step.start && run.state.runs == index + 1 && run.state.open == nil)
        #expect(run.state.last?.updates == 3 && run.state.last?.errors == 0)
        #expect(try await world.workload.find() == run.state)
        try await world.expectSound()
      }
    }
  }

  @Test("each revision follows the one the document had", arguments: TestStore.all)
  func revisionsFollow(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      _ = try await world.workload.setUp(WorkloadParameters(total: 4, size: 64, updatesPerRun: 3))
      var before: [Int: Revision] = [:]
      for _ in 0..<9 {
        let run = try await world.workload.execute()
        for row in try await world.rows("SELECT id, rev, data FROM wl_document") {
          let (id, data) = (try row.int(0), try row.blob(2))
          let now = try #require(Revision(try row.text(1)))
          #expect(data.count == 64)
          if (0..<3).contains((id - run.documents.start + 4) % 4) {
            #expect(now == Revision(after: before[id], content: data))
          } else {
            #expect(now == before[id])
          }
          before[id] = now
        }
      }
    }
  }

  @Test("a run goes in batches, and tells of each", arguments: TestStore.all)
  func batches(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let heard = Heard()
      _ = try await world.workload.setUp(WorkloadParameters(total: 5000, size: 10, updatesPerRun: 4500))
      _ = try await world.workload.execute()
      let state = try await world.workload.find()
      _ = try await world.workload.execute(listener: heard.note)
      // 4500–4999, then from 0 on: a batch does not reach beyond the last document.
      let done = [0, 500, 2500, 4500]
      let told = heard.happenings.dropFirst()
      #expect(Array(told) == done.map { .updating(done: $0, total: 4500) })
      guard case .began(let begun) = heard.happenings.first else {
        Issue.record("no beginning: \(heard.happenings)")
        return
      }
      #expect(begun.start == 4500 && begun.last == state?.last && begun.open?.done == 0)
      #expect(begun.holder?.name == "tester 0")
      try await world.expectSound()
    }
  }

  @Test("documents of every size", arguments: TestStore.all, [1, 5000, 150_000, 3_000_000])
  func sizes(kind: TestStore.Kind, size: Int) async throws {
    try await World.with(kind) { world in
      _ = try await world.workload.setUp(WorkloadParameters(total: 3, size: size, updatesPerRun: 2))
      for _ in 0..<2 { _ = try await world.workload.execute() }
      let lengths = try await world.rows("SELECT LENGTH(data) FROM wl_document").map { try $0.int(0) }
      #expect(lengths == [size, size, size])
      try await world.expectSound()
    }
  }

  @Test("an interrupted run goes on with exactly what is left", arguments: TestStore.all)
  func interrupted(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let workload = world.workload
      _ = try await workload.setUp(WorkloadParameters(total: 9000, size: 10, updatesPerRun: 7000))
      _ = try await workload.execute()
      var before = try await world.revisions(9000)
      // 7000–8999, then 0–4999 in batches of 2000; cut off after each of its batches.
      for (index, done) in [2000, 4000, 6000].enumerated() {
        let task = Task {
          try await workload.execute { happening in
            if case .updating(done, _) = happening { withUnsafeCurrentTask { $0?.cancel() } }
          }
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        let state = try #require(try await workload.find())
        #expect(state.open?.done == done && state.runs == 1 && state.start == 7000 && state.holder == nil)
        #expect(state.historyCount == 1 && state.open?.revisions == max(0, index * 2000))
        try await world.expectSound()
      }
      let rest = try await workload.execute()
      #expect(rest.number == 2 && rest.doneBefore == 6000 && rest.updated == 1000 && rest.revisions == 1000)
      #expect(rest.state.runs == 2 && rest.state.start == 5000)
      #expect(rest.state.last?.updates == 7000 && rest.state.last?.revisions == 5000)
      for id in DocumentRange(start: 7000, count: 7000, total: 9000).numbers { before[id] += 1 }
      #expect(try await world.revisions(9000) == before)
      try await world.expectSound()
    }
  }

  @Test("the history keeps the newest hundred runs", arguments: TestStore.all)
  func history(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      _ = try await world.workload.setUp(WorkloadParameters(total: 30, size: 1, updatesPerRun: 7))
      for _ in 0..<103 { _ = try await world.workload.execute() }
      let history = try await world.workload.history()
      #expect(history.map(\.number) == Array((4...103).reversed()))
      #expect(history.allSatisfy { $0.updates == 7 && $0.errors == 0 && $0.spent >= 0 })
      for entry in history { #expect(entry.start == (entry.number - 1) * 7 % 30) }
      let state = try #require(try await world.workload.find())
      #expect(state.historyCount == 100 && state.runs == 103 && state.last == history.first)
      #expect(history.allSatisfy { $0.startedAt >= state.created })
      try await world.expectSound()
    }
  }

  @Test("an answer to a commit that is lost doubles nothing", arguments: TestStore.servers)
  func lostAnswer(kind: TestStore.Kind) async throws {
    try await World.with(kind) { world in
      let parameters = try WorkloadParameters(total: 5000, size: 10, updatesPerRun: 4500)
      // PostgreSQL's text ends with NUL, which tells it from READ COMMITTED.
      let word = kind == .postgresql ? "COMMIT\0" : "COMMIT"
      try await throughProxy(to: world.workload.url) { workload, proxy in
        _ = try await workload.setUp(parameters, fills: true) { happening in
          if case .filling(done: 2000, _) = happening { proxy.cut(at: word) }
        }
        #expect(try await world.revisions(5000) == Array(repeating: 1, count: 5000))
        for place in [0, 2000, 4000] {
          let run = try await workload.execute { happening in
            if case .updating(place, _) = happening { proxy.cut(at: word) }
          }
          #expect(run.updated == 4500 && run.revisions == 4500)
        }
      }
      #expect(try await world.revisions(5000).reduce(0, +) == 5000 + 3 * 4500)
      #expect(try await world.workload.history().map(\.updates) == [4500, 4500, 4500])
      try await world.expectSound()
    }
  }

  /// Hands over a workload at `url` whose connection can be cut.
  private func throughProxy(
    to url: StoreURL, _ body: (WorkloadDatabase, CuttingProxy) async throws -> Void
  ) async throws {
    let proxy = try CuttingProxy(host: try #require(url.host), port: try #require(url.port))
    defer { proxy.stop() }
    let workload = WorkloadDatabase(
      url: try url.unencrypted(port: proxy.port), driver: Drivers.driver(for: url), holder: "tester")
    let outcome: Result<Void, any Error>
    do {
      outcome = .success(try await body(workload, proxy))
    } catch {
      outcome = .failure(error)
    }
    await workload.close()
    try outcome.get()
  }
}

extension DocumentRange {
  var numbers: [Int] { (0..<count).map { (start + $0) % total } }
}
