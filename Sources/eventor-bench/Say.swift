import Foundation

/// Results on standard output, progress on standard error.
enum Say {
  static func line(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }
  static func aside(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

  /// `value` as JSON with sorted keys.
  static func json(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    line(String(decoding: try encoder.encode(value), as: UTF8.self))
  }
}

extension [Double] {
  /// The middle one; of an even number the lower of the two.
  var median: Double { isEmpty ? 0 : sorted()[(count - 1) / 2] }
}
