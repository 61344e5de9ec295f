import ArgumentParser
import Eventor
import Foundation
import Glibc

/// `eventor-bench library`.
struct LibraryBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "library",
    abstract:
      "A program in Swift: one step that starts many functions in process, and one after all of them.",
    discussion: """
      EventProgram.run() with a forEach over --n items whose function yields once and returns a number, all at once up to \
      --width, between a step that gives the items and one that adds the results up. Memory is the most that this process \
      had resident, all rounds taken together, and what it had before the first.

      Floors: the same functions in a task group, without engine and store; and one commit of this database.

      EXAMPLE
        eventor-bench library --store sqlite:/var/tmp/bench.db --n 1000
      """)

  @OptionGroup var options: BenchOptions

  @Option(help: "How many functions.")
  var n = 1000

  @Option(help: "How many of them at once.")
  var width = 64

  func validate() throws {
    try BenchOptions.expect(n, "--n")
    try BenchOptions.expect(width, "--width")
  }

  func run() async throws {
    try await Measurement.run(options) { try await measure($0) }
  }

  private func measure(_ place: StorePlace) async throws -> Report {
    let before = Self.mostResident
    var (paces, alone, commits): ([Double], [Double], [[Double]]) = ([], [], [])
    for round in 1...options.rounds {
      Progress.say("round \(round) of \(options.rounds)")
      paces.append(try await OwnStore.with(place) { try await pace(on: $0) })
      alone.append(await bare())
      commits.append(try await Commits.time(200, at: place))
    }
    var report = Report("library", place, ["n": n, "width": width])
    let steps = Measure("functions, recorded", "/s", paces)
    let floor = Measure("the same functions in a task group", "/s", alone)
    let commit = Measure("one commit, in C", "ms", rounds: commits)
    report.add(steps)
    report.add(Measure("resident at the most", "MiB", [Self.mostResident]))
    report.add(Measure("resident before", "MiB", [before]))
    report.add(floor: floor)
    report.add(floor: commit)
    let each = Measure("ms for each function", "ms", paces.map { 1000 / $0 })
    report.compare("a function to one commit", each, to: commit)
    return report
  }

  /// Functions a second, of a run from its start to its end.
  private func pace(on own: OwnStore) async throws -> Double {
    var program = EventProgram("bench")
    let items = program.step("items", with: n) { (count: Int, _) in Array(1...count) }
    let each = program.forEach("each", over: .result(of: items), after: items, atOnce: 0) {
      (item: Int, _) -> Int in
      await Task.yield()
      return item
    }
    let sum = program.step("sum", after: each) { step in
      try step.result(of: each).reduce(0) { $0 + ($1 ?? 0) }
    }
    let options = RunOptions {
      $0.store = StoreLocation(own.text)
      $0.maxConcurrent = width
      $0.logDirectory = own.directory + "/logs"
      $0.workDirectory = own.directory + "/work"
    }
    let start = ContinuousClock.now
    let run = try await program.run(options: options).required()
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    guard try run.result(of: sum) == n * (n + 1) / 2 else { throw Wrong("the sum of the results is wrong") }
    return Double(n) / seconds
  }

  /// The same functions, at most so many at once, as tasks a second.
  private func bare() async -> Double {
    let start = ContinuousClock.now
    var sum = 0
    await withTaskGroup(of: Int.self) { group in
      for item in 1...n {
        if item > width, let done = await group.next() { sum += done }
        group.addTask {
          await Task.yield()
          return item
        }
      }
      for await done in group { sum += done }
    }
    return Double(n) / ((ContinuousClock.now - start) / .seconds(1))
  }

  /// The most that this process has had resident, in MiB.
  private static var mostResident: Double {
    ProcessUse(of: getpid()).mostResidentMiB
  }
}
