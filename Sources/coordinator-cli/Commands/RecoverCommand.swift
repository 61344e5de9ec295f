import Agent
import ArgumentParser
import CommandSupport
import Coordinator
import Documents
import Engine
import Model
import Storage

/// `coordinator recover`.
struct RecoverCommand: AsyncParsableCommand, RunsSteps {
  static let configuration = CommandConfiguration(
    commandName: "recover",
    abstract: "Begins a run that is over again: failed steps run, succeeded ones are skipped.",
    discussion: """
      Each task follows its step's recovery policy. Parameters may be changed. A run begun by `run` is carried out \
      here; a submitted one is left to the agents.

      EXAMPLE
        coordinator recover latest --param x=9 --plan
        coordinator recover latest --param x=9
      """)

  @Argument(help: "The run: its id, the beginning of it, or 'latest'.")
  var run: String

  @OptionGroup var options: ReplayOptions

  func launchKeeper() throws { try options.launchKeeper() }

  func run() async throws {
    try await options.carryOut(run) { _, values in
      var request = ReplayRequest(kind: .recover)
      request.parameters = values.open
      return request
    }
  }
}

/// `coordinator rerun`.
struct RerunCommand: AsyncParsableCommand, RunsSteps {
  static let configuration = CommandConfiguration(
    commandName: "rerun",
    abstract: "Runs steps of a run again, whatever their status, and what follows from them.",
    discussion: """
      Without --step a new run of the same program version with the same parameters is begun.

      EXAMPLE
        coordinator rerun latest --step test --plan
        coordinator rerun latest --step test --sequence 1/2 --only
      """)

  @Argument(help: "The run: its id, the beginning of it, or 'latest'.")
  var run: String

  @Option(name: .customLong("step"), help: "A step to run again. Repeatable.")
  var steps: [String] = []

  @Option(help: "Only in this sequence.")
  var sequence: String?

  @Flag(help: "Leave out what follows from them.")
  var only = false

  @OptionGroup var options: ReplayOptions

  func validate() throws {
    if steps.isEmpty, only || sequence != nil {
      throw ValidationError("--only and --sequence go with --step")
    }
    if steps.isEmpty, options.plan {
      throw ValidationError("--plan goes with --step: without it a new run begins")
    }
  }

  func launchKeeper() throws { try options.launchKeeper() }

  func run() async throws {
    if steps.isEmpty { return try await options.runAnew(run) }
    try await options.carryOut(run) { _, values in
      var request = ReplayRequest(kind: .rerun)
      request.steps = steps
      request.sequence = sequence.map { Sequence($0) }
      request.only = only
      request.parameters = values.open
      return request
    }
  }
}

/// `coordinator mark`.
struct MarkCommand: AsyncParsableCommand, RunsSteps {
  static let configuration = CommandConfiguration(
    commandName: "mark",
    abstract: "Ends a task by hand, as success or failure, and releases what follows.",
    discussion: """
      The task is shown as marked, by whom and why. In a run that is over this begins a new recovery; a rerun of the \
      step undoes it.

      EXAMPLE
        coordinator mark latest approve success --reason "checked by hand"
      """)

  @Argument(help: "The run: its id, the beginning of it, or 'latest'.")
  var run: String

  @Argument(help: "The step.")
  var step: String

  @Argument(help: "success or failure.")
  var status: String

  @Option(help: "Why; it is shown with the task.")
  var reason: String

  @Option(help: "The sequence; needed if the step has tasks in several.")
  var sequence: String?

  @OptionGroup var options: ReplayOptions

  func validate() throws {
    guard status == "success" || status == "failure" else {
      throw ValidationError("'\(status)' is neither success nor failure")
    }
    if reason.isEmpty { throw ValidationError("--reason must say why") }
  }

  func launchKeeper() throws { try options.launchKeeper() }

  func run() async throws {
    let open = try await options.storeOptions.open()
    let id = try await open.store.runID(matching: run)
    let report = try await open.store.report(on: id, recovery: nil, allAttempts: false)
    if !report.run.status.isOver, !options.plan {
      try await open.store.mark(mark(in: report), of: id)
      let now = try await open.store.report(on: id, recovery: nil, allAttempts: false)
      if options.json { Say.out(RunJSON.document(now)) } else { Say.line("marked \(step) as \(status)") }
      return
    }
    try await options.carryOut(run) { report, values in
      var request = ReplayRequest(kind: .recover)
      request.parameters = values.open
      request.marks = [try mark(in: report)]
      return request
    }
  }

  private func mark(in report: RunReport) throws -> Replay.Mark {
    let tasks = report.tasks.filter { $0.step == step && (sequence == nil || $0.sequence.text == sequence) }
    guard let task = tasks.last else {
      throw StoreError(
        .notFound,
        "run \(report.run.id) has no task of step '\(step)'" + (sequence.map { " in sequence \($0)" } ?? ""),
        hint: "`coordinator tasks \(report.run.id)` lists its tasks")
    }
    guard Set(tasks.map(\.sequence)).count == 1 else {
      throw CommandFailure(
        status: .usage, what: "step '\(step)' has tasks in several sequences",
        mend: "give --sequence, one of \(tasks.map(\.sequence.text).joined(separator: ", "))")
    }
    return Replay.Mark(
      step: step, sequence: task.sequence, status: status == "success" ? .success : .failure,
      by: "\(Person.name): \(reason)")
  }
}
