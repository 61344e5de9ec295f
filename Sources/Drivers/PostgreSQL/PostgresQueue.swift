import CPostgres
import Database

/// Statements that have yet to be sent: with the next one whose answer is needed, in one round trip (libpq's pipeline
/// mode, PostgreSQL 14).
struct PostgresQueue {
  /// A statement with its values; one without a name is sent as text.
  struct Entry {
    let name: String?
    let text: String
    var values: [Value] = []

    /// Sends it. False if the connection does not take it.
    func send(to connection: OpaquePointer) -> Bool {
      guard let name else { return PQsendQueryParams(connection, text, 0, nil, nil, nil, nil, 0) == 1 }
      return PostgresParameters(values).withPointers { values, lengths, formats in
        PQsendQueryPrepared(connection, name, Int32(values.count), values, lengths, formats, 0)
      } == 1
    }

    /// About how many bytes it takes.
    var size: Int {
      values.reduce(text.utf8.count) { sum, value in
        switch value {
        case .text(let text): sum + text.utf8.count
        case .blob(let bytes): sum + bytes.count
        default: sum + 8
        }
      }
    }
  }

  /// More are not kept back: libpq blocks while it writes, and must not do so while the server waits for it to read.
  private static let mostEntries = 32
  private static let mostBytes = 64 * 1024

  private(set) var entries: [Entry] = []
  private var bytes = 0

  var isEmpty: Bool { entries.isEmpty }
  var isFull: Bool { entries.count >= Self.mostEntries || bytes >= Self.mostBytes }

  mutating func add(_ entry: Entry) {
    entries.append(entry)
    bytes += entry.size
  }

  /// Takes everything out.
  mutating func take() -> [Entry] {
    defer { self = PostgresQueue() }
    return entries
  }
}
