import ArgumentParser
import CommandSupport
import Coordinator
import Foundation
import Glibc
import UpdateLoops

/// How a worker takes ids.
struct LoopTakeOptions: ParsableArguments {
  @Option(
    parsing: .unconditional, help: "How long ids stay locked: a safe upper bound of what their update takes.")
  var lockFor = "1h"

  @Option(parsing: .unconditional, help: "Leave out ids that were updated within this time.")
  var minLoopTime = "1h"

  func times() throws -> (lockFor: Duration, minLoopTime: Duration) {
    (
      try LoopTime.read(lockFor, of: "--lock-for"), try LoopTime.read(minLoopTime, of: "--min-loop-time")
    )
  }
}

extension LoopCommand {
  /// `coordinator loop get`.
  struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Locks and prints the ids that have gone longest without an update.",
      discussion: """
        First come ids whose lock has ended, then those never updated, then the least recently updated. No other call
        is given them before their lock ends, or `loop did` or `loop unlock` takes it away.

        EXAMPLE
          coordinator loop get user_loop 100 --lock-for 10m
        """)

    @Argument(help: "The loop.")
    var name: String

    @Argument(help: "The most ids to print.")
    var limit: Int

    @OptionGroup var take: LoopTakeOptions

    @Option(help: "How they are printed: lines, jsonl or nul.")
    var format = IDFormat.lines

    @Flag(help: "Print what would be handed out; lock nothing.")
    var dryRun = false

    @Flag(help: "Print one JSON document.")
    var json = false

    @OptionGroup var storeOptions: StoreOptions

    func run() async throws {
      let (lockFor, minLoopTime) = try take.times()
      let loop = try await storeOptions.loop(name)
      let ids = try await loop.get(limit, lockFor: lockFor, minLoopTime: minLoopTime, dryRun: dryRun)
      do {
        let bytes =
          json
          ? Array(JSONObject([("loop", name), ("ids", ids), ("dry_run", dryRun)]).document.utf8)
          : try format.bytes(ids)
        if json || format == .nul || isatty(STDOUT_FILENO) == 0 {
          try FileHandle.standardOutput.write(contentsOf: Data(bytes))
        } else {
          Say.out(neutralised(String(decoding: bytes, as: UTF8.self)))
        }
      } catch {
        // What could not be handed on is not locked for nothing.
        if !dryRun { try await loop.unlock(ids, autoAdd: false) }
        throw error
      }
    }
  }
}
