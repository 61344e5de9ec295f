import Agent
import Foundation
import Glibc
import Logging
import Model
import Runtime
import Synchronization

/// The entry by which an agent, or the program itself, has one step of a program carried out in a process of its own:
/// `PROGRAM --eventor-step CONTEXT`.
enum StepEntry {
  /// The path of the step's context, if this process is there for a step.
  static var contextPath: String? {
    let arguments = CommandLine.arguments
    guard arguments.count == 3, arguments[1] == FunctionContext.option else { return nil }
    return arguments[2]
  }

  /// Carries out the step of one of `programs` that this process is there for, and ends the process; returns if it is there
  /// for none.
  static func carryOut(among programs: [EventProgram]) async {
    guard let path = contextPath else { return }
    let facts: FunctionContext
    do {
      facts = try JSONDecoder().decode(
        FunctionContext.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    } catch {
      // Where the answer would go stands in that very file.
      say("error: can't read what the step is told: \(path): \(error)\n")
      exit(70)
    }
    await end(facts, carryOut(facts, programs.first { $0.name == facts.program }))
  }

  private static func carryOut(
    _ facts: FunctionContext, _ program: EventProgram?
  ) async -> Result<JSONValue?, any Error> {
    guard let files = facts.files, let function = program?.functions[facts.function] else {
      let what = program == nil ? "no program '\(facts.program)'" : "no function '\(facts.function)'"
      return .failure(
        StepFailure(
          "this executable has \(what); a program must have the same steps whenever and wherever it is started"
        ))
    }
    var logger = Logger(label: "\(facts.program).\(facts.step)") { _ in StepLogHandler(write: say) }
    logger.logLevel = .info
    let queue = SerialWorker(name: "step-notes")
    let keeper = NoteKeeper { fraction, message in
      queue.enqueue { write(FunctionNote(fraction: fraction, message: message), to: files.note) }
    }
    let triggers = Mutex<[String]>([])
    let channel = StepContext.Channel(
      note: keeper.note,
      trigger: { event, sequence in
        triggers.withLock { $0.append(event + (sequence.map { " " + $0 } ?? "") + "\n") }
      }, secrets: [:])
    let told = StepContext(facts, channel, logger: logger)
    let work = Task { try await function.call(told) }
    let signals = try? Interrupts([SIGTERM, SIGINT]) { _, _ in work.cancel() }
    let result = await work.result
    signals?.stop()
    let raised = triggers.withLock { $0.joined() }
    if !raised.isEmpty { replace(files.triggers, by: Array(raised.utf8)) }
    return result
  }

  /// Writes down how it ended, and ends the process.
  private static func end(_ facts: FunctionContext, _ result: Result<JSONValue?, any Error>) async -> Never {
    switch result {
    case .success(let value):
      if let value, let path = facts.files?.result, !replace(path, by: Array(value.json.utf8)) {
        say("error: can't write the result: \(path): \(String(cString: strerror(errno)))\n")
        exit(1)
      }
      exit(0)
    case .failure(let error):
      let (message, exitCode) = StepFailure.recorded(error)
      say("error: \(message)\n")
      if let path = facts.files?.failure { replace(path, by: Array(message.utf8)) }
      exit(Int32(exitCode))
    }
  }

  private static func write(_ note: FunctionNote, to path: String) {
    guard let data = try? JSONEncoder().encode(note) else { return }
    replace(path, by: Array(data))
  }

  /// Overwrites a file that is there; in its directory a step's user may not make another.
  @discardableResult
  private static func replace(_ path: String, by bytes: [UInt8]) -> Bool {
    let file = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW)
    guard file >= 0 else { return false }
    defer { close(file) }
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(file, $0.baseAddress?.advanced(by: done), $0.count - done)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }

  private static func say(_ text: String) {
    let bytes = Array(text.utf8)
    _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
  }
}
