import Database
import Engine
import Foundation
import Model

/// JSON that stands in columns.
enum JSONText {
  static func decode<T: Decodable>(_ type: T.Type, _ text: String?) throws -> T? {
    guard let text else { return nil }
    return try JSONDecoder().decode(type, from: Data(text.utf8))
  }

  static func encode(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  /// The value that `text` is the JSON of; text that is no JSON is taken as a string.
  static func value(_ text: String) -> JSONValue {
    // Most are numbers, and a decoder costs more than the rest of reading one.
    if let number = Int64(text), String(number) == text { return .integer(number) }
    return (try? decode(JSONValue.self, text)) ?? .string(text)
  }
}

extension TaskStatus {
  /// Reads a status column; a word this version does not know means a newer one has written it.
  init(stored text: String) throws(DatabaseError) {
    guard let status = TaskStatus(rawValue: text) else { throw .unknownWord(text, "task status") }
    self = status
  }
}

extension RunStatus {
  init(stored text: String) throws(DatabaseError) {
    guard let status = RunStatus(rawValue: text) else { throw .unknownWord(text, "run status") }
    self = status
  }
}

extension LoopStatus {
  init(stored text: String) throws(DatabaseError) {
    guard let status = LoopStatus(rawValue: text) else { throw .unknownWord(text, "loop status") }
    self = status
  }
}

extension DatabaseError {
  static func unknownWord(_ word: String, _ what: String) -> DatabaseError {
    DatabaseError(
      .unexpectedValue, code: what, message: "the store holds '\(word)', which this version does not know",
      hint: "upgrade this program")
  }
}

extension String {
  /// Host names as a column keeps them: joined by spaces, which no host name holds.
  var hostList: [String] { split(separator: " ").map(String.init) }
}

extension [String] {
  var hostColumn: String { joined(separator: " ") }
}

extension Array {
  /// The array in pieces of at most `size`.
  func chunks(of size: Int) -> [[Element]] {
    stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
  }
}
