import ArgumentParser

/// Measures the code that users run against a floor of the same run on the same machine.
@main
struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eventor-bench",
    abstract: "Measures what is built, as ratios against others' work of the same minutes.",
    subcommands: [LoopBench.self])
}
