import EventorCommand
import Foundation

/// The program of the tutorial: counts the words of the texts in a folder, and warns if they are too many.
///
///     eventor-examples word-count run --param folder=docs
///     eventor-examples word-count run --param folder=docs --param limit=100
///
/// The article "Tutorial: count words" in Sources/Eventor/Eventor.docc goes through it line by line; a test holds the
/// article against this file.
struct WordCount: EventorMain {
  static func program() -> EventProgram {
    var program = EventProgram("word-count")
    program.settings.description = "Counts the words of the texts in a folder."

    let folder = program.parameter("folder", default: ".", description: "where the texts are")
    let limit = program.parameter("limit", default: 10_000, description: "words that are too many")

    let find = program.step("find") { step in
      try texts(in: step.value(of: folder))
    }

    let count = program.forEach(
      "count", over: .result(of: find), after: find, atOnce: 4,
      options: .retry(Retry(attempts: 3, delay: .seconds(1)))
    ) { path, step in
      step.logger.info("counting \(path)")
      return Count(path: path, words: try words(in: path))
    }

    let tooMany = program.event("too_many", external: true)

    let total = program.step("total", after: count) { step in
      let counts = try step.result(of: count).compactMap { $0 }
      let total = counts.map(\.words).reduce(0, +)
      if total > (try step.value(of: limit)) { try step.trigger(tooMany) }
      return total
    }

    program.step("warn", on: tooMany, reading: [total, count]) { step in
      let words = try step.result(of: total)
      let longest = try step.result(of: count).compactMap { $0 }.max { $0.words < $1.words }
      step.logger.warning("\(words) words, most of them in \(longest?.path ?? "none")")
    }

    return program
  }

  struct Count: Codable {
    let path: String
    let words: Int
  }

  static func texts(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder)
      .filter { $0.hasSuffix(".md") || $0.hasSuffix(".txt") }
      .sorted().map { folder + "/" + $0 }
  }

  static func words(in path: String) throws -> Int {
    try String(contentsOfFile: path, encoding: .utf8).split(whereSeparator: \.isWhitespace).count
  }
}
