import Agent
import ArgumentParser
import CommandSupport
import Coordinator
import Engine
import Foundation
import Model
import Storage

/// `coordinator logs`.
struct LogsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logs",
    abstract: "Prints what steps wrote.",
    discussion: """
      The store keeps the last 64 KiB of what each step wrote. Where that is not all, the whole file is shown: from this \
      host, or fetched over SSH from the host where the step ran, which is reached by the name of its agent. With \
      --stored no other host is asked.

      EXAMPLE
        coordinator logs latest build --tail 20
        coordinator logs latest --follow
      """)

  @Argument(help: "The run: its id, the beginning of it, or 'latest'.")
  var run: String

  @Argument(help: "Only this step.")
  var step: String?

  @Option(help: "Only this sequence.")
  var sequence: String?

  @Option(help: "This attempt, instead of the newest.")
  var attempt: Int?

  @Option(help: "Only the last lines of each.")
  var tail: Int?

  @Flag(help: "Go on printing what running steps write, until the run is over.")
  var follow = false

  @Option(help: "Where the steps' logs are, if not where the configuration says.")
  var logDir: String?

  @Flag(help: "Only what the store and this host have: fetch nothing over SSH.")
  var stored = false

  @Flag(help: "Print one JSON document; with --follow one a line.")
  var json = false

  @OptionGroup var ssh: SSHOptions
  @OptionGroup var storeOptions: StoreOptions

  func validate() throws {
    if let tail, tail < 0 { throw ValidationError("--tail must not be negative") }
    if follow, tail != nil || attempt != nil {
      throw ValidationError(
        "--follow shows the newest attempts from their beginning: leave out --tail and --attempt")
    }
  }

  func run() async throws {
    let open = try await storeOptions.open()
    let id = try await open.store.runID(matching: run)
    if let step { try await check(step, of: id, open.store) }
    if follow {
      let directory = try StepRunningOptions.parse(logDir.map { ["--log-dir", $0] } ?? [])
        .logDirectory(storeOptions.configuration())
      var follower = LogFollower(
        store: open.store, run: id, step: step, sequence: sequence, directory: directory, json: json)
      return try await follower.follow()
    }
    var filter = OutputFilter()
    filter.step = step
    filter.sequence = sequence.map { Sequence($0) }
    filter.attempt = attempt
    let outputs = try await open.store.outputs(of: id, filter)
    if step != nil, outputs.isEmpty {
      throw StoreError(
        .notFound, "no such task in run \(id)", hint: "`coordinator tasks \(id)` lists its tasks")
    }
    let logs = NodeLogs(ssh)
    do {
      try await show(outputs, of: id, logs)
    } catch {
      await logs.close()
      throw error
    }
    await logs.close()
  }

  private func show(_ outputs: [OutputRecord], of run: String, _ logs: NodeLogs) async throws {
    if json {
      var rows: [JSONObject] = []
      for output in outputs {
        let task = output.task
        rows.append(
          JSONObject([
            ("step", task.step), ("sequence", task.sequence.text), ("attempt", task.attempt),
            ("host", task.host),
            ("log", task.logPath), ("text", await text(of: output, logs)),
          ]))
      }
      return Say.out(JSONObject([("run", run), ("logs", rows)]).document)
    }
    let isOne = outputs.count == 1
    for output in outputs {
      let head = "==> \(output.task.step)/\(output.task.sequence) attempt \(output.task.attempt) <==\n"
      if isElsewhere(output), tail == nil {
        // As it comes: a log may be larger than memory.
        let printer = LogPrinter(head: isOne ? "" : head)
        if await logs.read(output, { printer.take($0) }) {
          printer.end()
          continue
        }
      }
      let text = await self.text(of: output, logs, mayFetch: tail != nil)
      guard isOne || !text.isEmpty else { continue }
      let printer = LogPrinter(head: isOne ? "" : head)
      printer.take(ArraySlice(text.utf8))
      printer.end()
    }
  }

  private func check(_ step: String, of run: String, _ store: SQLStore) async throws {
    let steps = try await store.program(of: run).steps.map(\.name)
    guard !steps.contains(step) else { return }
    let near = Name.nearest(to: step, among: steps).map { "did you mean '\($0)'?" }
    throw StoreError(.notFound, "the program of run \(run) has no step '\(step)'", hint: near ?? "")
  }

  /// Whether there is more of it than the store has, on another host that may be asked.
  private func isElsewhere(_ output: OutputRecord) -> Bool {
    !stored && NodeLogs.isCut(output) && file(of: output) == nil && output.task.host != nil
  }

  /// Its log, if that is on this host.
  private func file(of output: OutputRecord) -> String? {
    output.task.logPath.flatMap { FileManager.default.isReadableFile(atPath: $0) ? $0 : nil }
  }

  private func text(of output: OutputRecord, _ logs: NodeLogs, mayFetch: Bool = true) async -> String {
    var text = output.tail?.text ?? ""
    // The store keeps the end only; the file has all.
    let isWanted = tail.map { text.count { $0.isNewline } <= $0 } ?? true
    let gathered = GatheredLog(tail: tail)
    if NodeLogs.isCut(output) || tail == nil, let path = file(of: output), gathered.read(path),
      gathered.total >= text.utf8.count
    {
      text = gathered.text
    } else if mayFetch, isWanted, isElsewhere(output) {
      if await logs.read(output, { gathered.add($0) }) { text = gathered.text }
    }
    guard let tail else { return text }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let content = text.hasSuffix("\n") ? lines.dropLast() : lines[...]
    return content.suffix(tail).map { $0 + "\n" }.joined()
  }
}

/// Prints what steps of a run write, as they write it: from their files on this host, else from the store, where agents
/// put the last of it while somebody follows.
private struct LogFollower {
  let store: SQLStore
  let run: String
  let step: String?
  let sequence: String?
  let directory: String
  let json: Bool

  private struct Attempt: Hashable {
    let step: String
    let sequence: String
    let recovery: Int
    let attempt: Int
  }
  private var offsets: [Attempt: UInt64] = [:]
  /// Halves of characters that wait for the rest.
  private var pieces: [Attempt: TextPieces] = [:]
  private var nextAsking = ContinuousClock.now
  private var over: Set<Attempt> = []
  private var last: Attempt?

  init(store: SQLStore, run: String, step: String?, sequence: String?, directory: String, json: Bool) {
    self.store = store
    self.run = run
    self.step = step
    self.sequence = sequence
    self.directory = directory
    self.json = json
  }

  mutating func follow() async throws {
    while true {
      // The status first: what is written before the run is over is printed after that was seen.
      let isOver = try await store.glance(at: run).status.isOver
      let report = try await store.report(on: run, recovery: nil, allAttempts: false)
      if !isOver, !report.run.isStandalone, ContinuousClock.now >= nextAsking {
        // Agents elsewhere put what their steps write into the store as long as somebody asks for it.
        nextAsking = .now + .seconds(3)
        try await store.follow(run)
      }
      for task in report.tasks where task.startedAt != nil && !task.skipped {
        if let step, task.step != step { continue }
        if let sequence, task.sequence.text != sequence { continue }
        try await show(task)
      }
      if isOver { return }
      try await Task.sleep(for: .milliseconds(300))
    }
  }

  private mutating func show(_ task: TaskRecord) async throws {
    let attempt = Attempt(
      step: task.step, sequence: task.sequence.text, recovery: task.recovery, attempt: task.attempt)
    guard !over.contains(attempt) else { return }
    let path =
      try task.logPath
      ?? StepLog.path(
        in: directory, run: run, step: task.step, sequence: task.sequence.text, recovery: task.recovery,
        attempt: task.attempt)
    if let file = FileHandle(forReadingAtPath: path) {
      defer { try? file.close() }
      try file.seek(toOffset: offsets[attempt, default: 0])
      // A piece at a time, so that a step that writes without end is followed in constant memory.
      while let piece = try file.read(upToCount: 1 << 16), !piece.isEmpty {
        offsets[attempt, default: 0] += UInt64(piece.count)
        say(pieces[attempt, default: TextPieces()].text(Array(piece)[...]), of: attempt)
      }
    } else {
      var filter = OutputFilter()
      filter.step = task.step
      filter.sequence = task.sequence
      for output in try await store.outputs(of: run, filter) where output.task.attempt == task.attempt {
        if let tail = output.tail { sayNew(of: tail, attempt) }
      }
    }
    if task.status.isOver {
      if let rest = pieces[attempt]?.last() { say(rest, of: attempt) }
      pieces[attempt] = nil
      over.insert(attempt)
    }
  }

  /// Prints what has come since: the store keeps the last 64 KiB, of which some may have been missed.
  private mutating func sayNew(of tail: Outcome.Tail, _ attempt: Attempt) {
    let seen = Int64(clamping: offsets[attempt, default: 0])
    let new = Int(tail.totalBytes - seen)
    guard new > 0 else { return }
    offsets[attempt] = UInt64(tail.totalBytes)
    let bytes = Array(tail.text.utf8)
    if new > bytes.count {
      say("[… \(new - bytes.count) bytes are only in the log on its host …]\n", of: attempt)
    }
    say(pieces[attempt, default: TextPieces()].text(bytes.suffix(new)), of: attempt)
  }

  private mutating func say(_ text: String, of attempt: Attempt) {
    guard !text.isEmpty else { return }
    if json {
      return Say.line(
        JSONObject([
          ("step", attempt.step), ("sequence", attempt.sequence), ("attempt", attempt.attempt),
          ("text", text),
        ]).line)
    }
    if last != attempt { Say.line("==> \(attempt.step)/\(attempt.sequence) attempt \(attempt.attempt) <==") }
    last = attempt
    Say.out(Say.outProfile.isTerminal ? neutralised(text) : text)
  }
}
