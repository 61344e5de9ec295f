import CMySQL
import Database
import Runtime

/// One statement at a time on a connection, each given up when its thread is to stop.
final class MySQLDialogue {
  /// What a statement said.
  enum Answer: Equatable {
    /// The first number of its row; nil for NULL, and for a statement without rows.
    case number(Int?)
    /// KILL QUERY interrupted it.
    case interrupted
  }

  /// How long an answer may take before the server counts as gone.
  static let patience = Duration.seconds(10)

  private let connection: MySQLConnection

  /// Connects; blocks, at most for the connect timeout.
  init(_ url: StoreURL) throws(DatabaseError) {
    connection = try MySQLDriver.connect(url)
  }

  /// Sends a statement and waits for its answer; nil when it was given up because of `stop`.
  func ask(_ text: String, _ stop: StopSignal) throws(DatabaseError) -> Answer? {
    try send(text)
    return try receive(stop)
  }

  /// Sends a statement, whose answer is still to be received.
  func send(_ text: String) throws(DatabaseError) {
    guard mysql_send_query(connection.pointer, text, UInt(text.utf8.count)) == 0 else { throw failure() }
  }

  /// Waits for the answer to the statement sent; nil when it was given up because of `stop`.
  func receive(
    _ stop: StopSignal, within limit: Duration = patience
  ) throws(DatabaseError) -> Answer? {
    switch stop.wait(reading: connection.socket, upTo: limit) {
    case .stopped: return nil
    case .timeout: throw DatabaseError.mysql(2013, detail: "", statement: nil)
    case .readable: return try read()
    }
  }

  /// Reads an answer that comes within so many milliseconds, and drops it.
  func drop(within milliseconds: Int32) {
    // An error is an answer as well.
    if connection.hasInput(within: milliseconds) { _ = try? read() }
  }

  private func read() throws(DatabaseError) -> Answer {
    if mysql_read_query_result(connection.pointer) == 0 {
      if mysql_field_count(connection.pointer) == 0 { return .number(nil) }
      if let result = mysql_store_result(connection.pointer) {
        defer { mysql_free_result(result) }
        let cell = mysql_fetch_row(result)?[0]
        return .number(cell.flatMap { Int(String(cString: $0)) })
      }
    }
    guard connection.errorNumber == 1317 else { throw failure() }
    return .interrupted
  }

  private func failure() -> DatabaseError {
    .mysql(connection.errorNumber, detail: connection.errorText, statement: nil)
  }
}
