import Database
import Documents
import Engine
import Model
import Storage
import TestSupport
import Testing

@Suite("Programs and submissions")
struct RegistryTests {
  @Test(
    "the same content is the same version and no new row, other content another", arguments: TestStore.all)
  func versions(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let first = try await world.register("steps: {a: {}}")
      let again = try await world.register("steps: {a: {}}")
      let other = try await world.register("steps: {a: {}, b: {}}")
      #expect(first.isNew && !again.isNew && other.isNew)
      #expect(first.key == again.key && first.version == again.version && first.version != other.version)
      #expect(try await world.count("ev_program") == 2)
      #expect(try await world.store.programs(named: "t").map(\.version) == [other.version, first.version])
      let (found, program) = try await world.store.program(
        named: "t", version: String(first.version.prefix(20)))
      #expect(found.key == first.key && program.steps.map(\.name) == ["a"])
      #expect(
        try await refusal { _ = try await world.store.program(named: "t", version: "sha256:") }.kind
          == .invalid)
      #expect(
        try await refusal { _ = try await world.store.program(named: "tt", version: nil) }.kind == .notFound)
    }
  }

  @Test("two who register the same program at once share one row", arguments: TestStore.all)
  func concurrentRegistration(kind: TestStore.Kind) async throws {
    try await withWorld(kind, stores: 2) { world in
      let program = try ProgramDocument.parse("program: t\nsteps: {a: {}}", file: "t.yaml").program
      let versions = try await withThrowingTaskGroup(of: ProgramVersion.self) { group in
        for index in 0..<8 {
          group.addTask { try await world.stores[index % 2].register(program, by: "u\(index)") }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(Set(versions.map(\.key)).count == 1)
      #expect(versions.count { $0.isNew } == 1)
      #expect(try await world.count("ev_program") == 1)
    }
  }

  @Test(
    "a removed program is gone until it is registered again, and stays for its runs", arguments: TestStore.all
  )
  func removal(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start("steps: {a: {}}")
      #expect(try await refusal { _ = try await world.store.removeProgram(named: "t") }.kind == .conflict)
      try await world.worker().drain(run)
      #expect(try await world.store.removeProgram(named: "t") == 1)
      #expect(try await world.store.programs(named: nil).isEmpty)
      #expect(try await world.store.program(of: run).name == "t")
      #expect(try await refusal { _ = try await world.store.removeProgram(named: "t") }.kind == .notFound)
      #expect(try await !world.register("steps: {a: {}}").isNew)
      #expect(try await world.store.programs(named: "t").count == 1)
    }
  }

  @Test("a submitted run is reported with its tasks and events", arguments: TestStore.all)
  func submission(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let run = try await world.start("events: {e: {}}\nsteps: {a: {on: e}, b: {after: a}}")
      let report = try await world.report(run)
      #expect(
        report.run.status == .running && report.run.recovery == 0 && report.run.createdBy == "tester@here")
      #expect(report.tasks.map(\.step) == ["a"])
      #expect(report.events.map(\.event) == ["e"])
      #expect(try await world.store.runs(RunFilter()).map(\.id) == [run])
      try await world.expectSound()
    }
  }

  @Test(
    "of many who submit one id at once, one succeeds and the others are told why", arguments: TestStore.all)
  func sameID(kind: TestStore.Kind) async throws {
    try await withWorld(kind, stores: 2) { world in
      let version = try await world.register("steps: {a: {}}")
      let refusals = try await withThrowingTaskGroup(of: StoreError?.self) { group in
        for index in 0..<8 {
          group.addTask {
            do {
              _ = try await world.stores[index % 2].submit(
                Submission(
                  program: version, id: "mine", parameters: [:], isStandalone: true, isUnpinned: true,
                  localHost: "here", user: "u"))
              return nil
            } catch let error as StoreError {
              return error
            }
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(refusals.count { $0 == nil } == 1)
      #expect(refusals.compactMap(\.self).allSatisfy { $0.kind == .conflict })
      #expect(try await world.count("ev_task") == 1)
      try await world.expectSound()
    }
  }

  @Test("parameters come back as they went in", arguments: TestStore.all)
  func parameters(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let values: [String: JSONValue] = [
        "text": .string("it's \"quoted\" \\ `ticked` ? $1 🦜\n\ttab \u{1}"), "empty": .string(""),
        "null": .null,
        "yes": .bool(true), "large": .integer(.max), "small": .integer(.min), "real": .number(0.1),
        "list": .array([.integer(1), .array([]), .object(["k": .string("v")])]), "object": .object([:]),
      ]
      let names = values.keys.sorted().map { "\($0): {type: any}" }.joined(separator: ", ")
      let run = try await world.start("parameters: {\(names)}\nsteps: {a: {}}", parameters: values)
      #expect(try await world.report(run).run.parameters == values)
      let advance = try await world.worker().advance(run, slots: 1)
      #expect(advance.context.parameters == values)
    }
  }

  @Test(
    "a run is found by the beginning of its id, in which nothing is a wild card", arguments: TestStore.all)
  func prefixes(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      #expect(try await refusal { _ = try await world.store.runID(matching: "latest") }.kind == .notFound)
      let version = try await world.register("steps: {a: {}}")
      for id in ["a_1", "ab1", "nightly.1", "nightly.2", "N"] { _ = try await world.submit(version, id: id) }
      #expect(try await world.store.runID(matching: "a_") == "a_1")
      #expect(try await world.store.runID(matching: "ab") == "ab1")
      #expect(try await world.store.runID(matching: "nightly.2") == "nightly.2")
      #expect(try await world.store.runID(matching: "latest") == "N")
      for unknown in ["a%", "%", "_", "n_ghtly.1", "x", "", "A_1"] {
        #expect(
          try await refusal { _ = try await world.store.runID(matching: unknown) }.kind == .notFound,
          "\(unknown)")
      }
      #expect(try await refusal { _ = try await world.store.runID(matching: "nightly") }.kind == .invalid)
      _ = try await world.submit(version, id: "nightly")
      #expect(try await world.store.runID(matching: "nightly") == "nightly")
    }
  }

  @Test("runs are listed newest first, bounded and filtered", arguments: TestStore.all)
  func listing(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let version = try await world.register("steps: {a: {}}")
      let other = try await world.register("steps: {a: {}}", named: "other")
      for id in ["1", "2", "3"] { _ = try await world.submit(version, id: id) }
      _ = try await world.submit(other, id: "4")
      try await world.worker().drain("2")
      var filter = RunFilter()
      #expect(try await world.store.runs(filter).map(\.id) == ["4", "3", "2", "1"])
      filter.limit = 2
      #expect(try await world.store.runs(filter).map(\.id) == ["4", "3"])
      filter.program = "t"
      #expect(try await world.store.runs(filter).map(\.id) == ["3", "2"])
      filter.status = .success
      #expect(try await world.store.runs(filter).map(\.id) == ["2"])
      try await world.execute("UPDATE ev_run SET created_at = 0 WHERE id = '2'")
      filter.since = TimeSpan(seconds: 3600)
      #expect(try await world.store.runs(filter).isEmpty)
    }
  }

  @Test("quotes, emoji and a mebibyte pass through results, messages and outputs", arguments: TestStore.all)
  func texts(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let odd = "it's \"quoted\" \\n `ticked` ? $1 %s 🦜👩‍👩‍👧 ẞ\r\n\u{7f}"
      let large = String(repeating: "0123456789abcdé🦜", count: 65_536).prefix(1_048_576 / 4)
      let run = try await world.start(
        "steps: {a: {}, b: {after: a, run: [echo, \"${steps.a.result}\"]}, c: {after: b, run: [echo, \"${steps.b.result.k}\"]}}"
      )
      let worker = try await world.worker()
      var outcome = Outcome(.success, message: odd)
      outcome.result = .string(String(large))
      outcome.tail = .init(text: odd, totalBytes: 7)
      outcome.logPath = "/tmp/it's.log"
      try await _ = worker.advance(
        run,
        ends: [
          worker.claim(run).first.map { TaskEnd(number: $0.task.number, fence: $0.fence, outcome: outcome) }
        ].compactMap(\.self))
      let claim = try #require(try await worker.claim(run).first)
      #expect(claim.results == ["a": .string(String(large))])
      outcome.result = .object(["k": .string(odd), odd: .null])
      _ = try await worker.advance(
        run, ends: [TaskEnd(number: claim.task.number, fence: claim.fence, outcome: outcome)])
      #expect(try await worker.claim(run).first?.results["b"] == outcome.result)
      let tasks = try await world.report(run).tasks
      #expect(tasks.map(\.message).prefix(2) == [odd, odd])
      #expect(tasks[0].result == .string(String(large)) && tasks[1].result == outcome.result)
      #expect(tasks[0].logPath == "/tmp/it's.log")
      #expect(try await world.store.outputs(of: run, OutputFilter()).first?.tail?.text == odd)
      try await world.expectSound()
    }
  }

  @Test("a program of 2,000 steps runs", arguments: TestStore.all)
  func manySteps(kind: TestStore.Kind) async throws {
    try await withWorld(kind) { world in
      let steps = (0..<1999).map { "  s\($0): {}" }.joined(separator: "\n")
      let names = (0..<1999).map { "s\($0)" }.joined(separator: ", ")
      let run = try await world.start("steps:\n\(steps)\n  all: {after: [\(names)]}")
      let taken = try await world.worker().drain(run, slots: 500)
      #expect(taken.count == 2000 && taken.last == "all/1")
      #expect(try await world.report(run).run.status == .success)
      try await world.expectSound()
    }
  }
}
