import Foundation
import Model

/// Between `Codable` values and the JSON that the store keeps.
enum JSON {
  /// `value` as JSON.
  static func value(of value: some Encodable) throws -> JSONValue {
    if value is NoResult { return .null }
    return try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(value))
  }

  /// The value that `json` stands for.
  ///
  /// - Throws: ``StepValueError``, which calls it `what`.
  static func decode<Value: Decodable>(_ type: Value.Type, _ json: JSONValue, as what: String) throws -> Value
  {
    // What a command writes as its result is read as JSON where it can be: `12` is meant as a text by whoever wants one.
    if type is String.Type, let text = json.plainText as? Value, json != .null { return text }
    do {
      return try JSONDecoder().decode(type, from: JSONEncoder().encode(json))
    } catch {
      throw StepValueError("\(what) is \(json.json.prefix(200)), which is no \(type)")
    }
  }
}

/// A value that a step asked for is not there, or of another type.
public struct StepValueError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What is wrong, and how to mend it.
  public let description: String

  init(_ description: String) { self.description = description }
}
