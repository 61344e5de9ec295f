import Foundation

/// How ids are written one after the other: to a worker's standard input, and from files.
///
/// Every id that can be written is read back as the same.
public enum IDFormat: String, Sendable, CaseIterable {
  /// One a line. An empty text, and one that holds a newline, can't be written so; empty lines are read over.
  case lines
  /// One JSON number or string a line.
  case jsonl
  /// Each with a NUL after it.
  case nul

  /// `ids` as bytes.
  ///
  /// - Throws: ``LoopError`` (`invalid`) for an id that can't be written as a line.
  public func bytes(_ ids: some Sequence<LoopID>) throws(LoopError) -> [UInt8] {
    var bytes: [UInt8] = []
    for id in ids {
      switch self {
      case .lines:
        let text = id.description.utf8
        guard !text.isEmpty, !text.contains(0x0a) else {
          throw LoopError(
            .invalid, "the id \(Self.json(id)) can't be written as a line",
            mend: "use --format jsonl or --format nul")
        }
        bytes += text
        bytes.append(0x0a)
      case .jsonl:
        bytes += Self.json(id).utf8
        bytes.append(0x0a)
      case .nul:
        bytes += id.description.utf8
        bytes.append(0)
      }
    }
    return bytes
  }

  /// The id as JSON: a number, or a string.
  public static func json(_ id: LoopID) -> String {
    if case .integer(let number) = id { return String(number) }
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    // A string can always be encoded.
    return (try? encoder.encode(id.description)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
  }

  /// The byte that ends an id.
  var terminator: UInt8 { self == .nul ? 0 : 0x0a }

  /// The id that `bytes`, without their terminator, stand for; nil for a line that is read over.
  func id(_ bytes: some Collection<UInt8>, of type: LoopIDType) throws(LoopError) -> LoopID? {
    if self != .nul, bytes.isEmpty { return nil }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw LoopError(.invalid, "an id is not UTF-8", mend: "write ids in UTF-8")
    }
    guard self == .jsonl else { return try type.id(text) }
    let data = Data(text.utf8)
    if let string = try? JSONDecoder().decode(String.self, from: data) { return try type.id(string) }
    if let number = try? JSONDecoder().decode(Int64.self, from: data) { return try type.id(String(number)) }
    throw LoopError(
      .invalid, "'\(text.prefix(60))'", why: "it is no JSON string or whole number", mend: "write one a line")
  }
}

/// Reads ids from a stream of bytes, in memory that does not grow with it.
public struct IDReader: Sendable {
  private let format: IDFormat
  private let type: LoopIDType
  private var rest: [UInt8] = []
  private var number = 0

  /// A reader of ids of a loop's type.
  public init(_ format: IDFormat, of type: LoopIDType) {
    self.format = format
    self.type = type
  }

  /// The ids that are complete with these bytes.
  ///
  /// - Throws: ``LoopError`` (`invalid`) that names the place of what is no id.
  public mutating func read(_ bytes: some Sequence<UInt8>) throws(LoopError) -> [LoopID] {
    rest += bytes
    var ids: [LoopID] = []
    var start = rest.startIndex
    while let end = rest[start...].firstIndex(of: format.terminator) {
      if let id = try id(rest[start..<end]) { ids.append(id) }
      start = end + 1
    }
    rest.removeSubrange(..<start)
    return ids
  }

  /// The last id, if it has no terminator.
  public mutating func finish() throws(LoopError) -> [LoopID] {
    defer { rest = [] }
    guard !rest.isEmpty, let id = try id(rest[...]) else { return [] }
    return [id]
  }

  private mutating func id(_ bytes: ArraySlice<UInt8>) throws(LoopError) -> LoopID? {
    number += 1
    do {
      return try format.id(bytes, of: type)
    } catch {
      throw LoopError(error.kind, "\(format == .nul ? "id" : "line") \(number): \(error)")
    }
  }
}
