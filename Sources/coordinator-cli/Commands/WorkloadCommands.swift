import ArgumentParser
import CommandSupport
import Coordinator
import Database
import Model
import Storage
import Workload

/// `coordinator workload`.
struct WorkloadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "workload",
    abstract: "A database that keeps changing, for testing what backs it up or copies it.",
    discussion: """
      EXAMPLE
        coordinator workload setup sqlite:changing.db --total 1000 --update-per-run 10
        coordinator workload execute sqlite:changing.db
        coordinator workload info sqlite:changing.db
      """,
    subcommands: [Setup.self, Execute.self, Info.self])

  /// `coordinator workload setup`.
  struct Setup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Records how many documents there are, how large, and how many change in each run.",
      discussion: """
        EXAMPLE
          coordinator workload setup postgresql://btst@db/cdyno1 -t 1000000 -s 1000 -u 10000 --fill
        """)

    @OptionGroup var options: WorkloadOptions

    @Option(
      name: .shortAndLong, parsing: .unconditional,
      help: "How many documents the database holds once each has had its turn.")
    var total = WorkloadParameters.defaultTotal

    @Option(name: .shortAndLong, parsing: .unconditional, help: "The size of each document in bytes.")
    var size = WorkloadParameters.defaultSize

    @Option(
      name: [.short, .customLong("update-per-run")], parsing: .unconditional,
      help: "How many documents change in each run; at most all.")
    var updatePerRun = WorkloadParameters.defaultUpdatesPerRun

    @Flag(name: .shortAndLong, help: "Delete a workload that is there, and begin anew.")
    var force = false

    @Flag(help: "Make all documents now. Without it each is made on its first turn.")
    var fill = false

    @Option(
      parsing: .unconditional, help: "Makes the same documents again. Without it a random number is taken.")
    var seed: Int64?

    @Option(
      parsing: .unconditional, help: "How much of each document a compressor can take away, in percent.")
    var compressible = 0

    @Flag(help: "Say what would be done and deleted; do nothing.")
    var dryRun = false

    @Flag(help: "Do not ask.")
    var yes = false

    @Flag(help: "Print one JSON document.")
    var json = false

    @OptionGroup var turn: WorkloadTurnOptions

    func run() async throws {
      let parameters = try WorkloadParameters(
        total: total, size: size, updatesPerRun: updatePerRun, compressible: compressible)
      let patience = try turn.patience()
      let url = try await options.url(makes: true)
      if updatePerRun > total {
        Say.warning("--update-per-run \(updatePerRun) is more than there are: each run updates all \(total)")
      }
      let workload = WorkloadDatabase(at: url)
      let doomed =
        WorkloadOptions.isThere(url)
        ? try await workload.toBeDeleted(by: parameters, fills: fill, force: force) : nil
      let deletion = doomed.map { Self.contents($0) }
      if dryRun {
        if let deletion { Say.line("would delete \(deletion) of db \(url)") }
        return Say.line(
          "would set up db \(url): \(total) documents of \(size) bytes, \(parameters.updatesPerRun) updated in each run"
        )
      }
      if let deletion { try Consent.ask("Delete \(deletion)?", isGiven: yes) }
      let setUp = try await WorkloadWork.carryOut { listener in
        try await workload.setUp(
          parameters, seed: seed, fills: fill, force: force, patience: patience, listener: listener)
      }
      if json {
        return Say.out(
          JSONObject([
            ("db", url.description), ("continued", setUp.isContinued),
            ("state", WorkloadView.json(setUp.state)),
          ]).document)
      }
      Say.line(setUp.isContinued ? "Finished an interrupted set-up:" : "Saved configuration:")
      Say.out(WorkloadView.lines(setUp.state))
      Say.line(" run coordinator workload execute to start updating documents.")
    }

    private static func contents(_ state: WorkloadState) -> String {
      "\(state.documents) document\(state.documents == 1 ? "" : "s") and the history of \(state.runs) "
        + (state.runs == 1 ? "run" : "runs")
    }
  }

  /// `coordinator workload execute`.
  struct Execute: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Updates the next documents, or those that an interrupted run has left.",
      discussion: """
        EXAMPLE
          coordinator workload execute postgresql://btst@db/cdyno1
          coordinator workload execute changing -c 60
        """)

    @OptionGroup var options: WorkloadOptions

    @Option(
      name: .shortAndLong, parsing: .unconditional,
      help: "Sleep this many seconds and execute again, for ever; also a duration such as 5m.")
    var continuous: String?

    @Flag(help: "Print JSON: one document, or with --continuous one a line.")
    var json = false

    @OptionGroup var turn: WorkloadTurnOptions

    func run() async throws {
      let pause = try continuous.map { text in
        guard let span = TimeSpan(text), span > .zero else {
          throw CommandFailure(
            status: .usage, what: "--continuous \(text)", mend: "write seconds, or a duration such as 5m")
        }
        return span
      }
      let patience = try turn.patience()
      let url = try await options.url()
      let workload = WorkloadDatabase(at: url)
      var runs = 0
      while true {
        do {
          try await once(workload, patience)
        } catch let error as DatabaseError where runs > 0 && error.isOutage {
          Say.warning("nothing was updated: \(error.message) (\(error.code))")
        } catch let error as WorkloadError where runs > 0 && error.kind == .busy {
          Say.warning(error.description)
        }
        guard let pause else { return }
        runs += 1
        let text = "Sleeping \(seconds(pause)) seconds before next run \(runs)"
        if json { Say.aside(text + "\n") } else { Say.line(text) }
        guard try await WorkloadWork.sleeps(for: pause) else { return }
      }
    }

    private func once(
      _ workload: WorkloadDatabase, _ patience: WorkloadPatience
    ) async throws {
      let run = try await WorkloadWork.carryOut(tellsOfRuns: !json) { listener in
        try await workload.execute(patience: patience, listener: listener)
      }
      if json {
        let object = JSONObject([
          ("db", workload.url.description), ("run", WorkloadView.json(run)),
          ("state", WorkloadView.json(run.state)),
        ])
        return Say.out(continuous == nil ? object.document : object.line + "\n")
      }
      Say.out(WorkloadView.rates(run) + "New state:\n" + WorkloadView.lines(run.state))
    }

    private func seconds(_ span: TimeSpan) -> String {
      span.seconds == span.seconds.rounded() ? "\(Int(span.seconds))" : "\(span.seconds)"
    }
  }

  /// `coordinator workload info`.
  struct Info: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract:
        "Shows the parameters, the last run and the history; compares the documents with what they should be.",
      discussion: """
        EXAMPLE
          coordinator workload info sqlite:changing.db
          coordinator workload info sqlite:restored.db --verify
        """)

    @OptionGroup var options: WorkloadOptions

    @Flag(help: "Read every document and compare it with what it should be; exit code 1 if one is not.")
    var verify = false

    @Flag(help: "Print one JSON document.")
    var json = false

    @OptionGroup var turn: WorkloadTurnOptions

    func run() async throws {
      let patience = try turn.patience()
      let url = try await options.url()
      let workload = WorkloadDatabase(at: url)
      let history = try await workload.history()
      guard let state = try await workload.find() else {
        throw WorkloadError(.notSetUp, "db \(url) was deleted just now")
      }
      var verification: WorkloadDatabase.Verification?
      if verify {
        verification = try await WorkloadWork.carryOut { listener in
          try await workload.verify(patience: patience, listener: listener)
        }
      }
      if json {
        var object = JSONObject([
          ("db", url.description), ("state", WorkloadView.json(state)),
          ("history", history.map { WorkloadView.json($0) }),
        ])
        if let verification {
          let found: JSONObject = [
            "documents": verification.documents, "fault_count": verification.faultCount,
            "faults": verification.faults,
          ]
          object.set("verification", found)
        }
        Say.out(object.document)
      } else {
        Say.out(WorkloadView.lines(state))
        if !history.isEmpty {
          Say.out(WorkloadView.table(history, of: state).rendered(as: .table, on: Say.outProfile))
        }
        if let verification { tell(verification) }
      }
      if let verification, verification.faultCount > 0 { throw ExitCode(ExitStatus.failed.rawValue) }
    }

    private func tell(_ verification: WorkloadDatabase.Verification) {
      for fault in verification.faults { Say.line(fault) }
      let left = verification.faultCount - verification.faults.count
      if left > 0 { Say.line("and \(left) more") }
      Say.line(
        verification.faultCount == 0
          ? "verified \(verification.documents) docs: all are as they should be"
          : "verified \(verification.documents) docs: \(verification.faultCount) faults")
    }
  }
}
