import CommandSupport
import Foundation

extension Say {
  /// `value` as JSON with sorted keys.
  static func json(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    line(String(decoding: try encoder.encode(value), as: UTF8.self))
  }
}
