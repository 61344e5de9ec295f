import ArgumentParser
import Foundation

/// `eventor-bench startup`.
struct StartupBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "startup",
    abstract: "How long the commands take that people type: coordinator --version, and status of a run.",
    discussion: """
      Wall time from posix_spawn to the end, of the `coordinator` beside this program.

      Floor: /bin/true, started in the same way.

      EXAMPLE
        eventor-bench startup --store sqlite:/var/tmp/bench.db
      """)

  @OptionGroup var options: BenchOptions

  @Option(help: "How often each is started in a round.")
  var n = 20

  func validate() throws { try BenchOptions.expect(n, "--n") }

  func run() async throws {
    try await Measurement.run(options) { try await measure($0) }
  }

  private func measure(_ place: StorePlace) async throws -> Report {
    let coordinator = try Executables.path(of: "coordinator")
    return try await OwnStore.with(place) { own in
      try await own.submit(try await own.register(Programs.wide(3)), id: "r")
      _ = try await InnerAgent(on: own, slots: 8).work()
      var (versions, statuses, floors): ([[Double]], [[Double]], [[Double]]) = ([], [], [])
      var peak = 0.0
      for round in 1...options.rounds {
        Progress.say("round \(round) of \(options.rounds)")
        floors.append(try await Spawning.time(["/bin/true"], times: n).milliseconds)
        versions.append(
          try await Spawning.time([coordinator, "--version"], times: n, environment: own.environment)
            .milliseconds
        )
        let status = try await Spawning.time(
          [coordinator, "status", "latest"], times: n, environment: own.environment)
        statuses.append(status.milliseconds)
        peak = max(peak, status.peakMiB)
      }
      var report = Report("startup", place, ["n": n])
      let version = Measure("coordinator --version", "ms", rounds: versions)
      let status = Measure("coordinator status latest", "ms", rounds: statuses)
      let floor = Measure("/bin/true", "ms", rounds: floors)
      report.add(version)
      report.add(status)
      report.add(Measure("peak memory of status", "MiB", [peak]))
      report.add(floor: floor)
      report.compare("--version to /bin/true", version, to: floor)
      report.compare("status to /bin/true", status, to: floor)
      report.add(Ratio(name: "--version to its bar", value: ((version.p50 ?? 0) / 30).short, bar: "30 ms"))
      if place.url.kind == .sqlite {
        report.add(Ratio(name: "status to its bar", value: ((status.p50 ?? 0) / 60).short, bar: "60 ms"))
      }
      return report
    }
  }
}
