import Database

/// How listeners are rung through a connection to their server.
protocol Bell: Sendable {
  /// Rings each of them; an address where nobody listens is no failure.
  func ring(_ addresses: [WakeAddress], on session: any Session) throws(DatabaseError)
}
