import ArgumentParser
import CommandSupport
import Coordinator
import Database
import Foundation
import Glibc
import Runtime
import Synchronization
import UpdateLoops

extension LoopCommand {
  /// `coordinator loop run`.
  struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "A worker: runs a command with a batch of ids on its standard input, marks them, and so on.",
      discussion: """
        Ends when no id is left, with exit code 1 if a batch failed: one whose command ended with another exit code
        than 0. Its ids stay locked until --lock-for is over, and then come first. With --forever it looks again after
        --poll, until Ctrl-C or SIGTERM, which let the batch end; once more stops the command too. Several --workers get and
        mark their batches together, which costs the database little more than one.

        EXAMPLE
          coordinator loop run user_loop --batch 100 -- ./update-users
          coordinator loop run page_loop --batch 20 --workers 8 --format jsonl --forever --poll 30s -- ./crawl.py
        """)

    @Argument(help: "The loop.")
    var name: String

    @Option(parsing: .unconditional, help: "The most ids at a time.")
    var batch: Int

    @Option(
      parsing: .unconditional,
      help: "How many batches are worked at a time, each by a command of its own.")
    var workers = 1

    @OptionGroup var take: LoopTakeOptions

    @Option(
      help:
        "How the command reads ids: lines, jsonl (a JSON number or string a line) or nul (each ends with NUL)."
    )
    var format = IDFormat.lines

    @Flag(help: "Go on when no id is left.")
    var forever = false

    @Option(parsing: .unconditional, help: "With --forever: look again so much later (10s).")
    var poll: String?

    @Flag(
      help: "Unlock a batch that failed and end, or with --forever pause, instead of going on with others.")
    var unlockOnFailure = false

    @Flag(help: "Print the ids of the next batch; lock and run nothing.")
    var dryRun = false

    @Flag(help: "Say nothing but errors.")
    var quiet = false

    @Flag(help: "Print one JSON document at the end; what the command prints goes to standard error.")
    var json = false

    @OptionGroup var storeOptions: StoreOptions

    @Argument(parsing: .postTerminator, help: "The command, after --.")
    var command: [String]

    func run() async throws {
      let settings = try settings()
      let loop = try await storeOptions.loop(name)
      if dryRun {
        let ids = try await loop.get(
          batch, lockFor: settings.lockFor, minLoopTime: settings.minLoopTime, dryRun: true)
        Say.aside(
          "would run \(command.joined(separator: " ")) with \(ids.count) id\(ids.count == 1 ? "" : "s"):\n")
        return Say.out(neutralised(String(decoding: try format.bytes(ids), as: UTF8.self)))
      }
      let variables = try await environment()
      let processes = (0..<workers).map { _ in
        BatchCommand(command, environment: variables, output: json ? STDERR_FILENO : STDOUT_FILENO)
      }
      let isCancelled = Atomic(false)
      let voice = LoopRunVoice(lockFor: take.lockFor, isQuiet: quiet)
      let crew = LoopCrew(workers, at: loop, settings, tell: voice.tell) { [format, quiet] number, ids in
        let end = try await processes[number].run(input: try format.bytes(ids))
        if end != .exited(0), !quiet { Say.aside("the command ended with \(end)\n") }
        return end == .exited(0)
      }
      let signals = try Interrupts { [quiet, workers] _, count in
        if count == 1 {
          if !quiet {
            Say.aside(
              workers == 1
                ? "finishing the batch; once more to stop it\n"
                : "finishing the batches; once more to stop them\n")
          }
        } else {
          isCancelled.store(true, ordering: .relaxed)
          for process in processes { process.signal(count == 2 ? SIGTERM : SIGKILL) }
        }
        crew.stop()
      }
      defer { signals.stop() }
      let tally = try await crew.run()
      show(tally)
      if isCancelled.load(ordering: .relaxed) { throw ExitCode(ExitStatus.cancelled.rawValue) }
      if tally.failedBatches > 0 { throw ExitCode(ExitStatus.failed.rawValue) }
    }

    /// Each has a thread that waits for its command.
    private static let mostWorkers = 256

    private func settings() throws -> LoopWorker.Settings {
      guard batch > 0 else {
        throw CommandFailure(status: .usage, what: "--batch \(batch)", mend: "take one id or more at a time")
      }
      guard (1...Self.mostWorkers).contains(workers) else {
        throw CommandFailure(
          status: .usage, what: "--workers \(workers)",
          mend: "from 1 to \(Self.mostWorkers) can work at a time")
      }
      guard !command.isEmpty else {
        throw CommandFailure(status: .usage, what: "there is no command to run", mend: "write it after --")
      }
      guard forever || poll == nil else {
        throw CommandFailure(
          status: .usage, what: "--poll", why: "the worker ends when no id is left", mend: "add --forever")
      }
      var settings = LoopWorker.Settings(batch: batch)
      (settings.lockFor, settings.minLoopTime) = try take.times()
      settings.unlocksOnFailure = unlockOnFailure
      if forever { settings.poll = try LoopTime.read(poll ?? "10s", of: "--poll") }
      return settings
    }

    /// What the command's process may see: nothing of how this one reaches the database, nor its settings.
    private func environment() async throws -> [String: String] {
      let hidden = ["PGPASSWORD", "PGPASSFILE", "MYSQL_PWD", "NOTIFY_SOCKET"]
      let inherited = ProcessInfo.processInfo.environment.filter { name, _ in
        !name.hasPrefix("EVENTOR_") && !hidden.contains(name)
      }
      var variables = try await storeOptions.url().url.withoutPassword(inherited)
      variables["EVENTOR_LOOP_NAME"] = name
      return variables
    }

    private func show(_ tally: LoopWorker.Tally) {
      if json {
        return Say.out(
          JSONObject([
            ("loop", name), ("batches", tally.batches), ("updated", tally.updated),
            ("failed_batches", tally.failedBatches), ("failed", tally.failed),
          ]).document)
      }
      guard !quiet else { return }
      let failures = tally.failedBatches == 0 ? "" : ", \(tally.failed) failed"
      Say.aside(
        "updated \(tally.updated) id\(tally.updated == 1 ? "" : "s") in \(tally.batches) batch"
          + "\(tally.batches == 1 ? "" : "es")\(failures)\n")
    }
  }
}

/// What is said while a worker works.
private struct LoopRunVoice: Sendable {
  let lockFor: String
  let isQuiet: Bool

  @Sendable func tell(_ event: LoopWorker.Event) {
    switch event {
    case .failed(let count, let isUnlocked):
      guard !isQuiet else { return }
      let fate = isUnlocked ? "are unlocked" : "stay locked until --lock-for is over"
      Say.aside("a batch of \(count) failed; its ids \(fate)\n")
    case .overran(let count, let took):
      Say.warning(
        "a batch of \(count) took \(LoopTime.text(Int(took / .seconds(1)))), longer than --lock-for \(lockFor): "
          + "another worker may have had the same ids")
    case .lost(let error, let pause):
      Say.warning("database: \(error.message) (\(error.code)); trying again in \(pause)")
    }
  }
}
