import CPostgres
import Database
import Runtime

/// Listens on PostgreSQL: a connection that waits for `NOTIFY` on the address's channel.
///
/// Channels are the database's, not the schema's, which the random name makes good. A pooler that gives each
/// transaction another connection (PgBouncer's `pool_mode = transaction`) takes `LISTEN` and delivers nothing.
final class PostgresEar: Ear {
  private let connection: PostgresConnection
  private let address: WakeAddress

  init(_ url: StoreURL, _ address: WakeAddress) throws(DatabaseError) {
    connection = try PostgresDriver().connect(url)
    self.address = address
  }

  func listen(until stop: StopSignal, onReady: () -> Void, onRing: () -> Void) throws(DatabaseError) {
    guard PQsendQuery(connection.pointer, "LISTEN \"\(address.name)\"") == 1 else { throw lost }
    while true {
      if try hasAnswered() { onReady() }
      if takeNotifications() { onRing() }
      guard stop.wait(reading: PQsocket(connection.pointer)) == .readable else { return }
      guard PQconsumeInput(connection.pointer) == 1 else { throw lost }
    }
  }

  /// Whether the server has just said that it listens; later there are no answers any more.
  private func hasAnswered() throws(DatabaseError) -> Bool {
    var isReady = false
    while PQisBusy(connection.pointer) == 0, let pointer = PQgetResult(connection.pointer) {
      let result = PostgresResult(pointer)
      if result.isError { throw .postgres(result, statement: "LISTEN") }
      isReady = true
    }
    return isReady
  }

  private func takeNotifications() -> Bool {
    var hasSome = false
    while let notification = PQnotifies(connection.pointer) {
      PQfreemem(notification)
      hasSome = true
    }
    return hasSome
  }

  private var lost: DatabaseError {
    DatabaseError(
      .connectionLost, code: "08006", message: "the connection to the PostgreSQL server was lost",
      statement: "LISTEN")
  }
}
