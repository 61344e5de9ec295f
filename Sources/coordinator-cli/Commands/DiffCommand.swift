import ArgumentParser
import CommandSupport
import Coordinator
import Engine
import Model

/// `coordinator diff`.
struct DiffCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Shows where two runs part: version, parameters, hosts, exit codes, results, durations.",
    discussion: """
      EXAMPLE
        coordinator diff 01JD… latest
      """)

  @Argument(help: "The first run: its id, the beginning of it, or 'latest'.")
  var left: String

  @Argument(help: "The second run.")
  var right: String

  @Flag(help: "Print one JSON document.")
  var json = false

  @OptionGroup var storeOptions: StoreOptions

  func run() async throws {
    let store = try await storeOptions.open().store
    let first = try await store.report(on: store.runID(matching: left), recovery: nil, allAttempts: false)
    let second = try await store.report(on: store.runID(matching: right), recovery: nil, allAttempts: false)
    let differences = RunDifference.between(first, second)
    if json {
      let rows = differences.map { JSONObject([("what", $0.what), ("left", $0.left), ("right", $0.right)]) }
      return Say.out(
        JSONObject([("left", first.run.id), ("right", second.run.id), ("differences", rows)]).document)
    }
    if differences.isEmpty { return Say.line("the runs do not differ") }
    var table = Table([
      .init("what"), .init("left", title: first.run.id), .init("right", title: second.run.id),
    ])
    for difference in differences {
      table.append([.init(difference.what), .init(difference.left), .init(difference.right)])
    }
    Say.out(table.rendered(as: .table, on: Say.outProfile))
  }
}
