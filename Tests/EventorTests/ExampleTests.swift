import Foundation
import Model
import Testing

/// The programs of `eventor-examples`, called as their comments say.
@Suite("Examples in Swift")
struct ExampleTests {
  static let names = [
    "cluster-notes", "build-and-test", "data-pipeline", "nested-loops", "nightly", "release",
    "simulation-farm", "word-count",
  ]

  @Test("an example is valid, without a warning, and can be drawn", arguments: names)
  func isValid(name: String) async throws {
    try await Folder.with { folder in
      let answer = try await folder.call("eventor-examples", [name, "validate"])
      #expect(answer.code == 0, "\(answer)")
      #expect(answer.stdout.hasPrefix("ok, program \(name) "), "\(answer)")
      #expect(answer.stderr.isEmpty, "\(answer)")
      for format in ["text", "dot", "mermaid", "svg"] {
        let graph = try await folder.call("eventor-examples", [name, "graph", "--format", format])
        #expect(graph.code == 0 && !graph.stdout.isEmpty, "\(graph)")
      }
    }
  }

  @Test("the executable names its programs to those who name none")
  func namesItsPrograms() async throws {
    try await Folder.with { folder in
      let answer = try await folder.call("eventor-examples", ["run"])
      #expect(answer.code == 2, "\(answer)")
      for name in Self.names { #expect(answer.stderr.contains(name), "\(answer)") }
    }
  }

  @Test("cluster-notes: the first of two ends starts the third step")
  func clusterNotes() async throws {
    try await Folder.with { folder in
      let report = try await folder.run("cluster-notes")
      #expect(
        report.statuses == [
          "s11/1": "success", "s12/1": "success", "s2/1": "success", "s3/1": "success",
        ])
      #expect(report["s12"]?.result == .string("prog12"))
      #expect(report["s3"]?.logged.contains("doing what prog3 is doing") == true)
    }
  }

  @Test("build-and-test: a package and a report, once both flavours have passed")
  func buildAndTest() async throws {
    try await Folder.with { folder in
      let report = try await folder.run("build-and-test", "--param", "version=2.0.0")
      let names = [
        "checkout", "compile", "test_debug", "test_release", "package", "report_success",
      ]
      #expect(report.statuses == folder.all(names, "success"))
      #expect(report["test_debug"]?.result == .object(["flavour": .string("debug"), "passed": .integer(12)]))
      #expect(report["package"]?.result == .string("work/hello-2.0.0"))
      #expect(report["report_success"]?.logged.contains("made work/hello-2.0.0, 24 tests passed") == true)
      #expect(folder.text("work/hello-2.0.0") == "hello from 2.0.0 (release)")
    }
  }

  @Test("build-and-test: a flavour that fails is reported, and the run has failed")
  func buildAndTestFails() async throws {
    try await Folder.with { folder in
      let report = try await folder.run("build-and-test", "--param", "broken=debug", exit: 1)
      #expect(report["test_debug"]?.message == "1 test of debug failed")
      #expect(report["test_release"]?.status == "success")
      #expect(report["report_failure"]?.message == "version 1.10.0 is broken")
      #expect(report["package"] == nil)
    }
  }

  @Test("data-pipeline: a recovery with another parameter goes on where bad data stopped it")
  func dataPipeline() async throws {
    try await Folder.with { folder in
      let failed = try await folder.run("data-pipeline", "--param", "max_bad=0", exit: 1)
      #expect(failed["check"]?.message == "2 bad rows are too many")
      #expect(failed["load"] == nil)

      let words = ["recover", "latest", "--param", "max_bad=5", "--json"]
      let plan = try await folder.call("eventor-examples", ["data-pipeline"] + words + ["--plan"])
      #expect(plan.code == 0 && plan.stdout.contains("extract"), "\(plan)")

      let answer = try await folder.call("eventor-examples", ["data-pipeline"] + words)
      #expect(answer.code == 0, "\(answer)")
      let report = try answer.decoded(as: Report.self)
      #expect(report.run.recovery == 1)
      #expect(report.statuses["extract/1"] == "skipped")
      #expect(report.statuses["check/1"] == "success")
      #expect(report["open_session"]?.result == .string("session of recovery 1"))
      #expect(folder.text("pipeline/journal") == "extracted by recovery 0\n")
      let sizes = (1...3).compactMap { report["transform", "1/\($0)"]?.result }
      #expect(sizes.count == 3)
      // 81 rows of two digits, 9 of one, and a line feed between two of a part.
      let bytes: Int64 = 90 * 4 + 9 + 81 * 2 + 87
      #expect(report["load"]?.result == .integer(bytes))
    }
  }

  @Test("nested-loops: every test at every site, in sequences of their own")
  func nestedLoops() async throws {
    try await Folder.with { folder in
      let report = try await folder.run("nested-loops", "--param", "sites=lab3,lab4,lab5")
      #expect(report["run_test", "1/2/3"]?.result == .string("soak at lab4"))
      #expect(report["leave", "1/3"]?.result == .string("done with lab5"))
      #expect(report["prepare", "1/1"]?.logged.contains("site 1: lab3") == true)
      #expect(report.tasks.filter { $0.step == "run_test" }.count == 9)
      #expect(report.tasks.allSatisfy { $0.status == "success" })
      #expect(report["report"]?.logged.contains("all sites done") == true)
    }
  }

  @Test("nightly: tried again, cleaned up, told; no archive is no failure")
  func nightly() async throws {
    try await Folder.with { folder in
      let report = try await folder.run("nightly")
      #expect(report["fetch"]?.attempt == 2)
      #expect(report["lint"]?.status == "failure")
      #expect(report["tests"]?.result == .integer(120))
      #expect(report.statuses["archive/1"] == "skipped")
      #expect(report["tell_good"]?.logged.contains("good morning: 120 passed") == true)
      #expect(report["tell_bad"] == nil)
      #expect(folder.text("nightly.work/main.c") == nil)
    }
  }

  @Test("nightly: what has passed is archived where there is an archive")
  func nightlyArchives() async throws {
    try await Folder.with { folder in
      try FileManager.default.createDirectory(
        atPath: folder.path + "/archive", withIntermediateDirectories: true)
      let report = try await folder.run("nightly")
      #expect(report.statuses["archive/1"] == "success")
      #expect(folder.text("archive/\(report.run.id).o") == "int main(void) { return 0; }\n")
    }
  }

  @Test("nightly: broken tests are cleaned up after, and told")
  func nightlyFails() async throws {
    try await Folder.with { folder in
      let report = try await folder.run("nightly", "--param", "broken=true", exit: 1)
      #expect(report["tests"]?.message == "3 of 120 failed")
      #expect(report["cleanup"]?.status == "success")
      #expect(report["tell_bad"]?.message?.hasPrefix("bad morning: ") == true)
      #expect(report["tell_good"] == nil)
    }
  }

  @Test("release: nothing is published before somebody says so, and nothing twice")
  func release() async throws {
    try await Folder.with { folder in
      let verified = try await folder.run("release", "--run-id", "rel-1")
      #expect(verified.statuses == ["build/1": "success", "verify/1": "success"])
      #expect(folder.text("release.work/public/3.1.0") == nil)

      let store = ["--store", "sqlite:release.eventor.db"]
      let trigger = try await folder.call("coordinator", ["trigger", "rel-1", "go_by_hand"] + store)
      #expect(trigger.code == 0, "\(trigger)")
      let published = try await folder.run("release", "--run-id", "rel-1", "--continue")
      #expect(published["publish"]?.status == "success")
      #expect(published["announce"]?.logged.contains("release 3.1.0 is out") == true)
      #expect(folder.text("release.work/public/3.1.0") == "release 3.1.0\n")

      let again = try await folder.call("eventor-examples", ["release", "recover", "rel-1", "--json"])
      #expect(again.code == 0, "\(again)")
      #expect(try again.decoded(as: Report.self).statuses["publish/1"] == "skipped")
    }
  }

  @Test("simulation-farm: two licences for six cases, and a summary of their results")
  func simulationFarm() async throws {
    try await Folder.with { folder in
      let report = try await folder.run("simulation-farm")
      let cases = report.tasks.filter { $0.step == "simulate" }
      #expect(cases.count == 6)
      #expect(cases.allSatisfy { $0.status == "success" })
      #expect(mostAtOnce(cases) <= 2)
      let scores = cases.compactMap(\.result).compactMap(value)
      #expect(scores.count == 6)
      #expect(report["summary"]?.result.flatMap(value) == scores.max())
    }
  }

  @Test("simulation-farm: a case that fails leaves a hole, and the others go on")
  func simulationFarmFails() async throws {
    try await Folder.with { folder in
      let report = try await folder.run("simulation-farm", "--param", "bad=wing-30", exit: 1)
      let failed = report.tasks.filter { $0.step == "simulate" && $0.status == "failure" }
      #expect(failed.map(\.message) == ["wing-30 diverged"])
      #expect(failed.map(\.exitCode) == [3])
      #expect(report["partial_summary"]?.message == "not complete: 5 of 6 cases")
      #expect(report["summary"] == nil)
    }
  }

  @Test("word-count: counts words, and warns of too many")
  func wordCount() async throws {
    try await Folder.with { folder in
      try FileManager.default.createDirectory(
        atPath: folder.path + "/texts", withIntermediateDirectories: true)
      for (name, text) in [("a.md", "one two"), ("b.txt", "three\nfour five"), ("c.swift", "no text")] {
        try text.write(toFile: "\(folder.path)/texts/\(name)", atomically: true, encoding: .utf8)
      }
      let report = try await folder.run("word-count", "--param", "folder=texts")
      #expect(report["total"]?.result == .integer(5))
      #expect(report["warn"] == nil)
      let long = try await folder.run("word-count", "--param", "folder=texts", "--param", "limit=4")
      #expect(long["warn"]?.logged.contains("5 words, most of them in texts/b.txt") == true)
    }
  }
}

extension Folder {
  /// Runs an example to its end, and reads the report it prints.
  fileprivate func run(
    _ name: String, _ arguments: String..., exit: Int32 = 0, from place: SourceLocation = #_sourceLocation
  ) async throws -> Report {
    let answer = try await call(
      "eventor-examples", [name, "run", "--json"] + arguments, from: place)
    #expect(answer.code == exit, "\(answer)", sourceLocation: place)
    return try answer.decoded(as: Report.self, from: place)
  }

  fileprivate func all(_ names: [String], _ status: String) -> [String: String] {
    Dictionary(uniqueKeysWithValues: names.map { ($0 + "/1", status) })
  }

  /// The text of a file in the folder, if it is there.
  fileprivate func text(_ name: String) -> String? {
    FileManager.default.contents(atPath: "\(path)/\(name)").map { String(decoding: $0, as: UTF8.self) }
  }
}

/// The member `value` of a score.
private func value(of score: JSONValue) -> Int64? {
  guard case .object(let members) = score, case .integer(let value)? = members["value"] else { return nil }
  return Int64(value)
}

/// The most of `tasks` that ran at once, by the database's clock: a start that falls on an end counts after it.
private func mostAtOnce(_ tasks: [Report.Task]) -> Int {
  let edges = tasks.flatMap { [($0.startedAt ?? "", 1), ($0.endedAt ?? "", -1)] }.sorted { $0 < $1 }
  var level = 0
  return edges.map {
    level += $0.1; return level
  }.max() ?? 0
}
