public import ArgumentParser
import CommandSupport
public import Coordinator
import Engine
import Foundation
import Model
import Storage

/// `coordinator status`.
struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Shows a run with its tasks and loops, or the newest runs.",
    discussion: """
      EXAMPLE
        coordinator status latest --watch
        coordinator status 01JD… --recovery 0 --all-attempts --json
      """)

  @Argument(help: "The run: its id, the beginning of it, or 'latest'. Without it the newest runs are listed.")
  var run: String?

  @Option(help: "An earlier recovery, from 0.")
  var recovery: Int?

  @Flag(help: "Every attempt of each task, not only the newest.")
  var allAttempts = false

  @Flag(help: "Show it again whenever it changes, until the run is over.")
  var watch = false

  @Flag(help: "Print JSON: one document, or with --watch one a line.")
  var json = false

  @OptionGroup var storeOptions: StoreOptions

  func run() async throws {
    let open = try await storeOptions.open()
    guard let run else {
      if watch {
        throw CommandFailure(
          status: .usage, what: "--watch", why: "it needs a run", mend: "name one, or 'latest'")
      }
      let runs = try await open.store.runs(RunFilter())
      return Say.out(
        json
          ? RunJSON.list(runs) : StatusView.runs(runs, now: Say.now).rendered(as: .table, on: Say.outProfile))
    }
    let id = try await open.store.runID(matching: run)
    guard watch else {
      let report = try await open.store.report(on: id, recovery: recovery, allAttempts: allAttempts)
      return Say.out(
        json ? RunJSON.document(report) : StatusView.text(report, now: Say.now, on: Say.outProfile))
    }
    var last: RunReport?
    while true {
      let report = try await open.store.report(on: id, recovery: recovery, allAttempts: allAttempts)
      if report != last {
        let profile = Say.outProfile
        if json {
          Say.out(RunJSON.line(report))
        } else {
          // The picture is drawn anew from the top of the screen.
          Say.out(
            (profile.isTerminal ? "\u{1b}[H\u{1b}[2J" : "")
              + StatusView.text(report, now: Say.now, on: profile))
        }
      }
      last = report
      if report.run.status.isOver { return }
      try await Task.sleep(for: .milliseconds(500))
    }
  }
}

/// How lists are printed.
struct ListOptions: ParsableArguments {
  @Option(help: "table, json, jsonl, csv or tsv.")
  var output: TableFormat = .table

  @Option(help: "Only these columns, separated by commas.")
  var columns: String?

  @Flag(help: "Leave out the titles.")
  var noHeader = false

  @Flag(help: "As --output json.")
  var json = false

  /// Prints `table`; where all of it is wanted as JSON, `document`, whose keys are those of every other answer.
  func show(_ table: Table, document: @autoclosure () -> String) throws {
    if columns == nil, json || output == .json { return Say.out(document()) }
    try show(table)
  }

  func show(_ table: Table) throws {
    let chosen = try table.selecting(columns)
    Say.out(chosen.rendered(as: json ? .json : output, header: !noHeader, on: Say.outProfile))
  }
}

extension TableFormat: ExpressibleByArgument {}

/// `coordinator runs`.
struct RunsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runs",
    abstract: "Lists runs, newest first.",
    discussion: """
      EXAMPLE
        coordinator runs --program nightly --status failure --since 7d
      """)

  @Option(help: "Only runs of this program.")
  var program: String?

  @Option(help: "Only runs in this status: running, paused, success, failure, cancelled.")
  var status: String?

  @Option(help: "Only runs submitted at most this long ago, such as 90m or 7d.")
  var since: String?

  @Option(help: "At most so many.")
  var limit = 50

  @OptionGroup var list: ListOptions
  @OptionGroup var storeOptions: StoreOptions

  func run() async throws {
    var filter = RunFilter()
    filter.program = program
    filter.limit = limit
    if limit < 0 {
      throw CommandFailure(status: .usage, what: "--limit \(limit)", why: "it must not be negative")
    }
    if let status {
      guard let known = RunStatus(rawValue: status) else {
        throw CommandFailure(
          status: .usage, what: "--status \(status)",
          mend: "use one of \(RunStatus.allCases.map(\.rawValue).joined(separator: ", "))")
      }
      filter.status = known
    }
    if let since {
      guard let span = TimeSpan(since) else {
        throw CommandFailure(
          status: .usage, what: "--since \(since)", mend: "write a duration such as 90m or 7d")
      }
      filter.since = span
    }
    let open = try await storeOptions.open()
    let runs = try await open.store.runs(filter)
    try list.show(StatusView.runs(runs, now: Say.now), document: RunJSON.list(runs))
  }
}

/// `coordinator tasks`.
struct TasksCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tasks",
    abstract: "Lists the tasks of a run, in the order they became ready.",
    discussion: """
      EXAMPLE
        coordinator tasks latest --output csv --columns step,sequence,status
      """)

  @Argument(help: "The run: its id, the beginning of it, or 'latest'.")
  var run: String

  @Option(help: "An earlier recovery, from 0.")
  var recovery: Int?

  @Flag(help: "Every attempt of each task, not only the newest.")
  var allAttempts = false

  @OptionGroup var list: ListOptions
  @OptionGroup var storeOptions: StoreOptions

  func run() async throws {
    let open = try await storeOptions.open()
    let id = try await open.store.runID(matching: run)
    let report = try await open.store.report(on: id, recovery: recovery, allAttempts: allAttempts)
    try list.show(StatusView.tasks(report.tasks, now: Say.now), document: RunJSON.list(report.tasks))
  }
}

/// `coordinator why`.
struct WhyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "why",
    abstract: "Says why each task that is not running isn't, and what to do about it.",
    discussion: """
      EXAMPLE
        coordinator why latest
        coordinator why latest deploy
      """)

  @Argument(help: "The run: its id, the beginning of it, or 'latest'.")
  var run: String

  @Argument(help: "Only this step.")
  var step: String?

  @Flag(help: "Print one JSON document.")
  var json = false

  @OptionGroup var storeOptions: StoreOptions

  func run() async throws {
    let open = try await storeOptions.open()
    let id = try await open.store.runID(matching: run)
    var reasons = try await open.store.reasons(for: id, step: step)
    if step == nil { reasons.removeAll { $0.code == .running } }
    if json {
      let rows = reasons.map { reason in
        JSONObject([
          ("step", reason.step), ("sequence", reason.sequence?.text), ("code", reason.code.rawValue),
          ("message", reason.message), ("mend", reason.mend),
        ])
      }
      return Say.out(JSONObject([("run", id), ("reasons", rows)]).document)
    }
    if reasons.isEmpty { return Say.line("nothing waits in run \(id)") }
    for reason in reasons {
      Say.line(
        "\(reason.step)\(reason.sequence.map { "/\($0)" } ?? ""): \(reason.message) [\(reason.code.rawValue)]"
      )
      Say.line("    \(reason.mend)")
    }
  }
}

/// `coordinator wait`.
struct WaitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wait",
    abstract: "Waits for the end of a run, and ends with its exit code.",
    discussion: """
      EXAMPLE
        coordinator wait 01JD… --timeout 2h
      """)

  @Argument(help: "The run: its id, the beginning of it, or 'latest'.")
  var run: String

  @Option(help: "Give up after this long (exit code 7).")
  var timeout: String?

  @Flag(help: "Print one JSON document.")
  var json = false

  @Option(help: "End with this step's exit code.")
  var exitCodeFrom: String?

  @OptionGroup var storeOptions: StoreOptions

  func run() async throws {
    let span = try timeout.map { text in
      guard let span = TimeSpan(text) else {
        throw CommandFailure(
          status: .usage, what: "--timeout \(text)", mend: "write a duration such as 90s or 2h")
      }
      return span
    }
    let open = try await storeOptions.open()
    let id = try await open.store.runID(matching: run)
    try await Waiting(open: open, json: json, exitCodeFrom: exitCodeFrom, timeout: span).wait(for: id)
  }
}
