import ArgumentParser
import CommandSupport
import Database
import Drivers
import Foundation
import UpdateLoops

/// `eventor-bench loop`.
struct LoopBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "loop",
    abstract: "How many ids a second workers get from an update loop and mark as done.",
    discussion: """
      Fills a loop with N ids, lets the workers turn it once, and counts: workers of one process that take their turns \
      together, as those of `coordinator loop run --workers` do, and workers with a connection each. On MySQL doloop's own \
      workers do the same to a table of the same layout, each in a Python process, in the same run: give --python an \
      interpreter that has doloop and PyMySQL (scripts/doloop-python makes one).

      EXAMPLE
        eventor-bench loop --store mysql://eventor@db/eventor --workers 8 --python "$(scripts/doloop-python)"
      """)

  @Option(help: "The store: sqlite:PATH, postgresql://… or mysql://….")
  var store: String

  @Option(help: "How many workers.")
  var workers = 8

  @Option(help: "How many ids.")
  var n = 20_000

  @Option(
    parsing: .upToNextOption,
    help: "How many ids a worker takes at a time; several are measured one after the other.")
  var batch = [1, 10, 100]

  @Option(
    name: [.customLong("repeats"), .customLong("repeat")],
    help: "How often all is measured; the medians are compared.")
  var repeats = 3

  @Option(help: "A Python interpreter with doloop and PyMySQL; MySQL only.")
  var python: String?

  @Flag(help: "Print one JSON document.")
  var json = false

  func validate() throws {
    guard workers > 0, n > 0, !batch.isEmpty, batch.allSatisfy({ $0 > 0 }), repeats > 0 else {
      throw ValidationError("--workers, --n, --batch and --repeat are numbers from 1")
    }
  }

  func run() async throws {
    let url = try StoreURL(store)
    var summaries: [Summary] = []
    for size in batch {
      var report = Report(store: "\(url.kind)", workers: workers, n: n, batch: size)
      for round in 1...repeats {
        Progress.say("batches of \(size), round \(round) of \(repeats)")
        try await measure(url, &report)
      }
      if !json { Say.line(report.summary.text) }
      summaries.append(report.summary)
    }
    if json { try Say.json(summaries) }
  }

  private func measure(_ url: StoreURL, _ report: inout Report) async throws {
    let size = report.batch
    report.together.append(try await measure(url, size) { try await $0.turnAllTogether() })
    report.turn.append(try await measure(url, size) { try await $0.turnAll(combined: true) })
    report.getAndDid.append(try await measure(url, size) { try await $0.turnAll(combined: false) })
    if let python, url.kind == .mysql {
      report.doloop.append(try await measure(url, size) { try await $0.turnAllByDoloop(python: python) })
    }
  }

  /// Ids a second of one turn of a fresh loop.
  private func measure(
    _ url: StoreURL, _ batch: Int, _ body: (LoopScene) async throws -> Double
  ) async throws -> Double {
    let scene = try await LoopScene(url: url, workers: workers, n: n, batch: batch)
    let result: Result<Double, any Error>
    do {
      result = .success(try await body(scene))
    } catch {
      result = .failure(error)
    }
    try await scene.remove()
    return Double(n) / (try result.get())
  }

  /// What was measured, in ids a second.
  struct Report {
    let store: String
    let workers: Int
    let n: Int
    let batch: Int
    var together: [Double] = []
    var turn: [Double] = []
    var getAndDid: [Double] = []
    var doloop: [Double] = []

    var summary: Summary {
      let ratio = { (values: [Double]) -> Double? in
        doloop.isEmpty ? nil : (values.median / doloop.median * 100).rounded() / 100
      }
      return Summary(
        bench: "loop", store: store, workers: workers, n: n, batch: batch,
        together: together.map { $0.rounded() }, turn: turn.map { $0.rounded() },
        getAndDid: getAndDid.map { $0.rounded() }, doloop: doloop.map { $0.rounded() },
        ratioOfTogether: ratio(together), ratioOfTurn: ratio(turn), ratioOfGetAndDid: ratio(getAndDid))
    }
  }

  /// The same for printing.
  struct Summary: Encodable {
    let bench: String
    let store: String
    let workers: Int
    let n: Int
    let batch: Int
    let together: [Double]
    let turn: [Double]
    let getAndDid: [Double]
    let doloop: [Double]
    let ratioOfTogether: Double?
    let ratioOfTurn: Double?
    let ratioOfGetAndDid: Double?

    var text: String {
      func line(_ name: String, _ values: [Double], _ ratio: Double?) -> String {
        let all = values.map { String(format: "%.0f", $0) }.joined(separator: ", ")
        let times = ratio.map { String(format: ", %.2f times doloop", $0) } ?? ""
        return "\(name): \(String(format: "%.0f", values.median)) ids/s\(times) (\(all))"
      }
      var lines = ["\(store), \(workers) workers, \(n) ids, batches of \(batch)"]
      lines.append(line("one process, turns taken together", together, ratioOfTogether))
      lines.append(line("a connection each, did and get in one transaction", turn, ratioOfTurn))
      lines.append(line("a connection each, get, then did", getAndDid, ratioOfGetAndDid))
      if !doloop.isEmpty { lines.append(line("doloop 1.0.0", doloop, nil)) }
      return lines.joined(separator: "\n")
    }
  }
}
