import EventorCommand
import Foundation

/// A pipeline that stops at bad data and goes on from there, with a changed parameter, without doing work twice.
///
///     eventor-examples data-pipeline run --param max_bad=0                  # `check` fails; exit code 1
///     eventor-examples data-pipeline recover latest --param max_bad=5 --plan   # what would run, and what be skipped
///     eventor-examples data-pipeline recover latest --param max_bad=5          # extract is not run again; exit code 0
///
/// With the default of max_bad it succeeds at once. It shows what a recovery does with each step, a loop over a result, and
/// a step that reads all results of a loop. Works in ./pipeline.
enum DataPipeline {
  static var program: EventProgram {
    var program = EventProgram("data-pipeline")
    let maxBad = program.parameter("max_bad", default: 5, description: "bad rows that are put up with")
    let partitions = program.parameter("partitions", default: 3)

    // Costly, so a recovery repeats its recorded end, with its result, instead of running it: the default after a success.
    let extract = program.step("extract") { step in
      try extractRows(recovery: step.recovery)
    }

    // Sessions do not outlive a run, so a recovery opens a new one even though the old one was opened with success.
    let openSession = program.step("open_session", options: StepOptions { $0.afterSuccess = .rerun }) {
      step in "session of recovery \(step.recovery)"
    }

    // After a failure, a recovery runs a step again: the default, written out.
    let check = program.step("check", after: extract, options: StepOptions { $0.afterFailure = .rerun }) {
      step in
      let found = try step.result(of: extract).bad
      let allowed = try step.value(of: maxBad)
      step.logger.info("\(found) bad rows, at most \(allowed) are allowed")
      guard found <= allowed else { throw StepFailure("\(found) bad rows are too many") }
    }

    let split = program.step("split", after: check, reading: [extract]) { step in
      parts(of: try step.result(of: extract).rows, count: try step.value(of: partitions))
    }

    // Once for each part, all at the same time. Does not start before both have succeeded. What has succeeded of it is not
    // repeated by a later recovery either.
    let transform = program.forEach(
      "transform", over: .result(of: split), after: split, openSession, atOnce: 0
    ) { part, step in
      step.report(progress: 0, "part \(part.number)")
      return try transformed(part)
    }

    // The result of a loop over a step is the list of theirs; nil is one that failed.
    program.step("load", after: transform, reading: [openSession]) { step in
      let sizes = try step.result(of: transform).compactMap { $0 }
      let session = try step.result(of: openSession)
      step.logger.info("\(session) takes parts of \(sizes) bytes")
      return sizes.reduce(0, +)
    }
    return program
  }

  struct Extract: Codable {
    let rows: Int
    let bad: Int
  }

  /// Rows of the extract.
  struct Part: Codable {
    let number: Int
    let rows: Range<Int>
  }

  static func extractRows(recovery: Int) throws -> Extract {
    try FileManager.default.createDirectory(atPath: "pipeline", withIntermediateDirectories: true)
    let rows = (1...90).map { "row \($0)" }
    try write(rows.joined(separator: "\n"), to: "pipeline/rows")
    try write("extracted by recovery \(recovery)\n", to: "pipeline/journal")
    return Extract(rows: rows.count, bad: 2)
  }

  /// `rows` rows in `count` parts of nearly the same size.
  static func parts(of rows: Int, count: Int) -> [Part] {
    (0..<max(1, count)).map { number in
      Part(number: number + 1, rows: rows * number / max(1, count)..<rows * (number + 1) / max(1, count))
    }
  }

  /// Writes a part in capitals, and returns its size in bytes.
  static func transformed(_ part: Part) throws -> Int {
    let rows = try String(contentsOfFile: "pipeline/rows", encoding: .utf8).split(separator: "\n")
    let text = rows[part.rows].joined(separator: "\n").uppercased()
    try write(text, to: "pipeline/part.\(part.number)")
    return text.utf8.count
  }

  private static func write(_ text: String, to path: String) throws {
    try text.write(toFile: path, atomically: true, encoding: .utf8)
  }
}
