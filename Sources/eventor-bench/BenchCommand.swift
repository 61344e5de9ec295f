import ArgumentParser
import CommandSupport

/// Measures the code that users run against a floor of the same run on the same machine.
struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eventor-bench",
    abstract: "Measures what is built, beside what the same machine does without it in the same minutes.",
    discussion: """
      Each measurement makes a schema, a database or an SQLite file of its own and removes it, and refuses a database \
      that holds runs. Agents are processes of eventor-agent, which is looked for beside this program.

      EXAMPLE
        eventor-bench claim --store postgresql://eventor@localhost/bench --agents 2
        eventor-bench chain --store sqlite:/var/tmp/bench.db --json
      """,
    version: CommandMain.version,
    subcommands: [
      SpawnBench.self, EnqueueBench.self, ClaimBench.self, ChainBench.self, FanoutBench.self,
      PickupBench.self,
      IdleBench.self, HistoryBench.self, StartupBench.self, LoopBench.self,
      LibraryBench.self, BloatBench.self, ScaleBench.self, CrewAgent.self,
    ])
}
