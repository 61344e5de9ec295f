import ArgumentParser
import CFloor
import Foundation
import Runtime

/// `eventor-bench spawn`.
struct SpawnBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "spawn",
    abstract: "How many steps a second agents carry out that are the smallest process there is, /bin/true.",
    discussion: """
      One run, a foreach of --n items over /bin/true, all at once. Counted by the database's clock, from the first step \
      that is taken to the last end that is recorded.

      Floors: posix_spawn and waitpid in a loop in C, one process at a time, and as many such loops as there are \
      processors.

      EXAMPLE
        eventor-bench spawn --store sqlite:/var/tmp/bench.db --agents 1 --slots 8
      """)

  @OptionGroup var options: BenchOptions
  @OptionGroup var crew: AgentOptions

  @Option(help: "How many processes.")
  var n = 3000

  func validate() throws { try BenchOptions.expect(n, "--n") }

  func run() async throws {
    try await Measurement.run(options) { try await measure($0) }
  }

  private func measure(_ place: StorePlace) async throws -> Report {
    let width = ProcessInfo.processInfo.activeProcessorCount
    var (paces, single, wide): ([Double], [Double], [Double]) = ([], [], [])
    for round in 1...options.rounds {
      Progress.say("round \(round) of \(options.rounds)")
      single.append(try await Spawning.rate(of: ["/bin/true"], n, loops: 1))
      let pace = try await OwnStore.with(place) { own in
        try await AgentCrew.work(crew, on: own) {
          try await own.submit(try await own.register(Programs.processes(n)), id: "r")
          try await own.analyze()
        }
        return try await own.pace(ofRuns: "r")
      }
      paces.append(pace)
      wide.append(try await Spawning.rate(of: ["/bin/true"], n, loops: width))
    }
    var report = Report("spawn", place, ["n": n, "agents": crew.agents, "slots": crew.slots])
    let pace = Measure("steps of /bin/true", "/s", paces)
    let alone = Measure("posix_spawn + waitpid, 1 loop in C", "/s", single)
    let several = Measure("posix_spawn + waitpid, \(width) loops in C", "/s", wide)
    report.add(pace)
    report.add(floor: alone)
    report.add(floor: several)
    report.compare("steps to 1 loop", pace, to: alone, bar: "0.6")
    report.compare("steps to \(width) loops", pace, to: several)
    return report
  }
}
